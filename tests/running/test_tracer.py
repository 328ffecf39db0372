"""The tracer alone, in plain Python without a kernel."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sqlite3
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.running.observation import _install
from sphinx_nbcache.running.servers import SCRIPT
from tests.conftest import RunPython

PATTERNS = ("fork_*.py", "interpreter.py", "tracer*.py")
SHIPPED = sorted(path for pattern in PATTERNS for path in SCRIPT.parent.glob(pattern))
BEGIN = f"""
{_install()}
import sys
sys.audit("sphinx_nbcache.start")
"""
END = "\n__import__('sys').audit('sphinx_nbcache.report', {!r})"


@pytest.mark.parametrize("script", SHIPPED, ids=lambda path: path.stem)
def test_what_runs_in_other_interpreters_is_python_3_8(script: Path) -> None:
    tree = ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 8))
    assert ast.get_docstring(tree)


@pytest.fixture
def trace(run_python: RunPython, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs code under the tracer and returns its report."""
    monkeypatch.chdir(tmp_path)

    def run(code: str) -> Any:
        done = run_python(BEGIN + code + END.format(str(tmp_path / "report.json")))
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        report = json.loads((tmp_path / "report.json").read_text())
        names = ("reads", "writes", "listings")
        return {**report, **{name: _cut(report[name], f"{tmp_path}/") for name in names}}

    return run


def _cut(items: list[Any], folder: str) -> list[Any]:
    """Return paths relative to the folder of the test."""
    text = json.dumps(items).replace(json.dumps(folder)[1:-1], "")
    found: list[Any] = json.loads(text)
    return found


def test_nothing_is_seen_of_what_happens_before_it_is_told_to_begin(trace: Any) -> None:
    assert trace("")["reads"] == trace("")["writes"] == trace("")["notes"] == []


def test_modules_are_as_they_would_be_without_it(run_python: RunPython, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    work = f"import os\nopen({str(tmp_path / 'old')!r}, 'a').close()\n"
    look = f"import __future__, sys\n{work}print(sorted(sys.modules))"
    assert run_python(BEGIN + look).stdout == run_python(look).stdout


def test_a_path_object_is_asked_for_its_path(trace: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    code = (
        "import io, os\nclass P:\n    def __fspath__(self):\n        return 'a'\n"
        "io.FileIO(P())\nos.close(os.open(P(), os.O_RDONLY))"
    )
    assert [read[0] for read in trace(code)["reads"]] == ["a"]


def test_devices_folders_and_descriptors_are_no_files(trace: Any) -> None:
    code = (
        "import os, tempfile\nopen('/dev/null').close()\nopen('/dev/null', 'w').close()\n"
        "os.close(os.open('.', os.O_RDONLY))\nos.listdir(os.open('.', os.O_RDONLY))\n"
        "tempfile.TemporaryFile(dir='.').close()\n"
        "try:\n    open('.')\nexcept OSError:\n    pass"
    )
    found = trace(code)
    assert found["reads"] == []
    assert not [name for name in found["writes"] if name.startswith("/dev")]


def test_links_are_written_and_what_they_lead_to_is_read(trace: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    code = "import os\nos.symlink('a', 'b')\nos.link('a', 'c')\nopen('b').read(), open('c').read()"
    found = trace(code)
    assert [read[0] for read in found["reads"]] == ["a"]
    assert found["writes"] == ["b", "c"]


def test_what_is_renamed_was_read(trace: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    ((name, _, digest),) = trace("import os\nos.rename('a', 'b')\nopen('b').read()")["reads"]
    assert (name, bool(digest)) == ("a", True)


@pytest.mark.skipif(sys.platform == "win32", reason="an alarm is POSIX's")
def test_errors_of_signal_handlers_reach_the_program(trace: Any) -> None:
    """They may be raised while the hook runs, and are not the hook's."""
    code = """
import itertools, signal
class Late(Exception): pass
def ring(*_): raise Late
signal.signal(signal.SIGALRM, ring)
caught = 0
for _ in range(100):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        for number in itertools.count():
            try:
                open("gone-%d" % number)
            except OSError:
                pass
    except Late:
        caught += 1
assert caught == 100, caught
"""
    assert trace(code)["writes"] == []


def test_an_interrupt_is_not_swallowed(trace: Any) -> None:
    code = """
import _thread, time
for _ in range(50):
    try:
        _thread.interrupt_main()
        while True:
            try:
                open("gone")
            except OSError:
                pass
    except KeyboardInterrupt:
        pass
"""
    assert [read[:2] for read in trace(code)["reads"]] in ([["gone", None]], [])


def test_too_deep_a_recursion_is_the_programs_own(trace: Any) -> None:
    code = (
        "def fall():\n    try:\n        open('gone')\n    except OSError:\n        fall()\n"
        "try:\n    fall()\nexcept RecursionError:\n    print('fallen')\nopen('later', 'w').close()"
    )
    assert trace(code)["writes"] == ["later"]


def test_paths_that_cannot_be_are_left_to_the_program(trace: Any) -> None:
    code = (
        "for path in ('a\\0b', b'\\xff', 'x' * 5000, '\\udc80'):\n"
        "    try:\n        open(path)\n    except (ValueError, OSError):\n        pass\n"
        "open('w', 'w').close()"
    )
    assert trace(code)["writes"] == ["w"]


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_children_of_multiprocessing_report_nothing(trace: Any) -> None:
    code = (
        "import multiprocessing, os\n"
        "def work():\n    open('gone', 'w').close()\n"
        "    sys.audit('sphinx_nbcache.report', 'child.json')\n"
        "    assert not os.path.exists('child.json')\n"
        "p = multiprocessing.get_context('fork').Process(target=work)\n"
        "p.start(); p.join()\nassert p.exitcode == 0, p.exitcode"
    )
    found = trace(code)
    assert found["notes"] == ["processes"]
    assert "gone" not in found["writes"]


class TestAttempts:
    """The event comes before the operation, which may fail or change nothing."""

    @pytest.mark.parametrize(
        ("attempts", "is_read"),
        [
            (["open('a', 'x')"], False),
            (["open('a', 'x')", "open('a').read()"], True),
            (["open('a', 'x')", "open('a', 'r+')"], True),
            (["os.link('b', 'a')"], False),
            (["os.remove('gone')"], False),
            (["open('a', 'r+').close()"], True),
            (["open('a', 'a').close()"], False),
            (["open('a', 'a+').close()"], True),
            (["os.rename('a', 'gone/a')"], True),
        ],
    )
    def test_that_change_nothing_are_no_writes(
        self, attempts: list[str], is_read: bool, trace: Any, tmp_path: Path
    ) -> None:
        (tmp_path / "a").write_text("a")
        (tmp_path / "b").mkdir()
        code = [f"try:\n    {attempt}\nexcept OSError:\n    pass\n" for attempt in attempts]
        found = trace("import os\n" + "".join(code))
        status = (tmp_path / "a").stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        assert found["writes"] == []
        assert found["reads"] == ([["a", stamp, None]] if is_read else [])

    def test_that_fail_do_not_hide_a_later_change(self, trace: Any, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("a")
        code = "try:\n    open('a', 'x')\nexcept OSError:\n    open('a').read()\n"
        found = trace(code + "open('a', 'w').write('b')")
        ((name, _, digest),) = found["reads"]
        assert (name, digest) == ("a", hashlib.sha256(b"a").hexdigest())
        assert found["writes"] == ["a"]

    def test_that_are_undone_are_writes(self, trace: Any) -> None:
        code = "import os\nopen('a', 'w').close()\nos.remove('a')\n"
        found = trace(code + "try:\n    open('a')\nexcept OSError:\n    pass")
        assert (found["reads"], found["writes"]) == ([], ["a"])

    def test_that_set_the_time_back_are_writes(self, trace: Any, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / name).write_text(name)
            os.utime(tmp_path / name, (1, 1))
        assert trace("import shutil\nshutil.copy2('a', 'b')")["writes"] == ["b"]

    @pytest.mark.parametrize("size", [0, 17 << 20])
    def test_to_query_a_database_change_nothing(
        self, size: int, trace: Any, tmp_path: Path
    ) -> None:
        with sqlite3.connect(tmp_path / "a") as connection:
            connection.execute("create table t (x)")
            connection.execute("insert into t values (zeroblob(?))", (size,))
        connection.close()
        code = "import sqlite3\nc = sqlite3.connect('a')\nc.execute('select 1 from t').fetchall()\n"
        found = trace(code)
        assert [read[::2] for read in found["reads"]] == [["a", None]]
        assert found["writes"] == []
        found = trace(code + "c.execute('delete from t')\nc.commit()")
        assert [bool(read[2]) for read in found["reads"]] == [size == 0]
        assert found["writes"] == ["a"]


def test_a_folder_that_is_gone_does_no_harm(trace: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    code = (
        "import os, tempfile\nopen('a').close()\nwith tempfile.TemporaryDirectory() as folder:\n"
        "    os.chdir(folder)\ntry:\n    open('b')\nexcept OSError:\n    pass"
    )
    assert [read[:1] for read in trace(code)["reads"]][:1] == [["a"]]
    assert trace(code.replace("open('a').close()", ""))["interpreter"]


def test_modules_have_the_stamp_of_their_source_when_it_was_loaded(
    trace: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    helper = tmp_path / "helper.py"
    helper.write_text("")
    status = helper.stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
    change = "import helper\nopen('helper.py', 'a').write('#')"
    for code in ("import helper", "import helper", change):
        found = [[name, file, stamp] for name, file, _, stamp in trace(code)["modules"]]
        assert ["helper", str(helper), stamp] in found
    assert list((tmp_path / "__pycache__").iterdir())


def test_modules_of_an_archive_have_its_name_and_stamp(trace: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lib.zip", "w") as file:
        file.writestr("one.py", "import two")
        file.writestr("two.py", "")
    path, status = str(tmp_path / "lib.zip"), (tmp_path / "lib.zip").stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
    found = trace("import sys\nsys.path.insert(0, 'lib.zip')\nimport one")["modules"]
    assert ["one", path, stamp] in [[name, file, stamp] for name, file, _, stamp in found]
    assert ["two", path, path, stamp] in found


def test_the_version_is_that_of_the_script_that_asks_interpreters(trace: Any) -> None:
    version = "3.14.0rc1+"
    found = trace(f"sys.version = '{version} (main)'\nsys.version_info = (3, 14, 0)")
    assert found["interpreter"]["version"] == version


def test_a_folder_that_is_renamed_takes_along_what_is_in_it(trace: Any, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "read").write_text("r")
    code = (
        "import os, shutil\nopen('old/read').read()\nopen('old/made', 'w').close()\n"
        "os.rename('old', 'new')\nopen('new/made').read(), open('new/read').read()\n"
        "os.mkdir('more')\nshutil.move('new', 'more')\nopen('more/new/made').read()"
    )
    found = trace(code)
    ((name, _, digest),) = found["reads"]
    assert (name, digest) == ("old/read", hashlib.sha256(b"r").hexdigest())
    assert {"old/read", "more/new/made", "more/new/read"} <= set(found["writes"])


@pytest.mark.parametrize(
    ("module", "notes"),
    [
        ("multiprocessing, concurrent.futures.process", []),
        ("loky", []),
        ("multiprocessing.popen_spawn_posix", ["processes"]),
        ("multiprocessing.popen_forkserver", ["processes"]),
        ("loky.backend.popen_loky_posix", ["processes"]),
    ],
)
def test_processes_that_no_event_tells_of_are_noted(
    module: str, notes: list[str], trace: Any
) -> None:
    assert trace(f"import {module}")["notes"] == notes
