"""A notebook runs again when something that it read has changed, and only then.

The tree holds one notebook for each way to read; what each depends on stands in ``DEPENDS``.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from sphinx_nbcache.config import Config
from sphinx_nbcache.model import InputKind, Report, Status
from sphinx_nbcache.pipeline import NotebookCache, Project, Source, build
from sphinx_nbcache.pipeline.documentation import Pages
from sphinx_nbcache.pipeline.files import FileReading
from sphinx_nbcache.pipeline.progress import Silence
from sphinx_nbcache.testing import write_notebook
from tests.conftest import wait_until

# The tree is built once, in one worker.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("inputs")]

CODE = {
    "csv_": "import csv\nprint(list(csv.reader(open('../data/table.csv'))))",
    "json_": "import json\nprint(json.load(open({root!r} + '/data/settings.json')))",
    "pickle_": "import pickle\nprint(pickle.load(open('../data/model.pickle', 'rb')))",
    "npz": "import numpy\nprint(numpy.load('../data/arrays.npz')['x'])",
    "sqlite": "import sqlite3\nbase = sqlite3.connect('../data/base.sqlite')\n"
    "print(base.execute('select * from t').fetchall())",
    "sqlite_ro": "import sqlite3\nbase = sqlite3.connect('file:../data/base.sqlite?mode=ro', "
    "uri=True)\nprint(base.execute('select * from t').fetchone())",
    "text": "from pathlib import Path\nprint(Path('../data/notes.txt').read_text())",
    "two": "print(open('../data/notes.txt').read(), open('../data/table.csv').read())",
    "package": "import nested\nprint(nested.VALUE)",
    "leaf": "from flat.leaf import VALUE\nprint(VALUE)",
    "late": "def use():\n    from nested.outer import VALUE\n    return VALUE\n\nuse()",
    "run": "%run scripts/run_me.py",
    "exec_": "exec(open('scripts/exec_me.py').read())",
    "added_path": "import sys\nsys.path.insert(0, '../extra')\nimport added\nprint(added.VALUE)",
    "by_name": "import importlib\nprint(importlib.import_module('plug' + 'in').VALUE)",
    "glob_": "import glob\nfor name in sorted(glob.glob('../globbed/*.txt')):\n"
    "    print(open(name).read())",
    "listdir": "import os\nprint(sorted(os.listdir('../listed')))",
    "walk": "import os\nfor folder, _, names in os.walk('../walked'):\n    for name in names:\n"
    "        print(open(os.path.join(folder, name)).read())",
    "rglob": "from pathlib import Path\nprint(sorted(Path('../walked').rglob('*.txt')))",
    "optional": "try:\n    print(open('../optional.txt').read())\n"
    "except FileNotFoundError:\n    print('not there')",
    "nothing": "print(1)",
}
_NESTED = {"docs/nested/__init__.py", "docs/nested/outer.py", "docs/nested/inner.py"}
_WALKED = {"walked/x/one.txt", "walked/y/two.txt"}
DEPENDS = {
    "csv_": {"data/table.csv"},
    "json_": {"data/settings.json"},
    "pickle_": {"data/model.pickle"},
    "npz": {"data/arrays.npz"},
    "sqlite": {"data/base.sqlite"},
    "sqlite_ro": {"data/base.sqlite"},
    "text": {"data/notes.txt"},
    "two": {"data/notes.txt", "data/table.csv"},
    "package": _NESTED,
    "leaf": {"docs/flat/__init__.py", "docs/flat/leaf.py"},
    "late": _NESTED,
    "run": {"docs/scripts/run_me.py"},
    "exec_": {"docs/scripts/exec_me.py"},
    "added_path": {"extra/added.py"},
    "by_name": {"docs/plugin.py"},
    "glob_": {"globbed/a.txt", "globbed/b.txt", "globbed/*.txt"},
    "listdir": {"listed/*.txt"},
    "walk": {*_WALKED, "walked/x/*.txt", "walked/y/*.txt", "walked/new/*.txt"},
    "rglob": {"walked/x/*.txt", "walked/y/*.txt", "walked/new/*.txt"},
    "optional": {"optional.txt"},
    "nothing": set(),
}
"""Notebook to all that it depends on; a pattern stands for the names of files."""
UNREAD = {"docs/flat/other.py", "listed/a.txt", "data/unread.csv", "docs/scripts/unread.py"}


class Tree:
    """A project with a notebook for each way to read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        _write_files(root)
        for name, code in CODE.items():
            text = code.replace("{root!r}", repr(str(root)))
            write_notebook(root / "docs" / f"{name}.ipynb", text)

    def run(self) -> set[str]:
        """Execute what is stale; return the names of those that ran."""
        report = NotebookCache(project=self.root).execute([self.root])
        assert report.failures == ()
        return {Path(outcome.name).stem for outcome in report.outcomes if outcome.status == "ran"}

    def change(self, name: str) -> Callable[[], None]:
        """Change the content of a file, or add one; return what undoes that."""
        path = self.root / name.replace("*", "added")
        if not path.exists():
            is_new = not path.parent.exists()
            path.parent.mkdir(exist_ok=True)
            path.write_text("new")
            return lambda: shutil.rmtree(path.parent) if is_new else path.unlink()
        before = path.read_bytes()
        path.write_bytes(_edit(path.suffix, path))
        assert path.read_bytes() != before
        return lambda: _write(path, before)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _write_files(root: Path) -> None:
    (root / "pyproject.toml").touch()
    package = "from .outer import VALUE\n"
    texts = {
        "data/table.csv": "a,b\n1,2\n",
        "data/unread.csv": "a,b\n1,2\n",
        "data/settings.json": json.dumps({"a": 1}),
        "data/notes.txt": "notes",
        "docs/nested/__init__.py": package,
        "docs/nested/outer.py": "from nested.inner import VALUE\n",
        "docs/nested/inner.py": "VALUE = 1\n",
        "docs/flat/__init__.py": "",
        "docs/flat/leaf.py": "VALUE = 1\n",
        "docs/flat/other.py": "VALUE = 1\n",
        "docs/plugin.py": "VALUE = 1\n",
        "docs/scripts/run_me.py": "print('run')\n",
        "docs/scripts/exec_me.py": "print('exec')\n",
        "docs/scripts/unread.py": "print('unread')\n",
        "extra/added.py": "VALUE = 1\n",
        **dict.fromkeys(("globbed/a.txt", "globbed/b.txt", "listed/a.txt", *_WALKED), "some"),
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "data/model.pickle").write_bytes(pickle.dumps([1, 2]))
    np.savez(root / "data/arrays.npz", x=np.arange(3))
    _execute(root / "data/base.sqlite", "create table t (a)", "insert into t values (1)")


def _execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as base, base:
        for statement in statements:
            base.execute(statement)


def _edit(suffix: str, path: Path) -> bytes:
    """Return another sound content of a file."""
    if suffix == ".sqlite":
        _execute(path, "insert into t values (2)")
        return path.read_bytes()
    if suffix == ".npz":
        np.savez(path, x=np.arange(4))
        return path.read_bytes()
    if suffix == ".pickle":
        return pickle.dumps([1, 2, 3])
    return path.read_bytes() + b"\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return the tree."""
    return Tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def tree(files: Tree, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Return the tree after a build; Python keeps bytecode, as it does."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    files.run()
    return files


def list_inputs() -> list[str]:
    """Return all that a notebook of the tree reads."""
    return sorted(set().union(*DEPENDS.values()))


@pytest.mark.parametrize("name", list_inputs())
def test_a_change_runs_those_that_depend_on_it_and_back_again_none(tree: Tree, name: str) -> None:
    undo = tree.change(name)
    assert tree.run() == {notebook for notebook in DEPENDS if name in DEPENDS[notebook]}
    assert tree.run() == set()
    undo()
    assert tree.run() == set()


def test_what_nobody_read_runs_none(tree: Tree) -> None:
    undo = [tree.change(name) for name in sorted(UNREAD)]
    assert tree.run() == set()
    for function in undo:
        function()


def test_new_times_run_none(tree: Tree) -> None:
    for path in tree.root.rglob("*"):
        if ".nbcache" not in path.parts:
            os.utime(path, (1_600_000_000, 1_600_000_000))
    assert tree.run() == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("globbed/b.txt", {"glob_"}), ("walked/x/one.txt", {"walk", "rglob"})],
)
def test_a_file_that_is_gone_runs_those_that_listed_it(
    tree: Tree, name: str, expected: set[str]
) -> None:
    data = (tree.root / name).read_bytes()
    (tree.root / name).unlink()
    assert tree.run() == expected
    (tree.root / name).write_bytes(data)
    assert tree.run() == set()


SHOW = "text = open('data.txt').read()\nprint(text)"


def execute(root: Path) -> Report:
    """Execute what is stale in a project."""
    return NotebookCache(project=root).execute([root])


def execute_one(root: Path) -> Status:
    """Execute the only notebook of a project, and return how it ended."""
    (outcome,) = execute(root).outcomes
    return outcome.status


def read_text(path: Path) -> str:
    """Return what the first cell of a notebook printed."""
    merged = NotebookCache(project=path.parent).merge(path)
    return str(merged.cells[0].outputs[0].text).strip()


RIVALS = {
    "package before module": ("import helper\nprint(helper.VALUE)", "helper/__init__.py"),
    "init of a namespace": ("import space.part\nprint('part')", "space/__init__.py"),
    "own folder first": (
        "import sys\nsys.path.append('lib')\nimport far\nprint(far.VALUE)",
        "far.py",
    ),
    "not found before": (
        "try:\n    from coming import VALUE\nexcept ImportError:\n    VALUE = 'none'\nprint(VALUE)",
        "coming.py",
    ),
}
"""Code, and a module that the same code finds as soon as it is there."""


@pytest.mark.parametrize("kind", sorted(RIVALS))
def test_a_module_that_stands_in_for_another_one_runs_those_that_import_it(
    project_folder: Path, kind: str
) -> None:
    code, new = RIVALS[kind]
    for name in ("helper.py", "space/part.py", "lib/far.py"):
        (project_folder / name).parent.mkdir(exist_ok=True)
        (project_folder / name).write_text("VALUE = 'first'\n")
    path = write_notebook(project_folder / "a.ipynb", code)
    assert execute_one(project_folder) is Status.RAN
    (project_folder / new).parent.mkdir(exist_ok=True)
    (project_folder / new).write_text("VALUE = 'second'\nprint('imported')\n")
    assert execute_one(project_folder) is Status.RAN
    assert "imported" in read_text(path)
    assert execute_one(project_folder) is Status.HIT


def test_a_package_that_the_kernel_itself_had_imported_counts_where_it_is_imported(
    project_folder: Path,
) -> None:
    write_notebook(project_folder / "a.ipynb", "import zmq")
    write_notebook(project_folder / "b.ipynb", "1")
    found = {outcome.name: outcome.inputs.items for outcome in execute(project_folder).outcomes}
    packages = {n: [i.name for i in found[n] if i.kind == InputKind.PACKAGE] for n in found}
    assert packages == {"a.ipynb": ["pyzmq"], "b.ipynb": []}


def test_an_artifact_is_known_after_the_index_was_lost(project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", SHOW + "\nopen('out.txt', 'w').write(text)")
    for text in ("one", "two"):
        (project_folder / "data.txt").write_text(text)
        execute_one(project_folder)
    for index in (project_folder / ".nbcache").glob("index.sqlite*"):
        index.unlink()
    (project_folder / "data.txt").write_text("one")
    assert execute_one(project_folder) is Status.HIT
    assert (project_folder / "out.txt").read_text() == "one"


@pytest.mark.parametrize("kind", ["file", "module"])
def test_what_changes_while_its_notebook_runs_makes_the_next_build_run_it(
    project_folder: Path, kind: str
) -> None:
    read, name = ("open('data.txt').read()", "data.txt")
    if kind == "module":
        read, name = ("__import__('helper').VALUE", "helper.py")
    (project_folder / name).write_text("VALUE = 'old'")
    edit = f"open({str(project_folder.parent / 'go')!r}, 'w').close()"
    wait = f"import os, time\nwhile not os.path.exists({str(project_folder.parent / 'gone')!r}):"
    wait += "\n    time.sleep(0.01)"
    path = write_notebook(project_folder / "a.ipynb", f"print({read})", edit, wait)
    editor = Thread(target=_edit_when, args=(project_folder, name))
    editor.start()
    assert execute_one(project_folder) is Status.RAN
    editor.join()
    assert execute_one(project_folder) is Status.RAN
    assert "newer" in read_text(path)
    assert execute_one(project_folder) is Status.HIT


def _edit_when(root: Path, name: str) -> None:
    """Change a file once a notebook says that it has read it, and let that go on."""
    assert wait_until((root.parent / "go").exists)
    (root / name).write_text("VALUE = 'newer'")
    (root.parent / "gone").touch()


def test_each_of_two_contents_has_its_own_outputs(project_folder: Path) -> None:
    path = write_notebook(project_folder / "a.ipynb", SHOW)
    found = []
    for text in ("one", "another", "one", "another"):
        (project_folder / "data.txt").write_text(text)
        found.append((str(execute_one(project_folder)), read_text(path)))
    assert found == [("ran", "one"), ("ran", "another"), ("hit", "one"), ("hit", "another")]


def test_as_many_answers_are_kept_as_the_option_says(project_folder: Path) -> None:
    path = write_notebook(project_folder / "a.ipynb", SHOW)
    project = Project.open(project_folder, Config(entries_per_key=2))
    found = []
    for text in ("one", "two", "three", "two", "one"):
        (project_folder / "data.txt").write_text(text)
        reading = FileReading(None, Pages(project, None), frozenset())
        (outcome,) = build(
            [Source("a.ipynb", path)],
            reading=reading,
            project=project,
            rerun={},
            progress=Silence(),
        ).outcomes
        found.append(str(outcome.status))
    assert found == ["ran", "ran", "ran", "hit", "ran"]
    assert len(list((project.store.path / "entries").glob("*/*/*.json"))) == 2
