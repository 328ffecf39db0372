"""What a run is seen to read, write, list and import, in real kernels."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.model import Job, Observation, Read, Run, Status
from sphinx_nbcache.running import LocalExecutor
from sphinx_nbcache.testing import make_notebook
from tests.plain_nbclient import execute
from tests.running.conftest import ON_LINUX, RunCells, make_job

TABLE = "a,b\n1,2\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """Fill the notebook's folder, apart from what pytest keeps there itself."""
    (tmp_path / "data.csv").write_text(TABLE)
    (tmp_path / "data.json").write_text("{}")
    sub = tmp_path / "sub"
    sub.mkdir()
    (sub / "one.txt").write_text("one")
    (sub / "two.txt").write_text("two")
    return tmp_path


def see(run: Run) -> Observation:
    """Return the observation of a run that must have gone well."""
    assert run.failure is None, run.failure and run.failure.describe()
    assert run.observation is not None
    return run.observation


def find_reads(run: Run) -> dict[str, Read]:
    """Return what was read in the notebook's folder, by its name there."""
    folder = run.job.working_directory
    assert folder is not None
    return {
        Path(read.path).relative_to(folder).as_posix(): read
        for read in see(run).reads
        if Path(read.path).is_relative_to(folder)
    }


def find_writes(run: Run) -> set[str]:
    """Return what was written in the notebook's folder, by its name there."""
    folder = run.job.working_directory
    assert folder is not None
    paths = [Path(path) for path in see(run).writes]
    return {p.relative_to(folder).as_posix() for p in paths if p.is_relative_to(folder)}


def find_modules(run: Run) -> dict[str, tuple[str, str]]:
    """Return the modules whose source is in the notebook's folder: their file and importer."""
    folder = str(run.job.working_directory)
    return {
        module.name: (
            module.file.removeprefix(f"{folder}/"),
            module.importer.removeprefix(f"{folder}/"),
        )
        for module in see(run).modules
        if module.file.startswith(folder)
    }


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "code",
    [
        "open('data.csv').read()",
        "open(b'data.csv', 'rb').read()",
        "from pathlib import Path; Path('sub/../data.csv').read_text()",
        "import os; os.close(os.open('data.csv', os.O_RDONLY))",
        "import io; io.FileIO('data.csv').read()",
        "import pandas; pandas.read_csv('data.csv')",
        "import numpy; numpy.loadtxt('data.csv', delimiter=',', skiprows=1)",
        "import shutil; shutil.copy('data.csv', 'copy.csv')",
        "import mmap\nwith open('data.csv', 'rb') as file:\n"
        "    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)",
        "import threading\nthread = threading.Thread(target=lambda: open('data.csv').read())\n"
        "thread.start()\nthread.join()",
    ],
)
def test_a_file_that_is_read_is_seen_as_it_looked(
    code: str, run_cells: RunCells, folder: Path
) -> None:
    status = (folder / "data.csv").stat()
    stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
    assert find_reads(run_cells(code)) == {"data.csv": Read(str(folder / "data.csv"), stamp)}


def test_a_notebook_that_does_nothing_is_seen_to_do_nothing(run_cells: RunCells) -> None:
    seen = see(run_cells("1 + 1", "print(2)", "x = 3\nx"))
    assert (seen.reads, seen.writes, seen.listings, seen.notes) == ((), (), (), ())
    assert seen.interpreter.implementation == sys.implementation.name
    assert seen.interpreter.version == sys.version.split()[0]
    assert sys.prefix in seen.interpreter.prefixes
    assert str(Path(json.__file__).parent.parent) in seen.interpreter.library_folders
    assert str(Path(pytest.__file__).parent.parent) in seen.interpreter.site_folders


def test_what_is_not_there_is_read_as_missing(run_cells: RunCells, folder: Path) -> None:
    code = "try:\n    open('gone/nothing.txt')\nexcept OSError:\n    pass"
    path = folder / "gone" / "nothing.txt"
    assert find_reads(run_cells(code)) == {"gone/nothing.txt": Read(str(path), None)}


def test_what_the_notebook_wrote_before_is_not_read(run_cells: RunCells) -> None:
    run = run_cells(
        "import os, shutil\n"
        "open('new.txt', 'w').write('x'); open('new.txt').read()\n"
        "open('data.csv', 'w').write('x'); open('data.csv').read()\n"
        "open('made.txt', 'x').close(); os.rename('made.txt', 'moved.txt')\n"
        "open('moved.txt').read()"
    )
    assert find_reads(run) == {}
    assert find_writes(run) == {"new.txt", "data.csv", "made.txt", "moved.txt"}


@pytest.mark.parametrize(
    "change",
    [
        "open('data.csv', 'w').write('x')",
        "open('data.csv', 'a').write('x')",
        "import os; os.remove('data.csv')",
        "import os; os.truncate('data.csv', 1)",
        "import os; open('x', 'w').close(); os.replace('x', 'data.csv')",
        "import os; os.close(os.open('data.csv', os.O_WRONLY | os.O_TRUNC))",
    ],
)
def test_what_was_read_and_is_changed_has_the_digest_of_what_it_was(
    change: str, run_cells: RunCells
) -> None:
    run = run_cells("open('data.csv').read()", change)
    read = find_reads(run)["data.csv"]
    assert read.stamp is not None
    assert (read.stamp[0], read.digest) == (len(TABLE), digest(TABLE))
    assert "data.csv" in find_writes(run)


def test_what_is_only_added_to_as_logs_are_is_not_read(run_cells: RunCells) -> None:
    run = run_cells("open('data.csv', 'a').write('x')", "open('data.csv').read()")
    assert (find_reads(run), find_writes(run)) == ({}, {"data.csv"})


@pytest.mark.parametrize("mode", ["a+", "r+", "rb+"])
def test_what_is_changed_in_place_counts_as_read_and_written(
    mode: str, run_cells: RunCells
) -> None:
    text = b"x" if "b" in mode else "x"
    run = run_cells(f"open('data.csv', {mode!r}).write({text!r})\nopen('data.csv').read()")
    assert find_reads(run)["data.csv"].digest == digest(TABLE)
    assert find_writes(run) == {"data.csv"}


def test_a_database_is_read_and_perhaps_written(run_cells: RunCells, folder: Path) -> None:
    for name in ("old.db", "plain.db"):
        with sqlite3.connect(folder / name) as connection:
            connection.execute("create table t (x)")
        connection.close()
    before = (folder / "old.db").read_bytes()
    run = run_cells(
        "import sqlite3\nwith sqlite3.connect('old.db') as c:\n"
        "    c.execute('insert into t values (1)')",
        "sqlite3.connect('file:plain.db?mode=ro', uri=True)\nsqlite3.connect('new.db')\n"
        "sqlite3.connect(':memory:')",
    )
    reads = find_reads(run)
    assert reads.keys() == {"old.db", "plain.db"}
    assert reads["old.db"].digest == hashlib.sha256(before).hexdigest()
    assert find_writes(run) == {"old.db", "new.db"}


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.listdir('sub')",
        "import os; list(os.walk('sub'))",
        "import glob; glob.glob('sub/*.txt')",
        "from pathlib import Path; list(Path('sub').iterdir())",
        "from pathlib import Path; sorted(Path('sub').glob('*'))",
        "import os; os.chdir('sub'); os.listdir()",
    ],
)
def test_a_folder_that_is_listed_is_seen_with_its_names(
    code: str, run_cells: RunCells, folder: Path
) -> None:
    listings = {item.path: item.names for item in see(run_cells(code)).listings}
    assert listings[str(folder / "sub")] == ("one.txt", "two.txt")


def test_a_folder_that_is_not_there_is_listed_without_names(
    run_cells: RunCells, folder: Path
) -> None:
    code = "import os\ntry:\n    os.listdir('gone')\nexcept OSError:\n    pass"
    listings = {item.path: item.names for item in see(run_cells(code)).listings}
    assert listings == {str(folder / "gone"): None}


def test_imports_do_not_list_folders(run_cells: RunCells) -> None:
    code = "import wave, importlib.metadata\nimportlib.metadata.version('ipykernel')"
    seen = see(run_cells(code, "import inspect\ninspect.getsource(wave)"))
    assert seen.listings == ()


def test_copying_a_folder_lists_and_reads_it(run_cells: RunCells, folder: Path) -> None:
    run = run_cells("import shutil\nshutil.copytree('sub', 'copy')")
    assert str(folder / "sub") in {item.path for item in see(run).listings}
    assert find_reads(run).keys() == {"sub/one.txt", "sub/two.txt"}


def test_emptying_a_folder_does_not_list_it(run_cells: RunCells) -> None:
    run = run_cells("import shutil\nshutil.rmtree('sub')")
    assert see(run).listings == ()
    assert find_reads(run) == {}
    assert find_writes(run) == {"sub/one.txt", "sub/two.txt"}


def test_a_relative_path_means_what_it_means_at_that_moment(run_cells: RunCells) -> None:
    run = run_cells("open('data.csv')\nimport os", "os.chdir('sub')\nopen('one.txt')",
                    "%cd ..\nopen('data.json')")  # fmt: skip
    assert find_reads(run).keys() == {"data.csv", "sub/one.txt", "data.json"}


class TestModules:
    """What is imported."""

    def test_are_seen_with_their_source_and_their_importer(
        self, run_cells: RunCells, folder: Path
    ) -> None:
        package = folder / "package"
        package.mkdir()
        (package / "__init__.py").write_text("from package import first\n")
        (package / "first.py").write_text(
            "def get():\n    from . import second\n    import beside\n"
        )
        (package / "second.py").write_text("import wave")
        (folder / "beside.py").write_text("")
        run = run_cells("import package", "package.first.get()")
        assert find_modules(run) == {
            "package": ("package/__init__.py", ""),
            "package.first": ("package/first.py", "package/__init__.py"),
            "package.second": ("package/second.py", "package/first.py"),
            "beside": ("beside.py", "package/first.py"),
        }
        assert find_reads(run) == {}
        wave = next(module for module in see(run).modules if module.name == "wave")
        assert wave.importer == str(package / "second.py")

    def test_have_the_stamp_of_their_source(self, run_cells: RunCells, folder: Path) -> None:
        (folder / "helper.py").write_text("x = 1")
        status = (folder / "helper.py").stat()
        stamps = {module.name: module.stamp for module in see(run_cells("import helper")).modules}
        assert stamps["helper"] == (status.st_size, status.st_mtime_ns, status.st_ino)

    def test_are_seen_by_their_source_where_there_is_bytecode(
        self, run_cells: RunCells, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
        (folder / "helper.py").write_text("")
        for _ in range(2):
            run = run_cells("import helper")
            assert find_modules(run) == {"helper": ("helper.py", "")}
            assert (find_reads(run), find_writes(run)) == ({}, set())
        assert list((folder / "__pycache__").iterdir())

    @pytest.mark.parametrize(
        "code",
        [
            "import importlib; importlib.import_module('helper')",
            "import sys; sys.path.insert(0, 'sub'); import helper",
            "import helper, sys; del sys.modules['helper']",
            "import importlib.util as u\n"
            "spec = u.spec_from_file_location('helper', 'sub/helper.py')\n"
            "spec.loader.exec_module(u.module_from_spec(spec))",
        ],
    )
    def test_are_seen_however_they_come_and_go(
        self, code: str, run_cells: RunCells, folder: Path
    ) -> None:
        place = "sub/helper.py" if "sub" in code else "helper.py"
        (folder / place).write_text("")
        run = run_cells(code)
        assert find_modules(run) == {"helper": (place, "")}
        assert find_reads(run) == {}

    @pytest.mark.parametrize(
        "code",
        [
            "%run helper.py",
            "exec(open('helper.py').read())",
            "import runpy; runpy.run_path('helper.py')",
        ],
    )
    def test_are_not_what_is_run_as_a_script(
        self, code: str, run_cells: RunCells, folder: Path
    ) -> None:
        (folder / "helper.py").write_text("")
        run = run_cells(code)
        assert find_reads(run).keys() == {"helper.py"}
        assert find_modules(run) == {}

    def test_that_are_odd_do_no_harm(self, run_cells: RunCells) -> None:
        run = run_cells(
            "import sys\n"
            "class Odd:\n    def __getattribute__(self, name):\n        raise ValueError(name)\n"
            "sys.modules.update(odd=Odd(), none=None, number=7)\nopen('data.csv').close()"
        )
        assert find_reads(run).keys() == {"data.csv"}


@ON_LINUX
class TestPreloaded:
    """Kernels whose fork server has imported libraries."""

    MODULES = ("numpy", "pandas")

    def run(self, folder: Path, *cells: str, modules: tuple[str, ...] = MODULES) -> Run:
        job = make_job(make_notebook(*cells), folder)

        def choose(job: Job) -> tuple[str, ...]:
            return modules

        with LocalExecutor(1, choose_modules=choose) as executor:
            result = executor.submit(job).result(90)
            assert not executor.notices
        return result

    @pytest.mark.parametrize(
        ("code", "imported"),
        [
            ("1", set()),
            ("import numpy.linalg", {"numpy"}),
            ("import importlib.util\nimportlib.util.find_spec('pandas')", set()),
            ("from pandas import DataFrame", {"numpy", "pandas"}),
            ("import helper", {"numpy"}),
            ("import sys\nassert 'numpy' not in sys.modules", set()),
        ],
    )
    def test_count_what_the_notebook_imports_itself(
        self, code: str, imported: set[str], folder: Path
    ) -> None:
        (folder / "helper.py").write_text("import numpy")
        run = self.run(folder, code)
        names = {module.name.partition(".")[0] for module in see(run).modules}
        assert names & set(self.MODULES) == imported
        assert set(run.modules or ()) == imported

    @pytest.mark.parametrize(
        ("code", "text"),
        [
            ("import thing\nprint(thing.place)", "installed"),
            ("import needs_thing\nprint(needs_thing.place)", "installed"),
            (
                "import sys\nsys.path.insert(0, 'other')\n"
                "import needs_thing\nprint(needs_thing.place)",
                "other",
            ),
            ("import sys\nsys.modules['thing'] = 7\nimport thing\nprint(thing)", "7"),
            (
                "import threading\ndef work():\n    import needs_thing\n    needs_thing.place\n"
                "threads = [threading.Thread(target=work) for _ in range(8)]\n"
                "for t in threads: t.start()\nfor t in threads: t.join()\nprint('done')",
                "done",
            ),
        ],
    )
    def test_are_no_other_than_those_that_the_notebook_would_find(
        self, code: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in ("installed", "other"):
            (folder / place).mkdir()
            (folder / place / "thing.py").write_text(f"place = {place!r}")
        (folder / "installed" / "needs_thing.py").write_text("from thing import place")
        monkeypatch.setenv("PYTHONPATH", str(folder / "installed"))
        run = self.run(folder, code, modules=("needs_thing",))
        assert see(run)
        assert run.outputs.cells[0] is not None
        assert run.outputs.cells[0].outputs[0]["text"] == f"{text}\n"

    def test_say_which_file_imported_a_library(self, folder: Path) -> None:
        (folder / "helper.py").write_text("import numpy")
        modules = {module.name: module for module in see(self.run(folder, "import helper")).modules}
        assert modules["numpy"].importer == str(folder / "helper.py")
        assert Path(modules["numpy"].file).name == "__init__.py"


class TestNotes:
    """What makes a run more than the files that it read."""

    CONNECT = "import socket\ns = socket.socket()\ns.settimeout(0.01)\ns.connect_ex(({!r}, 9))"

    @pytest.mark.parametrize(
        ("code", "notes"),
        [
            (CONNECT.format("192.0.2.1"), ("network",)),
            (CONNECT.format("127.0.0.1"), ()),
            ("import socket\nsocket.getaddrinfo('localhost', 80)", ()),
            ("!true", ("processes",)),
            ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])", ("processes",)),
        ],
    )
    def test_are_of_the_network_and_of_processes(
        self, code: str, notes: tuple[str, ...], run_cells: RunCells
    ) -> None:
        assert see(run_cells(code)).notes == notes

    @ON_LINUX
    def test_are_all_that_is_seen_of_a_forked_process(self, run_cells: RunCells) -> None:
        run = run_cells(
            "import os\npid = os.fork()\nif pid == 0:\n"
            "    open('data.csv')\n    os._exit(0)\nos.waitpid(pid, 0)[1]"
        )
        assert see(run).notes == ("processes",)
        assert find_reads(run) == {}


@pytest.mark.parametrize("allow_errors", [False, True])
def test_a_notebook_that_fails_is_observed_too(allow_errors: bool, run_cells: RunCells) -> None:
    run = run_cells("open('data.csv')\n1 / 0", allow_errors=allow_errors)
    assert run.observation is not None
    assert [Path(read.path).name for read in run.observation.reads] == ["data.csv"]
    assert run.modules == frozenset()


def test_a_kernel_that_died_was_not_observed(run_cells: RunCells) -> None:
    run = run_cells("import os; os._exit(1)")
    assert (run.status, run.observation, run.modules) == (Status.FAILED, None, None)


def test_a_notebook_that_breaks_what_is_needed_runs_as_ever(run_cells: RunCells) -> None:
    run = run_cells("import sys\nsys.audit = None\n1")
    assert (run.failure, run.observation) == (None, None)
    assert run.outputs.cells[0] is not None
    assert run.outputs.cells[0].outputs[0]["data"]["text/plain"] == "1"


LOOK = (
    "import sys, builtins\nprint(sorted(sys.modules))\nprint(sorted(vars(builtins)))",
    "print(sorted(globals()), sorted(locals()), len(In), len(Out))",
    "%who",
    "print([_, __, _i, _ii], get_ipython().execution_count, sorted(get_ipython().user_ns_hidden))",
    "print([name for name in sys.modules if 'nbcache' in name or 'trace' in name])\n7",
    "_, Out",
)


def test_nothing_of_it_shows_in_the_notebook(run_cells: RunCells, folder: Path) -> None:
    """What the same kernel shows when a plain nbclient runs the notebook."""
    import nbformat
    from nbclient import NotebookClient

    run = run_cells(*LOOK)
    plain: Any = nbformat.from_dict(
        {"cells": [{"cell_type": "code", "source": source, "metadata": {}, "outputs": [],
                    "execution_count": None} for source in LOOK],
         "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    )  # fmt: skip
    resources = {"metadata": {"path": folder}}
    execute(NotebookClient(plain, kernel_name="python3", resources=resources))
    for cell, expected in zip(run.outputs.cells, plain.cells, strict=True):
        assert cell is not None
        assert cell.execution_count == expected.execution_count
        assert [dict(output) for output in cell.outputs] == expected.outputs
