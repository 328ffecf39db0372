"""``nbcache cache``: as ``jcache cache``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sphinx_nbcache.testing import write_notebook
from tests.cli.conftest import Run
from tests.cli.samples import make_executed, write_executed


@pytest.fixture
def cached(run: Run, project_folder: Path) -> Path:
    """Return a project with entries 1, of ``a.ipynb`` with an artifact, and 2, of ``b.ipynb``."""
    write_executed(project_folder / "a.ipynb", [("print(1)", "1\n")])
    write_executed(project_folder / "b.ipynb", [("print(2)", "2\n")])
    (project_folder / "out").mkdir()
    (project_folder / "out" / "plot.txt").write_text("a plot")
    added = run("cache", "add-with-artifacts", "-nb", "a.ipynb", "out/plot.txt")
    assert (added.exit_code, "Cached with ID 1" in added.output) == (0, True)
    assert run("cache", "add", "b.ipynb").exit_code == 0
    return project_folder


def find_rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()[2:]]


def test_list_of_nothing_says_so(run: Run, project_folder: Path) -> None:
    assert run("cache", "list").output == "No Cached Notebooks\n"
    assert not (project_folder / ".nbcache").exists()


def test_list_has_ids_origins_and_times(run: Run, cached: Path) -> None:
    rows = find_rows(run("cache", "list").output)
    assert [row[:2] for row in rows] == [["2", "b.ipynb"], ["1", "a.ipynb"]]


def test_keys_are_shown_on_demand(run: Run, cached: Path) -> None:
    keys = {item["key"] for item in json.loads(run("cache", "list", "--json").output)}
    for flag in ("-h", "--hashkeys"):
        assert {row[-1] for row in find_rows(run("cache", "list", flag).output)} == keys


def test_only_the_latest_of_each_notebook_is_listed(run: Run, cached: Path) -> None:
    write_executed(cached / "a.ipynb", [("print(10)", "10\n")])
    run("cache", "add", "a.ipynb")
    assert len(find_rows(run("cache", "list").output)) == 3
    rows = find_rows(run("cache", "list", "--latest-only").output)
    assert sorted(row[0] for row in rows) == ["2", "3"]


def test_info_takes_an_id_or_a_path(run: Run, cached: Path) -> None:
    told = run("cache", "info", "1").output
    assert run("cache", "info", "a.ipynb").output == told
    assert "ID: 1\nOrigin: a.ipynb\n" in told
    assert "execution_seconds: " in told
    assert "Artifacts:\n- out/plot.txt\n" in told


@pytest.mark.parametrize("command", ["cat-artifact", "cat-artefact"])
def test_an_artifact_is_written_out_as_it_is(run: Run, cached: Path, command: str) -> None:
    (cached / "out" / "plot.txt").unlink()
    assert run("cache", command, "1", "out/plot.txt").output == "a plot"
    missing = run("cache", command, "1", "none.txt")
    assert (missing.exit_code, "no artifact of this name" in missing.stderr) == (2, True)


def test_empty_and_skipped_cells_need_no_count(run: Run, project_folder: Path) -> None:
    skipped = {**make_executed("1", "", None), "metadata": {"tags": ["skip-execution"]}}
    cells = (
        make_executed("1", ""),
        make_executed("", "", None),
        skipped,
        make_executed("2", "", 4),
    )
    write_notebook(project_folder / "a.ipynb", *cells)
    assert run("cache", "add", "a.ipynb").exit_code == 0


@pytest.mark.parametrize("counts", [(None, 2), (2, 1), (1, 1)])
def test_what_was_not_run_in_order_is_asked_about(
    run: Run, project_folder: Path, counts: tuple[int | None, int]
) -> None:
    cells = (make_executed("1", "", counts[0]), make_executed("2", "", counts[1]))
    write_notebook(project_folder / "a.ipynb", *cells)
    refused = run("cache", "add", "a.ipynb", input="n\n")
    assert (refused.exit_code, "Validity Error: cell " in refused.output) == (1, True)
    assert json.loads(run("cache", "list", "--json").output) == []
    assert run("cache", "add", "a.ipynb", input="y\n").exit_code == 0
    assert run("cache", "add", "--no-validate", "a.ipynb").exit_code == 0


def test_what_is_not_to_be_executed_is_refused_without_a_question(
    run: Run, project_folder: Path
) -> None:
    metadata = {"mystnb": {"execution_mode": "off"}}
    write_notebook(project_folder / "a.ipynb", make_executed("1", ""), metadata=metadata)
    result = run("cache", "add", "a.ipynb", input="y\n")
    assert (result.exit_code, "is not to be executed" in result.stderr) == (2, True)
    assert "continue?" not in result.output


def test_one_whose_mode_is_auto_can_be_cached(run: Run, project_folder: Path) -> None:
    metadata = {"mystnb": {"execution_mode": "auto"}}
    write_notebook(project_folder / "a.ipynb", make_executed("1", "1"), metadata=metadata)
    assert run("cache", "add", "a.ipynb").exit_code == 0


def test_what_is_there_is_replaced_or_kept(run: Run, cached: Path) -> None:
    write_executed(cached / "b.ipynb", [("print(2)", "two\n")])
    kept = run("cache", "add", "--no-overwrite", "b.ipynb")
    assert (kept.exit_code, "has outputs in the cache already" in kept.stderr) == (2, True)
    assert run("cache", "add", "b.ipynb").exit_code == 0
    assert len(find_rows(run("cache", "list").output)) == 2
    run("notebook", "add", "b.ipynb")
    run("notebook", "merge", "b.ipynb", "final.ipynb")
    assert "two" in (cached / "final.ipynb").read_text()


def test_an_artifact_elsewhere_is_refused(run: Run, cached: Path, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    result = run("cache", "add-with-artefacts", "-nb", "a.ipynb", str(tmp_path / "x"))
    assert (result.exit_code, "does not lie below" in result.stderr) == (2, True)


def test_diff_shows_code_and_outputs_and_no_text(run: Run, cached: Path) -> None:
    assert run("cache", "diff", "2", "b.ipynb").output == "no difference\n"
    write_executed(cached / "b.ipynb", [("print(22)", "22\n")])
    told = run("cache", "diff", "2", "b.ipynb").output
    assert "-  print(2)\n+  print(22)\n" in told
    assert "-2\n+22\n" in told


@pytest.mark.parametrize("arguments", [["1", "2"], ["a.ipynb", "2"], ["--all", "-f"]], ids=" ".join)
def test_remove_takes_ids_paths_or_all(run: Run, cached: Path, arguments: list[str]) -> None:
    assert run("cache", "remove", *arguments).output.startswith("Removed: 2 entries, ")
    assert run("cache", "list").output == "No Cached Notebooks\n"
    assert not [path for path in (cached / ".nbcache/objects").rglob("*") if path.is_file()]


def test_an_unknown_id_is_named_and_nothing_is_removed(run: Run, cached: Path) -> None:
    result = run("cache", "remove", "1", "9")
    assert (result.exit_code, "9: the cache has no entry" in result.stderr) == (2, True)
    assert len(find_rows(run("cache", "list").output)) == 2


def test_clear_removes_what_is_damaged_too(run: Run, cached: Path) -> None:
    (first, *_) = (cached / ".nbcache/entries").rglob("*.json")
    first.write_text("{")
    assert run("cache", "clear", "-f").exit_code == 0
    assert not [path for path in (cached / ".nbcache/objects").rglob("*") if path.is_file()]
    assert run("verify").output.endswith(": sound\n")


def test_clear_asks_and_keeps_list_and_settings(run: Run, cached: Path) -> None:
    run("notebook", "add", "a.ipynb")
    run("project", "cache-limit", "5")
    assert run("cache", "clear", input="n\n").exit_code == 1
    assert run("cache", "clear", input="y\n").exit_code == 0
    assert run("cache", "list").output == "No Cached Notebooks\n"
    assert len(find_rows(run("notebook", "list").output)) == 1
    assert run("project", "cache-limit").output == "Current cache limit: 5\n"
