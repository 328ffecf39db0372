"""The Python API of what the command line works on: notebooks on a list, entries in a cache."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from sphinx_nbcache import NotebookCache
from sphinx_nbcache.errors import (
    AlreadyCachedError,
    NotCachedError,
    NotebookReadError,
    NotebookWriteError,
    NotExecutedError,
    RecordNotFoundError,
)
from sphinx_nbcache.model import Outcome, Settings
from sphinx_nbcache.testing import markdown_cell, write_notebook
from tests.cli.samples import make_executed, write_executed


@pytest.fixture
def cache(project_folder: Path, monkeypatch: pytest.MonkeyPatch) -> NotebookCache:
    """Return the cache of an empty project, in whose folder the test runs."""
    monkeypatch.chdir(project_folder)
    return NotebookCache(project=project_folder)


def add_in_process(cache: NotebookCache, number: int) -> int:
    """Add a notebook to the list and to the cache of another process."""
    path = write_executed(cache.root / f"n{number}.ipynb", [(f"print({number})", f"{number}\n")])
    cache.notebooks.add([path])
    return cache.entries.add(path).id


def test_a_cache_travels_to_other_processes_which_may_all_add(cache: NotebookCache) -> None:
    with ProcessPoolExecutor(3) as executor:
        ids = list(executor.map(add_in_process, [cache] * 9, range(9)))
    assert sorted(ids) == list(range(1, 10))
    listed = cache.notebooks.list_all()
    assert sorted(item.record.id for item in listed) == list(range(1, 10))
    assert all(item.entry_id is not None for item in listed)
    assert cache.verify() == []


def test_a_cache_that_was_opened_in_some_way_is_so_after_its_travel(project_folder: Path) -> None:
    settings = Settings(allow_errors=True)
    cache = NotebookCache(project_folder / "here", project=project_folder, settings=settings)
    path = write_executed(project_folder / "a.ipynb")
    cache.entries.add(path)
    again: NotebookCache = pickle.loads(pickle.dumps(cache))
    assert (again.path, again.root) == (cache.path, cache.root)
    assert again.find(path) is not None
    assert NotebookCache(project_folder / "here", project=project_folder).find(path) is None


def test_relative_paths_count_from_the_current_folder(
    cache: NotebookCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_executed(cache.root / "sub" / "a.ipynb")
    monkeypatch.chdir(cache.root / "sub")
    (record,) = cache.notebooks.add(["a.ipynb"])
    item = cache.entries.add("a.ipynb")
    assert (record.path, item.entry.source) == ("sub/a.ipynb", "sub/a.ipynb")
    assert cache.merge("a.ipynb").cells[0].outputs[0].text == "1\n"
    assert cache.execute(["a.ipynb"]).totals.hits == 1


def test_execute_without_paths_runs_the_list_and_calls_for_each(cache: NotebookCache) -> None:
    write_notebook(cache.root / "a.ipynb", "print(1)")
    write_notebook(cache.root / "other.ipynb", "print(2)")
    cache.notebooks.add(["a.ipynb"])
    seen: list[Outcome] = []
    report = cache.execute(on_finished=seen.append)
    assert [outcome.name for outcome in report.outcomes] == ["a.ipynb"]
    assert [outcome.name for outcome in seen] == ["a.ipynb"]


def test_a_time_limit_holds_for_notebooks_that_say_none(cache: NotebookCache) -> None:
    write_notebook(cache.root / "slow.ipynb", "import time; time.sleep(60)")
    own = {"execution": {"timeout": 30}}
    write_notebook(cache.root / "own.ipynb", "import time; time.sleep(1.5)", metadata=own)
    outcomes = cache.execute([cache.root], timeout=1).outcomes
    assert {outcome.name: str(outcome.status) for outcome in outcomes} == {
        "own.ipynb": "ran",
        "slow.ipynb": "timed_out",
    }


def test_nothing_is_added_when_one_of_them_is_no_notebook(cache: NotebookCache) -> None:
    write_executed(cache.root / "a.ipynb")
    (cache.root / "b.md").write_text("# text")
    with pytest.raises(NotebookReadError):
        cache.notebooks.add(["a.ipynb", "b.md"])
    assert cache.notebooks.list_all() == ()


def test_what_is_unknown_is_named(cache: NotebookCache) -> None:
    for use in (cache.notebooks.get, cache.entries.get):
        with pytest.raises(RecordNotFoundError, match="7: the "):
            use(7)
    with pytest.raises(RecordNotFoundError, match=r"a\.ipynb: is not on the project's list"):
        cache.notebooks.find(["a.ipynb"])


def test_an_entry_is_a_notebook_of_code_with_outputs(cache: NotebookCache) -> None:
    cells = (
        markdown_cell("# text"),
        make_executed("x = 1", ""),
        make_executed("print(x)", "1\n", 2),
    )
    write_notebook(cache.root / "a.ipynb", *cells)
    item = cache.entries.add("a.ipynb")
    notebook = cache.entries.get_notebook(item.id)
    assert [cell.source for cell in notebook.cells] == ["x = 1", "print(x)"]
    assert notebook.cells[1].outputs[0].text == "1\n"
    assert notebook.metadata.kernelspec.name == "python3"
    assert cache.entries.get_notebook("a.ipynb") == notebook


def test_what_is_added_is_refused_for_a_reason(cache: NotebookCache) -> None:
    write_notebook(cache.root / "a.ipynb", make_executed("1", "", None))
    with pytest.raises(NotExecutedError, match="cell 1 has no execution count"):
        cache.entries.add("a.ipynb")
    cache.entries.add("a.ipynb", validate=False)
    with pytest.raises(AlreadyCachedError):
        cache.entries.add("a.ipynb", validate=False)
    write_notebook(cache.root / "text.ipynb", markdown_cell("only text"))
    with pytest.raises(NotExecutedError, match="it has no code"):
        cache.entries.add("text.ipynb")


def test_files_of_an_added_notebook_are_put_back(cache: NotebookCache) -> None:
    write_executed(cache.root / "a.ipynb")
    (cache.root / "x.csv").write_text("1,2")
    cache.entries.add("a.ipynb", artifacts=["x.csv"])
    (cache.root / "x.csv").unlink()
    report = cache.execute(["a.ipynb"])
    assert report.totals.hits == 1
    assert (cache.root / "x.csv").read_text() == "1,2"


def test_times_of_cells_are_taken_from_the_file(cache: NotebookCache) -> None:
    times = {
        "iopub.status.busy": "2026-01-01T10:00:00.000000Z",
        "shell.execute_reply": "2026-01-01T10:00:04.500000Z",
    }
    cell = {**make_executed("1", ""), "metadata": {"execution": times}}
    write_notebook(cache.root / "a.ipynb", cell)
    entry = cache.entries.add("a.ipynb").entry
    assert (entry.seconds, entry.cells[0].seconds) == (4.5, 4.5)
    assert entry.executed_at == 1767261600.0


def test_pruning_leaves_a_cache_that_a_build_completes(cache: NotebookCache) -> None:
    for name in ("a", "b", "c"):
        write_notebook(cache.root / f"{name}.ipynb", f"print('{name}')")
    cache.execute([cache.root])
    cache.entries.prune(max_count=1)
    again = cache.execute([cache.root])
    assert (again.totals.hits, again.totals.ran, again.failures) == (1, 2, ())
    assert cache.verify() == []


def test_a_merged_notebook_is_never_written_over_its_source(cache: NotebookCache) -> None:
    path = write_executed(cache.root / "a.ipynb")
    before = path.read_bytes()
    with pytest.raises(NotCachedError):
        cache.merge_into("a.ipynb", "out.ipynb")
    cache.entries.add("a.ipynb")
    with pytest.raises(NotebookWriteError, match="which is never changed"):
        cache.merge_into("a.ipynb", "a.ipynb")
    (cache.root / "file").touch()
    with pytest.raises(NotebookWriteError, match="cannot be written"):
        cache.merge_into("a.ipynb", "file/out.ipynb")
    assert path.read_bytes() == before


@pytest.mark.parametrize("limit", [0, -1])
def test_a_wrong_limit_is_refused(cache: NotebookCache, limit: int) -> None:
    with pytest.raises(ValueError, match="expected a whole number from 1"):
        cache.entries.set_limit(limit)
