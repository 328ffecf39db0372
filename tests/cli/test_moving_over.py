"""``nbcache import-jupyter-cache``: what it says, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

from sphinx_nbcache.testing import write_notebook
from tests.cli.conftest import Run
from tests.store.old_caches import add_run, executed_cell, list_file


def test_it_says_what_was_taken_over_and_what_was_not(run: Run, project_folder: Path) -> None:
    folder = project_folder / ".jupyter_cache"
    add_run(folder, write_notebook(project_folder / "a.ipynb", "1"), executed_cell("1"))
    add_run(folder, "/home/me/gone.ipynb", executed_cell("2"))
    result = run("import-jupyter-cache", str(folder))
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "taken over  a.ipynb",
        "left behind  /home/me/gone.ipynb: no notebook of the project has its code",
        "outputs of 1 notebook taken over; records left behind: 1 without a notebook here",
    ]
    assert "its outputs come from jupyter-cache" in run("why", "a.ipynb").output


def test_json_is_for_scripts(run: Run, project_folder: Path) -> None:
    folder = project_folder / ".jupyter_cache"
    path = write_notebook(project_folder / "a.ipynb", "1")
    add_run(folder, path, executed_cell("1"))
    list_file(folder, path)
    assert json.loads(run("import-jupyter-cache", str(folder), "--json").output) == {
        "path": str(folder),
        "taken": ["a.ipynb"],
        "present": [],
        "left": [],
        "listed": [{"uri": str(path), "path": str(path), "reader": "jupytext", "assets": []}],
        "problems": [],
    }


def test_what_is_no_jupyter_cache_is_one_line(run: Run, project_folder: Path) -> None:
    result = run("import-jupyter-cache", "somewhere")
    assert result.exit_code == 2
    assert "somewhere: not the folder of a jupyter-cache: it has no global.db" in result.output
