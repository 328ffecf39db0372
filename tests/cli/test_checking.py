"""``nbcache check``: what it says, and its exit status."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sphinx_nbcache.testing import write_notebook
from tests.cli.conftest import Run


def test_what_differs_is_shown_and_the_exit_status_is_1(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "dice.ipynb", "import random; random.random()")
    write_notebook(project_folder / "same.ipynb", "1")
    path = write_notebook(project_folder / "stale.ipynb", "2")
    run("execute", ".")
    write_notebook(path, "3")
    result = run("check", "--rerun")
    assert result.exit_code == 1
    assert "stale.ipynb: not checked: stale: cell 1 changed\n" in result.output
    assert "same.ipynb: the same\n" in result.output
    shown = r"dice\.ipynb: differs\n  cell 1, text/plain:\n    -0\.\d+\S*\n    \+0\.\d+\S*\n"
    assert re.search(shown, result.output)
    assert result.output.endswith("2 checked, 1 differ, 1 not checked\n")
    values = json.loads(run("check", "--rerun", "--json", "-j", "1", "dice*", "same*").output)
    assert {value["name"]: value["has_drifted"] for value in values} == {
        "dice.ipynb": True, "same.ipynb": False,
    }  # fmt: skip


def test_what_is_ignored_does_not_differ_and_the_exit_status_is_0(
    run: Run, project_folder: Path
) -> None:
    write_notebook(project_folder / "dice.ipynb", "import random; random.random()")
    run("execute", ".")
    result = run("check", "--rerun", "--ignore", "nothing", "--ignore", r"\d\.\d+(e-\d+)?")
    assert (result.exit_code, result.output) == (0, "dice.ipynb: the same\n1 checked, 0 differ\n")


def test_with_nothing_cached_nothing_is_checked(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "1")
    result = run("check", "--rerun")
    assert result.exit_code == 0
    assert result.output.endswith("nothing checked, 1 not checked\n")
