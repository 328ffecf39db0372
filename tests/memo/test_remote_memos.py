"""Memos and a remote: what one machine has computed, others do not."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sphinx_nbcache.model import Status, Topic
from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import write_notebook
from tests.pipeline.listening import Warned

pytestmark = pytest.mark.slow  # each test starts several processes

KEY, OTHER_KEY = "first-key-" + "x" * 16, "other-key-" + "y" * 16
HEAD = """
import asyncio, os
from sphinx_nbcache import memo

class Special:
    pass

def note(text):
    with open(os.environ["CALLS"], "a") as file:
        file.write(text)

@memo(always=True)
def double(x):
    note("d")
    return [x, x]

@memo(always=True)
def make_special(x):
    note("s")
    return {"special": complex(x), "kind": type(x)}

@memo(always=True)
async def wait(x):
    note("w")
    return x

@memo(always=True)
def make_array(size):
    import numpy as np
    note("a")
    return np.arange(size, dtype="f4")
"""
TRUSTED = {"NBCACHE_TRUST_REMOTE": "true"}


@dataclass(frozen=True, slots=True)
class Machine:
    """A checkout of a project with a cache of its own."""

    folder: Path
    variables: dict[str, str]

    def run(self, code: str, **variables: str) -> tuple[str, str, str]:
        """Run a script; return what it computed, printed, and warned of."""
        calls = self.folder / "calls.txt"
        calls.write_text("")
        (self.folder / "work.py").write_text(HEAD)
        done = subprocess.run(
            [sys.executable, "-c", f"from work import *\n{code}"],
            check=False,
            cwd=self.folder,
            env={**os.environ, **self.variables, **variables, "CALLS": str(calls)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return calls.read_text(), done.stdout.strip(), done.stderr


class Machines:
    """Machines that share a remote."""

    def __init__(self, folder: Path) -> None:
        self.remote = folder / "remote"
        self._folder = folder

    def make(self, name: str, **variables: str) -> Machine:
        folder = self._folder / name
        folder.mkdir()
        (folder / "pyproject.toml").touch()
        told = {"NBCACHE_REMOTE": self.remote.as_uri(), "NBCACHE_REMOTE_MODE": "read-write"}
        return Machine(folder, {**told, **variables})


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    """Return machines whose remote is empty."""
    return Machines(tmp_path)


@pytest.mark.parametrize(
    ("code", "mark", "printed"),
    [
        ("print(double(3))", "d", "[3, 3]"),
        ("print(asyncio.run(wait(3)))", "w", "3"),
        ("print(make_array(5000)[-1], make_array(5000).dtype)", "a", "4999.0 float32"),
    ],
)
def test_another_machine_does_not_compute(
    machines: Machines, code: str, mark: str, printed: str
) -> None:
    assert machines.make("one").run(code) == (mark, printed, "")
    assert machines.make("two").run(code) == ("", printed, "")


def test_what_came_once_is_here(machines: Machines) -> None:
    machines.make("one").run("double(3)")
    two = machines.make("two")
    two.run("double(3)")
    assert two.run("print(double(3))", NBCACHE_REMOTE="")[0] == ""


def test_in_mode_read_nothing_is_put_there(machines: Machines) -> None:
    machines.make("one", NBCACHE_REMOTE_MODE="read").run("double(3)")
    assert not machines.remote.exists()


def test_what_is_too_old_is_computed(machines: Machines) -> None:
    code = "from work import note\n@memo(always=True, max_age=AGE)\ndef f():\n    note('f')\nf()"
    machines.make("one").run(code.replace("AGE", "3600"))
    two = machines.make("two")
    assert two.run(code.replace("AGE", "0.001"))[0] == "f"


def test_a_remote_that_is_not_there_is_one_warning(machines: Machines) -> None:
    pytest.importorskip("s3fs")
    login = {"AWS_ACCESS_KEY_ID": "dummy", "AWS_SECRET_ACCESS_KEY": "secret-of-mine"}
    place = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_DEFAULT_REGION": "us-east-1"}
    one = machines.make("one", NBCACHE_REMOTE="s3://bucket/x", **login, **place)
    calls, printed, warned = one.run("print(double(1), double(2))")
    assert (calls, printed) == ("dd", "[1, 1] [2, 2]")
    assert warned.count("MemoWarning") == 1
    assert "values are computed without the remote cache" in warned
    assert "secret-of-mine" not in warned


def test_an_address_that_is_none_is_one_warning(machines: Machines) -> None:
    calls, _, warned = machines.make("one", NBCACHE_REMOTE="nonsense").run("double(1), double(2)")
    assert (calls, warned.count("MemoWarning")) == ("dd", 1)


def test_damaged_objects_there_are_a_miss(machines: Machines) -> None:
    machines.make("one").run("make_array(5000)")
    for path in machines.remote.glob("objects/*/*"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    calls, printed, warned = machines.make("two").run("print(len(make_array(5000)))")
    assert (calls, printed) == ("a", "5000")
    assert warned.count("MemoWarning: ") == 1
    assert "some of the remote cache" in warned


def test_a_child_that_was_forked_asks_itself(machines: Machines) -> None:
    code = """
import multiprocessing
double(1)
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.map(double, [3]))
"""
    machines.make("one").run("double(3)")
    assert machines.make("two").run(code)[:2] == ("d", "[[3, 3]]")


class TestPickles:
    """What has to be unpickled runs what it says."""

    def test_without_a_signature_they_are_not_taken(self, machines: Machines) -> None:
        machines.make("one").run("make_special(3)")
        two = machines.make("two")
        calls, _, warned = two.run("make_special(3)")
        assert calls == "s"
        assert "have to be unpickled are not used" in warned

    def test_a_remote_that_is_trusted_is_enough(self, machines: Machines) -> None:
        machines.make("one").run("make_special(3)")
        code = "print(make_special(3)['special'])"
        assert machines.make("two", **TRUSTED).run(code) == ("", "(3+0j)", "")

    def test_signed_ones_are_taken(self, machines: Machines) -> None:
        machines.make("one", NBCACHE_SIGNING_KEY=KEY).run("make_special(3)")
        two = machines.make("two", NBCACHE_SIGNING_KEY=f"{OTHER_KEY},{KEY}")
        assert two.run("make_special(3)") == ("", "", "")

    @pytest.mark.parametrize("keys", [{}, {"NBCACHE_SIGNING_KEY": OTHER_KEY}])
    def test_with_a_key_what_others_signed_is_not(
        self, machines: Machines, keys: dict[str, str]
    ) -> None:
        machines.make("one", **keys).run("double(3)")
        two = machines.make("two", NBCACHE_SIGNING_KEY=KEY, **TRUSTED)
        calls, _, warned = two.run("double(3)")
        assert calls == "d"
        assert "not signed with one of the keys" in warned

    def test_what_lies_here_unsigned_is_computed_and_signed(self, machines: Machines) -> None:
        one = machines.make("one", NBCACHE_REMOTE="")
        one.run("double(3)")
        calls, _, warned = one.run("double(3)", NBCACHE_SIGNING_KEY=KEY)
        assert calls == "d"
        assert warned.count("not signed with one of the keys; it is computed again") == 1
        assert one.run("double(3)", NBCACHE_SIGNING_KEY=KEY) == ("", "", "")


class TestKernels:
    """What the notebooks of a build memoize."""

    @pytest.fixture(autouse=True)
    def variables(self, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
        """Build with the remote."""
        monkeypatch.setenv("NBCACHE_REMOTE", machines.remote.as_uri())
        monkeypatch.setenv("NBCACHE_REMOTE_MODE", "read-write")
        monkeypatch.setenv("CALLS", str(machines.remote.parent / "calls.txt"))
        return monkeypatch

    def build(self, machine: Machine, *cells: str) -> tuple[str, list[tuple[Topic, str]]]:
        """Build a notebook with a helper module; return what it printed, and warnings."""
        (machine.folder / "work.py").write_text(HEAD)
        write_notebook(machine.folder / "a.ipynb", "from work import *", *cells)
        progress = Warned()
        cache = NotebookCache(project=machine.folder)
        (outcome,) = cache.execute([machine.folder], progress=progress).outcomes
        assert outcome.status is Status.RAN, outcome.failure
        outputs = [
            o for cell in cache.merge(machine.folder / "a.ipynb").cells for o in cell.outputs
        ]
        return "".join(str(o.get("text", "")) for o in outputs), progress.warnings

    def count_calls(self, machines: Machines) -> int:
        path = machines.remote.parent / "calls.txt"
        return len(path.read_text()) if path.exists() else 0

    def test_another_machine_does_not_compute(self, machines: Machines) -> None:
        assert self.build(machines.make("one"), "print(double(3))") == ("[3, 3]\n", [])
        # Another last cell: the notebook runs, and what it memoized is there.
        found = self.build(machines.make("two"), "print(double(3))", "print('more')")
        assert found == ("[3, 3]\nmore\n", [])
        assert self.count_calls(machines) == 1

    def test_keys_are_handed_over_and_do_not_show(
        self, machines: Machines, variables: pytest.MonkeyPatch
    ) -> None:
        variables.setenv("NBCACHE_SIGNING_KEY", KEY)
        show = "import os\nprint(sorted(os.environ.items()))\n!env"
        text, warnings = self.build(machines.make("one"), "make_special(3)", show)
        assert (KEY in text, warnings) == (False, [])
        assert self.build(machines.make("two"), "make_special(3)", "1")[1] == []
        assert self.count_calls(machines) == 1

    @pytest.mark.parametrize(
        ("age", "keys"), [("0.001", {}), ("3600", {"NBCACHE_SIGNING_KEY": KEY})]
    )
    def test_what_is_computed_as_the_remote_does_not_do_takes_its_place(
        self, machines: Machines, variables: pytest.MonkeyPatch, age: str, keys: dict[str, str]
    ) -> None:
        code = "@memo(always=True, max_age=AGE)\ndef f():\n    note('f')\nf()".replace("AGE", age)
        self.build(machines.make("one"), code)
        (path,) = machines.remote.glob("memos/*/*/*.json")
        before = path.read_bytes()
        for name, value in keys.items():
            variables.setenv(name, value)
        self.build(machines.make("two"), code, "1")
        assert self.count_calls(machines) == 2
        assert path.read_bytes() != before

    def test_an_address_with_a_password_does_not_show(
        self, machines: Machines, variables: pytest.MonkeyPatch
    ) -> None:
        variables.setenv("NBCACHE_REMOTE", f"{machines.remote.as_uri()}?token=pass-word")
        text, warnings = self.build(machines.make("one"), "double(3)\n!env")
        assert ("pass-word" in text, "NBCACHE_MEMO_REMOTE" in text, warnings) == (False, True, [])

    def test_who_was_handed_no_keys_stores_nothing(
        self, machines: Machines, variables: pytest.MonkeyPatch
    ) -> None:
        variables.setenv("NBCACHE_SIGNING_KEY", KEY)
        one = machines.make("one")
        code = "import subprocess, sys\ncode = 'from work import *; double(3)'\n"
        code += "print(subprocess.run([sys.executable, '-c', code], capture_output=True).stderr)"
        text, ((topic, message),) = self.build(one, code)
        assert (text, topic) == ("b''\n", Topic.STORE)
        assert "was not handed the keys" in message
        assert not list((one.folder / ".nbcache/memos").rglob("*.json"))

    def test_what_is_wrong_there_the_build_tells_and_no_page(self, machines: Machines) -> None:
        self.build(machines.make("one"), "make_special(3)")
        text, warnings = self.build(machines.make("two"), "make_special(3)", "1")
        ((topic, message),) = warnings
        assert (text, topic) == ("", Topic.REMOTE)
        assert "have to be unpickled are not used" in message
