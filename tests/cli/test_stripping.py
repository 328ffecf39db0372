"""The command ``strip``: what it says, exit statuses, and standard input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sphinx_nbcache.cli import main
from sphinx_nbcache.testing import code_cell, write_notebook
from tests.cli.conftest import Run

OUTPUT = {"output_type": "stream", "name": "stdout", "text": "1\n"}


@pytest.fixture
def executed(project_folder: Path) -> Path:
    """Return a notebook with an output, beside one without."""
    write_notebook(project_folder / "clean.ipynb", "print(1)")
    return write_notebook(project_folder / "a.ipynb", code_cell("print(1)", outputs=[OUTPUT]))


def test_it_names_what_it_stripped_and_then_nothing_is_left(run: Run, executed: Path) -> None:
    first = run("strip", ".")
    assert (first.exit_code, first.output) == (
        0,
        "stripped  a.ipynb\nnotebooks: 2 (1 stripped, 1 clean, 0 failed)\n",
    )
    assert "stdout" not in executed.read_text()
    assert run("strip", ".").output == "notebooks: 2 (0 stripped, 2 clean, 0 failed)\n"


def test_a_check_writes_nothing_and_its_exit_status_is_1(run: Run, executed: Path) -> None:
    before = executed.read_bytes()
    result = run("strip", "--check", "a.ipynb", "clean.ipynb")
    assert (result.exit_code, result.output.splitlines()[0]) == (1, "has outputs  a.ipynb")
    assert executed.read_bytes() == before
    assert run("strip", "--check", "clean.ipynb").exit_code == 0


def test_a_broken_file_is_named_and_the_exit_status_is_1(run: Run, executed: Path) -> None:
    executed.with_name("broken.ipynb").write_text("{")
    result = run("strip", ".")
    assert result.exit_code == 1
    assert result.stderr.startswith("broken.ipynb: cannot be read as a notebook: it is not JSON")
    assert "(1 stripped, 1 clean, 1 failed)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name files or folders, or - for standard input"),
        (["gone.ipynb"], "gone.ipynb: there is no such file"),
        (["-", "."], "- stands alone"),
        (["--install", "."], "--install takes neither paths nor --check"),
        (["--status"], "this folder is in no git repository"),
        ([".", "--attributes", "x"], "--attributes goes with --install or --uninstall"),
        ([".", "--extra-key", "x"], "expected a key that begins with"),
    ],
)
def test_wrong_use_is_explained_and_the_exit_status_is_2(
    run: Run, project_folder: Path, arguments: list[str], message: str
) -> None:
    result = run("strip", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


class TestStandardInput:
    """``nbcache strip -``, as git calls it."""

    def test_a_notebook_comes_out_without_outputs(self, executed: Path) -> None:
        result = CliRunner().invoke(main, ["strip", "-"], input=executed.read_bytes())
        assert result.stdout_bytes == write_notebook(executed, "print(1)").read_bytes()
        assert result.stderr == ""

    @pytest.mark.parametrize("data", [b"", b"\xff\x00no notebook\r\n", b'{"nbformat": 4}'])
    def test_what_is_no_notebook_passes_with_a_warning(self, data: bytes) -> None:
        arguments = ["strip", "--stdin-filename", "docs/a.ipynb", "-"]
        result = CliRunner().invoke(main, arguments, input=data)
        assert (result.exit_code, result.stdout_bytes) == (0, data)
        assert result.stderr.startswith("warning: docs/a.ipynb: cannot be read as a notebook: ")

    def test_a_check_only_says_it(self, executed: Path) -> None:
        result = CliRunner().invoke(main, ["strip", "--check", "-"], input=executed.read_bytes())
        assert (result.exit_code, result.stdout) == (1, "has outputs  standard input\n")

    def test_it_is_also_a_module_of_the_interpreter(self, executed: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "sphinx_nbcache", "strip", "-"],
            input=executed.read_bytes(),
            capture_output=True,
            check=True,
        )
        assert b"stdout" not in done.stdout


def test_the_filter_is_installed_shown_and_removed(
    run: Run, project_folder: Path, executed: Path
) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=project_folder, check=True)
    assert run("strip", "--status").exit_code == 1
    installed = run("strip", "--install", "--keep-count")
    assert installed.exit_code == 0
    assert "--keep-count --stdin-filename %f -" in installed.output
    assert run("strip", "--status").exit_code == 0
    removed = run("strip", "--uninstall")
    assert removed.output == f"{project_folder}: git does not strip notebooks\n"
    assert run("strip", "--status").exit_code == 1
