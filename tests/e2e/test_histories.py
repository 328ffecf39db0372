"""Whatever happened to a project before, its notebooks show what a build from nothing gives."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import write_notebook

pytestmark = pytest.mark.slow  # builds some hundred times

COMMON = (
    "print(open('data/x.txt').read())",
    "print(open('data/y.txt').read())",
    "import helper\nprint(helper.VALUE)",
    "import glob\nprint(sorted(glob.glob('data/*.txt')))",
    "import toy\nprint(toy.VALUE)",
    "import os\nprint('z.txt' in os.listdir('data') and open('data/z.txt').read())",
    "try:\n    print(open('data/z.txt').read())\nexcept FileNotFoundError:\n    print('no z')",
    "value = 1",
    "value = 2",
    "print('value' in dir() and value)",
)
"""No cell only asks whether a file exists: nobody sees that."""
READ_A = "try:\n    print(open('out_a.txt').read())\nexcept FileNotFoundError:\n    print('no a')"
CELLS = {
    "a": (*COMMON, "open('out_a.txt', 'w').write('A' + open('data/x.txt').read())"),
    "b": (*COMMON, READ_A, "open('out_b.txt', 'w').write('B' + open('data/y.txt').read())"),
    "c": (*COMMON, READ_A, READ_A.replace("a.txt", "b.txt")),
}
START = {"a": (0, 10), "b": (2, 10), "c": (4, 10, 11)}
"""Notebook to the numbers of its cells at first."""
FILES = {
    "data/x.txt": ("x1", "x2", "x3"),
    "data/y.txt": ("y1", "y2"),
    "data/z.txt": (None, "z1", "z2"),
    "helper.py": ("from part import VALUE\n", "VALUE = 'own'\n"),
    "part.py": ("VALUE = 'part 1'\n", "VALUE = 'part 2'\n"),
}
"""File to its possible contents; None for no file. The first one is there at first."""
MADE = ("out_a.txt", "out_b.txt")

numbers = st.integers(0, 10)
names = st.sampled_from(sorted(CELLS))
Outputs = dict[str, list[Any]]


class Project(RuleBasedStateMachine):
    """A project that is edited and built, again and again."""

    site: Path
    """The site folder of the distribution that notebooks import."""
    compared: list[Path]
    """The projects, once for each state that was compared with a build from nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nbcache-history-"))
        self.root = self.folder / "project"
        (self.root / "data").mkdir(parents=True)
        (self.root / "pyproject.toml").touch()
        for name, contents in FILES.items():
            self._write(name, contents[0])
        self.cells = {name: list(found) for name, found in START.items()}
        for name in self.cells:
            self._save(name)
        self._install("1.0")

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(edits=st.lists(st.tuples(st.sampled_from(sorted(FILES)), numbers), max_size=3))
    def edit_files(self, edits: list[tuple[str, int]]) -> None:
        """Give files other contents; some may be what they were before."""
        for name, number in edits:
            self._write(name, FILES[name][number % len(FILES[name])])

    @rule(name=names, number=numbers, position=numbers)
    def change_cell(self, name: str, number: int, position: int) -> None:
        self.cells[name][position % len(self.cells[name])] = number
        self._save(name)

    @rule(name=names, number=numbers, position=numbers)
    def add_cell(self, name: str, number: int, position: int) -> None:
        self.cells[name].insert(position % (len(self.cells[name]) + 1), number)
        self._save(name)

    @rule(data=st.data(), name=names)
    def reorder_cells(self, data: st.DataObject, name: str) -> None:
        self.cells[name] = data.draw(st.permutations(self.cells[name]))
        self._save(name)

    @rule(version=st.sampled_from(["1.0", "1.1", "2.0"]))
    def upgrade(self, version: str) -> None:
        self._install(version)

    @rule(made=st.sets(st.sampled_from(MADE), min_size=1))
    def lose_what_was_made(self, made: set[str]) -> None:
        for name in made:
            (self.root / name).unlink(missing_ok=True)

    @rule(number=numbers)
    def lose_the_index(self, number: int) -> None:
        for path in (self.root / ".nbcache").glob("index.sqlite*"):
            path.unlink()
        self.edit_files([("data/x.txt", number)])

    @rule(number=numbers)
    def lose_an_entry(self, number: int) -> None:
        entries = sorted((self.root / ".nbcache/entries").rglob("*.json"))
        entries[number % len(entries)].unlink()

    @invariant()
    def shows_what_a_build_from_nothing_shows(self) -> None:
        copy = self.folder / "copy"
        shutil.copytree(self.root, copy, ignore=shutil.ignore_patterns(".nbcache"))
        try:
            assert _build(self.root) == _build(copy)
            for name in MADE:
                assert _read(self.root / name) == _read(copy / name)
        finally:
            shutil.rmtree(copy)
        self.compared.append(self.root)
        report = NotebookCache(project=self.root).execute([self.root])
        assert {str(outcome.status) for outcome in report.outcomes} == {"hit"}

    def _write(self, name: str, content: str | None) -> None:
        if content is None:
            (self.root / name).unlink(missing_ok=True)
        else:
            (self.root / name).write_text(content)

    def _save(self, name: str) -> None:
        pool = CELLS[name]
        cells = [pool[number % len(pool)] for number in self.cells[name]]
        write_notebook(self.root / f"{name}.ipynb", *cells)

    def _install(self, version: str) -> None:
        for old in self.site.glob("*.dist-info"):
            old.rename(old.with_name(f"toy-{version}.dist-info"))
        (self.site / "toy").mkdir(exist_ok=True)
        (self.site / f"toy-{version}.dist-info").mkdir(exist_ok=True)
        (self.site / f"toy-{version}.dist-info/RECORD").write_text("toy/__init__.py,,\n")
        (self.site / "toy/__init__.py").write_text(f"VALUE = {version!r}\n")


def _build(root: Path) -> Outputs:
    """Execute what is stale; return what each notebook shows."""
    cache = NotebookCache(project=root)
    report = cache.execute([root])
    assert report.failures == ()
    found = {outcome.name: cache.merge(outcome.path) for outcome in report.outcomes}
    return {name: [cell.outputs for cell in found[name].cells] for name in found}


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


@pytest.fixture
def run_histories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], int]:
    """Return a function that lives through some histories of so many steps.

    It returns how many states were compared with a build from nothing.
    """
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(site))
    compared: list[Path] = []
    machine = type("Project", (Project,), {"site": site, "compared": compared})

    def run(histories: int, steps: int) -> int:
        chosen = settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Making a failure shorter would take an hour.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        )
        run_state_machine_as_test(machine, settings=chosen)
        return len(compared)

    return run


def test_after_many_edits_a_build_shows_what_one_from_nothing_shows(
    run_histories: Callable[[int, int], int],
) -> None:
    assert run_histories(8, 12) >= 8
