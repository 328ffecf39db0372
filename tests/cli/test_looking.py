"""``nbcache why``, ``plan`` and ``status``: what they say of the same notebooks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sphinx_nbcache.testing import write_notebook
from tests.cli.conftest import Run
from tests.conftest import RunPython


@pytest.fixture
def notebooks(run: Run, project_folder: Path) -> Path:
    """Return a project with one notebook of each kind."""
    (project_folder / "x.csv").write_text("1")
    write_notebook(project_folder / "data.ipynb", "open('x.csv').read()")
    path = write_notebook(project_folder / "edited.ipynb", "x = 1\nx")
    write_notebook(project_folder / "fails.ipynb", "1 / 0")
    write_notebook(project_folder / "fresh.ipynb", "import socket; 'fresh'")
    off = {"mystnb": {"execution_mode": "off"}}
    write_notebook(project_folder / "off.ipynb", "1", metadata=off)
    run("execute", ".")
    (project_folder / "x.csv").write_text("2")
    write_notebook(path, "x = 2\nx")
    write_notebook(project_folder / "new.ipynb", "'new'")
    return project_folder


def test_each_says_in_its_own_way_how_notebooks_stand(run: Run, notebooks: Path) -> None:
    why = run("why")
    assert why.exit_code == 0
    assert "data.ipynb: stale\n  x.csv changed\n" in why.output
    assert "edited.ipynb: stale\n  cell 1 changed\n    @@" in why.output
    assert "\n    -x = 1\n    +x = 2\n" in why.output
    assert "fails.ipynb: failed\n  failed last time: ZeroDivisionError in cell 1" in why.output
    assert "new.ipynb: stale\n  never run\n" in why.output
    assert "off.ipynb: skipped\n  execution mode off\n" in why.output
    ran = (
        r"fresh.ipynb: fresh\n  outputs in the cache\n  ran \d{4}-\d\d-\d\d \d\d:\d\d in \d+\.\d s"
    )
    assert re.search(ran, why.output)

    plan = run("plan")
    assert plan.exit_code == 0
    *rows, total = plan.output.splitlines()
    assert [row.split()[0] for row in rows] == [
        "data.ipynb", "edited.ipynb", "fails.ipynb", "new.ipynb"
    ]  # fmt: skip
    assert re.fullmatch(r"data\.ipynb    +\d+\.\d s  x\.csv changed", rows[0])
    assert re.fullmatch(r"new\.ipynb     - +never run", rows[3])
    text = r"4 of 6 notebooks would run: \d+\.\d s of kernels, and 2 of unknown time"
    assert re.fullmatch(text, total)

    status = run("status")
    lines = status.output.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["stale", "data.ipynb"], ["stale", "edited.ipynb"], ["failed", "fails.ipynb"],
        ["fresh", "fresh.ipynb"], ["stale", "new.ipynb"], ["skipped", "off.ipynb"],
    ]  # fmt: skip
    assert len({line.index(reason) for line, reason in zip(
        lines, ["x.csv", "cell 1", "failed last", "outputs", "never", "execution"], strict=True
    )}) == 1  # fmt: skip


def test_names_choose_and_json_is_for_scripts(run: Run, notebooks: Path) -> None:
    for command, number in (("why", 2), ("plan", 1), ("status", 2)):
        values = json.loads(run(command, "fresh.ipynb", "edited.ipynb", "--json").output)
        assert len(values) == number
        assert values[-1]["name"] == "edited.ipynb"
        assert values[-1]["changes"] == ["cell 1 changed"]
        assert values[-1]["would_run"] is True
        assert "+x = 2" in values[-1]["differences"][0]["diff"]


@pytest.mark.parametrize("command", ["why", "status"])
def test_an_empty_project_has_no_notebooks(run: Run, command: str) -> None:
    assert run(command).output == "no notebooks\n"
    assert run(command, "--json").output == "[]\n"
    assert run("plan").output == "0 of 0 notebooks would run\n"


@pytest.mark.parametrize("command", ["status", "plan", "why"])
def test_looking_at_what_is_cached_imports_no_library_of_jupyter(
    project_folder: Path, run_python: RunPython, command: str
) -> None:
    write_notebook(project_folder / "a.ipynb", "print(1)")
    run_main = "from sphinx_nbcache.cli import main; main([{!r}, '.'])"
    run_python(run_main.format("execute"), cwd=project_folder)
    code = f"""
import sys
try:
    {run_main.format(command)}
finally:
    heavy = {{"nbformat", "nbclient", "jupyter_client", "IPython", "zmq"}}
    print(sorted(heavy & sys.modules.keys()))
"""
    assert run_python(code, cwd=project_folder).stdout.endswith("\n[]\n")
