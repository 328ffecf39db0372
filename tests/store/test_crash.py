"""A writer killed with SIGKILL at every step it takes: the store stays sound.

A step is a line of the store's own code. For each of them a process is forked that
kills itself just before the line; then the store is opened again and looked at.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from sphinx_nbcache.model import Entry, Key, Memo
from sphinx_nbcache.store import Store
from tests.store.samples import fill, find_damage, make_entry, make_key, make_outputs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each step"),
]

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]
Work = Callable[[Store], None]

NEW = ("first", "second")


def store_two(store: Store) -> None:
    """Do what a build does: claim, save outputs and entry, note the run; twice."""
    for name in NEW:
        lock = store.try_claim(make_key(name))
        assert lock is not None
        for entry in fill(store, name):
            store.index.note_run(entry)
        lock.release()


def replace_one(store: Store) -> None:
    """Save another answer for a key that has one, as ``force`` does."""
    digest = store.save_outputs(make_outputs("newer", size=1000))
    store.save_entry(make_entry(digest, key="before", executed_at=2.0))


def store_memo(store: Store) -> None:
    """Do what a memoized function does when it has computed its value."""
    claim = store.try_claim(Key("memo-abc"))
    assert claim is not None
    memo = Memo(
        key=make_key("asked"),
        family=make_key("family"),
        source="module.function",
        executed_at=1.0,
        seconds=2.0,
        tree={"t": "bytes", "v": 0},
    )
    store.save_value(memo, [(b"some bytes" * 1000,)], is_plain=False)
    claim.release()


def heal_one(store: Store) -> None:
    """Write an object again whose file was damaged."""
    fill(store, "damaged")


WORKS = (store_two, replace_one, store_memo, heal_one)


def kill_at(step: int) -> Callable[[FrameType, str, Any], Any]:
    """Return a tracer that kills the process before the given line of the store's code."""
    seen = 0
    folder = str(Path(sys.modules[Store.__module__].__file__ or "").parent)

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.startswith(folder):
            return None
        seen += event == "line"
        if seen == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def crash(work: Work, path: Path, step: int) -> bool:
    """Work in a child process that is killed at a step; return whether it came that far."""
    child = os.fork()
    if child == 0:
        sys.settrace(kill_at(step))
        work(Store(path))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0, f"step {step}: the child failed"
    return os.WIFSIGNALED(status)


def find_one(store: Store, name: str) -> Entry | None:
    """Return the entry of a key, which may be missing but never broken."""
    found, problems = store.find_entries(make_key(name))
    assert problems == []
    assert len(found) <= 1
    for entry in found:
        assert store.load_outputs(entry.outputs) is not None
    return found[0] if found else None


def check(path: Path) -> None:
    """See that the store is sound, has what was finished, and takes what is new."""
    store = Store(path)
    assert find_damage(store) == []
    before = find_one(store, "before")
    assert before is not None
    assert before.executed_at in {1.0, 2.0}
    first, second = (find_one(store, name) for name in NEW)
    assert first is not None or second is None, "the second was stored, the first one lost"
    fill(store, *NEW)
    assert all(find_one(store, name) for name in NEW)


def drive(folder: str, name: str) -> None:
    """Crash at step 1, 2, 3... until the work gets through; print how many there were."""
    works: dict[str, Work] = {work.__name__: work for work in WORKS}
    template = Path(folder, "template")
    _, damaged = fill(Store(template), "before", "damaged")
    step = 0
    came_so_far = True
    while came_so_far:
        step += 1
        path = Path(folder, str(step))
        shutil.copytree(template, path)
        if name == "heal_one":
            (file,) = path.glob(f"objects/*/{damaged.outputs[2:]}*")
            file.write_bytes(b"damaged")
        came_so_far = crash(works[name], path, step)
        if name == "heal_one":
            fill(Store(path), "damaged")
        check(path)
    sys.stdout.write(str(step))


@pytest.mark.parametrize("name", ["store_two", "replace_one", "store_memo", "heal_one"])
def test_a_writer_may_be_killed_at_every_step(
    tmp_path: Path, run_python: RunPython, name: str
) -> None:
    code = "import sys; from tests.store.test_crash import drive; drive(*sys.argv[1:])"
    result = run_python(code, tmp_path, name)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 30


def test_a_store_that_was_being_made_when_its_maker_was_killed_is_made_again(
    tmp_path: Path, run_python: RunPython
) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.store.test_crash import crash, find_damage, replace_one, Store\n"
        "step = 1\n"
        "while crash(replace_one, path := Path(sys.argv[1], str(step)), step):\n"
        "    assert find_damage(Store(path)) == []\n"
        "    replace_one(Store(path))\n"
        "    names = {file.name for file in path.iterdir()}\n"
        "    assert names >= {'FORMAT', 'CACHEDIR.TAG', '.gitignore'}, names\n"
        "    assert (path / '.gitignore').read_text() == '*\\n'\n"
        "    step += 1\n"
        "print(step)\n"
    )
    result = run_python(code, tmp_path)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 30
