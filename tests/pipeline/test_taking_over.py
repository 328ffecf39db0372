"""What jupyter-cache has executed becomes entries: which, for whom, and what is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Mode, Settings, Status
from sphinx_nbcache.pipeline import Handover, Left, NotebookCache
from sphinx_nbcache.testing import code_cell, markdown_cell, write_notebook
from tests.store.old_caches import (
    add_run,
    change_database,
    error_cell,
    executed_cell,
    find_notebook,
    list_file,
    make_old,
    take_picture,
)

ELSEWHERE = "/home/somebody/checkout"


@pytest.fixture
def folder(project_folder: Path) -> Path:
    """Return where the jupyter-cache of a project lies."""
    return project_folder / "_build" / ".jupyter_cache"


def take(root: Path, **options: Any) -> tuple[NotebookCache, Handover]:
    """Take over the jupyter-cache of a project; return the cache and what came of it."""
    cache = NotebookCache(project=root, **options)
    return cache, cache.import_jupyter_cache(root / "_build" / ".jupyter_cache")


def read_text(cache: NotebookCache, path: Path, cell: int = 0) -> str:
    """Return what a cell of a merged notebook has printed."""
    return str(cache.merge(path).cells[cell].outputs[0].text)


def find_why(handover: Handover) -> list[Left]:
    return [item.why for item in handover.left]


def test_outputs_counts_language_and_times_are_taken_over(
    project_folder: Path, folder: Path
) -> None:
    path = write_notebook(project_folder / "docs/a.ipynb", "print(1)", markdown_cell("new prose"))
    told = {"language_info": {"name": "python"}, "widgets": {"state": {}}}
    cell = executed_cell("print(1)", "one\n", count=7)
    add_run(folder, f"{ELSEWHERE}/docs/a.ipynb", cell, seconds=4.0, metadata=told)
    cache, handover = take(project_folder)
    assert (handover.taken, handover.left) == (("docs/a.ipynb",), ())
    merged = cache.merge(path)
    assert (merged.cells[0].outputs[0].text, merged.cells[0].execution_count) == ("one\n", 7)
    assert {name: merged.metadata[name] for name in told} == told
    entry = cache.find(path)
    assert entry is not None
    assert (entry.seconds, entry.cells, entry.notes) == (4.0, (), ("imported",))


def test_no_kernel_starts_for_what_was_taken_over(project_folder: Path, folder: Path) -> None:
    path = write_notebook(project_folder / "a.md", "print(1)")
    add_run(folder, path, executed_cell("print(1)", "old\n"))
    cache, _ = take(project_folder)
    (outcome,) = cache.execute([path], frozen=True).outcomes
    assert (outcome.status, outcome.notes) == (Status.HIT, ("imported",))
    (standing,) = cache.explain([path])
    assert (standing.is_fresh, standing.expected_seconds) == (True, 1.5)


def test_all_notebooks_with_the_same_code_get_the_outputs(
    project_folder: Path, folder: Path
) -> None:
    names = ("a/one.ipynb", "b/one.ipynb", "b/two.md")
    paths = [write_notebook(project_folder / name, "print(1)") for name in names]
    add_run(folder, paths[0], executed_cell("print(1)", "old\n"))
    cache, handover = take(project_folder)
    assert sorted(handover.taken) == sorted(names)
    assert [read_text(cache, path) for path in paths] == ["old\n"] * 3


def test_of_several_runs_of_the_same_code_the_notebooks_own_and_then_the_newest_counts(
    project_folder: Path, folder: Path
) -> None:
    paths = [write_notebook(project_folder / name, "print(1)") for name in ("a/n.md", "b/n.md")]
    # Tags that change nothing make other runs of the same code in jupyter-cache.
    for tag, place in (("x", "a"), ("y", "a"), ("z", "c")):
        cell = executed_cell("print(1)", f"{place} {tag}\n", tags=[tag])
        add_run(folder, f"{ELSEWHERE}/{place}/n.md", cell)
    cache, handover = take(project_folder)
    assert [read_text(cache, path) for path in paths] == ["a y\n", "c z\n"]
    assert find_why(handover) == [Left.OLDER]


def test_a_notebook_that_has_outputs_keeps_them(project_folder: Path, folder: Path) -> None:
    path = write_notebook(project_folder / "a.ipynb", "print('new')")
    NotebookCache(project=project_folder).execute([path])
    add_run(folder, path, executed_cell("print('new')", "old\n"))
    cache, handover = take(project_folder)
    assert (handover.taken, handover.present, handover.left) == ((), ("a.ipynb",), ())
    assert read_text(cache, path) == "new\n"


def test_a_second_time_takes_over_nothing(project_folder: Path, folder: Path) -> None:
    add_run(folder, write_notebook(project_folder / "a.ipynb", "1"), executed_cell("1"))
    assert take(project_folder)[1].taken == ("a.ipynb",)
    again = take(project_folder)[1]
    assert (again.taken, again.present) == ((), ("a.ipynb",))


def test_what_was_taken_over_does_not_answer_once_the_notebook_was_seen_to_run(
    project_folder: Path, folder: Path
) -> None:
    code = "print(open('data.txt').read())"
    path = write_notebook(project_folder / "a.ipynb", code)
    data = project_folder / "data.txt"
    data.write_text("first")
    add_run(folder, path, executed_cell(code, "old\n"))
    cache, _ = take(project_folder)
    cache.execute([path], force=True)
    assert read_text(cache, path) == "first\n"
    data.write_text("second")
    assert cache.execute([path]).totals.ran == 1
    assert read_text(cache, path) == "second\n"


def test_what_is_declared_makes_it_stale(project_folder: Path, folder: Path) -> None:
    (project_folder / "data.txt").touch()
    own = {"nbcache": {"depends": "data.txt"}}
    path = write_notebook(project_folder / "a.ipynb", "print(1)", metadata=own)
    add_run(folder, path, executed_cell("print(1)", "old\n"))
    cache, _ = take(project_folder)
    (standing,) = cache.explain([path])
    assert standing.changes == ("data.txt is declared now",)


def test_another_kernel_is_another_question(project_folder: Path, folder: Path) -> None:
    path = write_notebook(project_folder / "a.ipynb", "1", kernel="julia")
    add_run(folder, path, executed_cell("1"))
    assert find_why(take(project_folder)[1]) == [Left.CHANGED]


def test_a_skipped_cell_keeps_what_its_source_has(project_folder: Path, folder: Path) -> None:
    skipped = code_cell("2", tags=["skip-execution"])
    path = write_notebook(project_folder / "a.ipynb", "1", skipped)
    skipped_then = executed_cell("2", "then\n", tags=["skip-execution"], count=None)
    add_run(folder, path, executed_cell("1"), skipped_then)
    cache, handover = take(project_folder)
    assert handover.taken == ("a.ipynb",)
    assert cache.merge(path).cells[1].outputs == []


@pytest.mark.parametrize(("tags", "allow_errors"), [(["raises-exception"], False), ([], True)])
def test_errors_that_are_allowed_are_taken_over(
    project_folder: Path, folder: Path, tags: list[str], allow_errors: bool
) -> None:
    path = write_notebook(project_folder / "a.ipynb", code_cell("oh", tags=tags))
    add_run(folder, path, error_cell("oh", tags=tags))
    _, handover = take(project_folder, settings=Settings(allow_errors=allow_errors))
    assert handover.taken == ("a.ipynb",)


def test_errors_that_are_not_allowed_are_left_behind(project_folder: Path, folder: Path) -> None:
    add_run(folder, write_notebook(project_folder / "a.ipynb", "oh"), error_cell("oh"))
    assert find_why(take(project_folder)[1]) == [Left.FAILED]


def test_records_that_nobody_can_use_are_reported(project_folder: Path, folder: Path) -> None:
    changed = write_notebook(project_folder / "changed.ipynb", "new")
    add_run(folder, changed, executed_cell("old"))
    add_run(folder, f"{ELSEWHERE}/gone.ipynb", executed_cell("gone"))
    never = write_notebook(project_folder / "never.ipynb", "a", "b")
    add_run(folder, never, executed_cell("a"), code_cell("b"))
    _, handover = take(project_folder)
    assert {Path(uri).stem: why for uri, why in handover.left} == {
        "changed": Left.CHANGED,
        "gone": Left.NO_NOTEBOOK,
        "never": Left.NOT_EXECUTED,
    }
    assert handover.describe() == (
        "nothing taken over; records left behind: 1 without a notebook here, "
        "1 of code that has changed, 1 not executed"
    )


def test_a_notebook_that_is_not_to_be_executed_takes_nothing(
    project_folder: Path, folder: Path
) -> None:
    add_run(folder, write_notebook(project_folder / "a.ipynb", "1"), executed_cell("1"))
    _, handover = take(project_folder, settings=Settings(mode=Mode.OFF))
    assert find_why(handover) == [Left.SKIPPED]


@pytest.mark.parametrize("content", [None, "{", '{"cells": [1]}'])
def test_a_missing_or_torn_notebook_is_reported_and_the_others_are_taken(
    project_folder: Path, folder: Path, content: str | None
) -> None:
    add_run(folder, f"{ELSEWHERE}/torn.ipynb", executed_cell("torn"))
    torn = find_notebook(folder)
    torn.unlink() if content is None else torn.write_text(content)
    add_run(folder, write_notebook(project_folder / "a.ipynb", "1"), executed_cell("1"))
    _, handover = take(project_folder)
    assert handover.taken == ("a.ipynb",)
    assert find_why(handover) == [Left.UNREADABLE]
    assert str(torn) in handover.problems[0]


def test_files_come_over_and_are_put_back_beside_the_notebook(
    project_folder: Path, folder: Path
) -> None:
    path = write_notebook(project_folder / "docs/a.ipynb", "print(1)")
    figure = folder.parent / "out" / "figure.svg"
    figure.parent.mkdir(parents=True)
    figure.write_text("<svg/>")
    add_run(folder, path, executed_cell("print(1)"), artifacts=[figure])
    cache, handover = take(project_folder)
    entry = cache.find(path)
    assert handover.problems == ()
    assert entry is not None
    assert [artifact.path for artifact in entry.artifacts] == ["docs/out/figure.svg"]
    cache.execute([path], frozen=True)
    assert (path.parent / "out/figure.svg").read_text() == "<svg/>"


def test_files_of_a_notebook_that_runs_in_a_temporary_folder_are_left(
    project_folder: Path, folder: Path
) -> None:
    path = write_notebook(project_folder / "a.ipynb", "1")
    figure = folder.parent / "figure.svg"
    figure.parent.mkdir()
    figure.touch()
    add_run(folder, path, executed_cell("1"), artifacts=[figure])
    cache, handover = take(project_folder, settings=Settings(in_temp=True))
    assert handover.taken == ("a.ipynb",)
    assert "temporary folder" in handover.problems[0]
    entry = cache.find(path)
    assert entry is not None
    assert entry.artifacts == ()


def test_the_project_list_comes_with_the_files_of_this_project(
    project_folder: Path, folder: Path
) -> None:
    path = project_folder / "docs/a.py"
    path.parent.mkdir()
    path.touch()
    there = Path(ELSEWHERE, "docs")
    list_file(folder, there / "a.py", assets=[there / "data/x.csv"])
    (listed,) = take(project_folder)[1].listed
    assert (listed.path, listed.reader, listed.assets) == (path, "jupytext", ("data/x.csv",))


def test_a_script_that_only_the_old_cache_names_gets_its_outputs(
    project_folder: Path, folder: Path
) -> None:
    path = project_folder / "docs/a.py"
    path.parent.mkdir()
    path.write_text("# %%\nprint(1)\n")
    add_run(folder, r"C:\work\site\docs\a.py", executed_cell("print(1)", "old\n"))
    cache, _ = take(project_folder)
    assert read_text(cache, path) == "old\n"


def test_the_tables_of_version_0_5_are_enough(project_folder: Path, folder: Path) -> None:
    path = write_notebook(project_folder / "a.ipynb", "print(1)")
    make_old(folder, f"{ELSEWHERE}/a.ipynb", executed_cell("print(1)", "old\n"))
    cache, _ = take(project_folder)
    entry = cache.find(path)
    assert entry is not None
    assert (entry.seconds, round(entry.executed_at)) == (2.0, 1640995198)


def test_the_old_folder_stays_as_it_is(project_folder: Path, folder: Path) -> None:
    add_run(folder, write_notebook(project_folder / "a.ipynb", "1"), executed_cell("1"))
    before = take_picture(folder)
    take(project_folder)
    assert take_picture(folder) == before


def test_a_damaged_database_takes_over_nothing(project_folder: Path, folder: Path) -> None:
    add_run(folder, write_notebook(project_folder / "a.ipynb", "1"), executed_cell("1"))
    change_database(folder, "DROP TABLE nbcache")
    with pytest.raises(StoreError, match=r"its global\.db is not that of a jupyter-cache"):
        take(project_folder)
    assert not (project_folder / ".nbcache").exists()
