"""``nbcache notebook``: as ``jcache notebook``, with IDs and paths as one likes."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from sphinx_nbcache.testing import markdown_cell, write_notebook
from tests.cli.conftest import Run
from tests.cli.samples import write_executed


@pytest.fixture
def listed(run: Run, project_folder: Path) -> Path:
    """Return a project whose list has ``a.ipynb``, cached with ID 1, and ``b.md``, which is not."""
    write_executed(project_folder / "a.ipynb")
    write_notebook(project_folder / "sub" / "b.md", "print(2)")
    assert run("cache", "add", "a.ipynb").exit_code == 0
    assert run("notebook", "add", "a.ipynb", "sub/b.md").exit_code == 0
    return project_folder


def find_rows(output: str) -> list[list[str]]:
    """Return the words of a table's rows, without headings."""
    return [line.split() for line in output.splitlines()[2:]]


def test_add_names_what_it_adds(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "1")
    result = run("notebook", "add", "a.ipynb")
    assert (result.exit_code, result.output) == (0, "Adding: a.ipynb\nSuccess!\n")


def test_list_shows_ids_readers_and_who_has_outputs(run: Run, listed: Path) -> None:
    first, second = find_rows(run("notebook", "list").output)
    assert [*first[:3], *first[5:]] == ["1", "a.ipynb", "nbformat", "✅", "[1]"]
    assert [*second[:3], *second[5:]] == ["2", "sub/b.md", "myst_nb_md", "-"]


def test_list_of_nothing_says_so(run: Run) -> None:
    assert run("notebook", "list").output == "No notebooks in project\n"
    assert json.loads(run("notebook", "list", "--json").output) == []


def test_list_shortens_paths_and_counts_assets(run: Run, listed: Path) -> None:
    (listed / "sub" / "data.csv").touch()
    run("notebook", "add-with-assets", "-nb", "sub/b.md", "sub/data.csv")
    rows = find_rows(run("notebook", "list", "-l", "1", "--assets").output)
    assert (rows[1][1], rows[1][-1]) == ("b.md", "1")
    assert rows[0][-1] == "0"


def test_list_for_scripts_has_all(run: Run, listed: Path) -> None:
    first, second = json.loads(run("notebook", "list", "--json").output)
    assert (first["id"], first["path"], first["entry_id"]) == (1, "a.ipynb", 1)
    assert (second["entry_id"], second["standing"]["state"]) == (None, "stale")


def test_a_file_that_is_gone_stays_on_the_list_as_unreadable(run: Run, listed: Path) -> None:
    (listed / "a.ipynb").unlink()
    (listed / "sub" / "b.md").write_text("no header")
    rows = find_rows(run("notebook", "list").output)
    assert [row[-1] for row in rows] == ["(unreadable)", "(unreadable)"]


def test_a_text_edit_keeps_the_outputs(run: Run, listed: Path) -> None:
    node = json.loads((listed / "a.ipynb").read_text())
    node["cells"].insert(0, markdown_cell("# new"))
    node["metadata"]["kernelspec"]["display_name"] = "another"
    node["cells"][1]["metadata"]["collapsed"] = True
    (listed / "a.ipynb").write_text(json.dumps(node))
    assert find_rows(run("notebook", "list").output)[0][-1] == "[1]"


def test_added_again_it_has_what_is_said_now(run: Run, listed: Path) -> None:
    (listed / "sub" / "x.txt").touch()
    run("notebook", "add-with-assets", "-nb", "sub/b.md", "sub/x.txt", "-r", "jupytext")
    found = json.loads(run("notebook", "info", "2", "--json").output)
    assert (found["reader"], found["assets"]) == ("jupytext", ["x.txt"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "none.ipynb"], "none.ipynb: there is no such file"),
        (["add", "notes.md"], "cannot be read as a notebook"),
        (["add", "a.ipynb", "-r", "unheard"], "unheard"),
        (["add-with-assets", "-nb", "sub/b.md", "pyproject.toml"], "does not lie below"),
        (["add-with-assets", "-nb", "sub/b.md", "none"], "there is no such file"),
        (["info", "7"], "7: the project has no notebook with this ID"),
        (["info", "pyproject.toml"], "pyproject.toml: is not on the project's list"),
        (["execute", "1", "7"], "7: the project has no notebook with this ID"),
        (["remove", "1", "none.md"], "none.md: is not on the project's list"),
        (["invalidate"], "name them, or say --all"),
        (["merge", "2", "out.ipynb"], "no outputs in the cache"),
        (["merge", "1", "a.ipynb"], "it is the source itself, which is never changed"),
        (["merge", "1", "sub/b.md"], "it is a source of the project"),
        (["merge", "1", "sub"], "it is a folder"),
        (["add", "sub"], "it is a folder"),
        (["invalidate", "--all", "1"], "one of the two"),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(
    run: Run, listed: Path, arguments: list[str], message: str
) -> None:
    (listed / "notes.md").write_text("# text\n")
    before = run("notebook", "list", "--json").output
    result = run("notebook", *arguments)
    assert (result.exit_code, message in result.stderr) == (2, True)
    assert run("notebook", "list", "--json").output == before


def test_merge_writes_source_and_outputs_to_another_file(run: Run, listed: Path) -> None:
    write_notebook(listed / "a.ipynb", markdown_cell("# Title"), "print(1)")
    result = run("notebook", "merge", "a.ipynb", "final.ipynb")
    assert (result.exit_code, result.output) == (0, "Merged with cache ID 1\nSuccess!\n")
    merged = nbformat.read(listed / "final.ipynb", as_version=4)
    assert merged.cells[0].source == "# Title"
    assert merged.cells[1].outputs[0].text == "1\n"
    assert "1\\n" not in (listed / "a.ipynb").read_text()


def test_a_notebook_outside_the_root_is_named_like_any_other(
    run: Run, listed: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    write_executed(tmp_path / "out" / "o.ipynb", [("print(3)", "3\n")])
    path = str(tmp_path / "out" / "o.ipynb")
    (tmp_path / "out" / "in.txt").touch()
    assert (
        run("notebook", "add-with-assets", "-nb", path, str(tmp_path / "out/in.txt")).exit_code == 0
    )
    told = json.loads(run("notebook", "info", path, "--json").output)
    assert (told["id"], told["assets"]) == (3, ["in.txt"])
    result = run("notebook", "execute", "3", "-e", "temp-serial")
    assert (result.exit_code, "excepted: []" in result.output) == (0, True)
    assert run("notebook", "remove", path).exit_code == 0


@pytest.mark.parametrize("command", ["invalidate", "remove"])
def test_an_id_of_any_length_is_only_unknown(run: Run, listed: Path, command: str) -> None:
    result = run("notebook", command, "9" * 5000)
    assert (result.exit_code, "no notebook with this ID" in result.stderr) == (2, True)


def test_remove_takes_ids_and_paths_and_keeps_outputs(run: Run, listed: Path) -> None:
    result = run("notebook", "remove", "1", "sub/b.md")
    assert (result.exit_code, result.output.count("Removing: ")) == (0, 2)
    assert run("notebook", "list").output == "No notebooks in project\n"
    assert len(json.loads(run("cache", "list", "--json").output)) == 1


def test_clear_asks_and_an_answer_may_come_through_a_pipe(run: Run, listed: Path) -> None:
    assert run("notebook", "clear", input="n\n").exit_code == 1
    refused = run("notebook", "clear", input="")
    assert (refused.exit_code, "answer y, or use -f" in refused.stderr) == (1, True)
    assert len(find_rows(run("notebook", "list").output)) == 2
    assert "Removed: 2 notebooks" in run("notebook", "clear", input="y\n").output
    assert run("notebook", "clear", "-f").output == "Removed: 0 notebooks\n"


@pytest.mark.parametrize("arguments", [["1"], ["a.ipynb"], ["--all", "-f"]])
def test_invalidate_removes_outputs_and_keeps_the_notebook(
    run: Run, listed: Path, arguments: list[str]
) -> None:
    assert run("notebook", "invalidate", *arguments).output == "Removed: 1 entry\n"
    assert find_rows(run("notebook", "list").output)[0][-1] == "-"
    assert json.loads(run("cache", "list", "--json").output) == []
    assert run("verify").exit_code == 0


def test_execute_runs_what_is_named_though_it_is_cached(run: Run, listed: Path) -> None:
    result = run("notebook", "execute", "1", "sub/b.md")
    assert result.exit_code == 0, result.output
    assert "succeeded:\n- a.ipynb\n- sub/b.md\nexcepted: []\nerrored: []\n" in result.output
    again = run("notebook", "execute", "--no-force", "1", "2")
    assert again.output == "succeeded: []\nexcepted: []\nerrored: []\n"


def test_info_of_a_failure_has_its_traceback_until_it_is_mended(
    run: Run, project_folder: Path
) -> None:
    write_notebook(project_folder / "a.ipynb", "raise ValueError('oops')")
    run("notebook", "add", "a.ipynb")
    failed = run("project", "execute")
    assert (failed.exit_code, "excepted:\n- a.ipynb\n" in failed.output) == (1, True)
    told = run("notebook", "info", "1").output
    assert "Status: ❌" in told
    assert "Failed Last Execution!" in told
    assert "----> 1 raise ValueError('oops')" in told
    assert "----> 1" not in run("notebook", "info", "1", "--no-tb").output
    write_notebook(project_folder / "a.ipynb", "pass")
    assert run("project", "execute").exit_code == 0
    assert "Failed" not in run("notebook", "info", "1").output
