"""The ``nbcache`` command: exit statuses, and what it says."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import psutil
import pytest

from sphinx_nbcache.cli import main
from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import markdown_cell, write_notebook
from tests.cli.conftest import Run
from tests.conftest import wait_until


def test_executing_says_what_ran_and_then_that_all_are_hits(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "print(1)")
    write_notebook(project_folder / "b.ipynb", markdown_cell("no code"))
    cold = run("execute", ".")
    assert cold.exit_code == 0
    assert re.fullmatch(
        r"ran  a\.ipynb  \d+\.\d s\nnotebooks: 2 \(1 hits, 1 ran, 0 failed\)\n", cold.output
    )
    warm = run("execute", "a.ipynb", "b.ipynb")
    assert (warm.exit_code, warm.output) == (0, "notebooks: 2 (2 hits, 0 ran, 0 failed)\n")


def test_a_failure_is_told_with_its_place_and_the_exit_status_is_1(
    run: Run, project_folder: Path
) -> None:
    write_notebook(project_folder / "a.ipynb", "x = 1\n1 / 0")
    result = run("execute", "a.ipynb")
    assert result.exit_code == 1
    assert result.stderr == (
        "a.ipynb: ZeroDivisionError in cell 1, line 2: division by zero\n    1 / 0\n"
    )
    assert result.stdout.endswith("notebooks: 1 (0 hits, 0 ran, 1 failed)\n")


def test_force_runs_again_what_is_there(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "print(1)")
    for arguments, ran in ((["--force"], 1), ([], 0), (["-f", "-j", "1"], 1)):
        result = run("execute", "a.ipynb", *arguments)
        assert f", {ran} ran, 0 failed" in result.output


def test_a_notebook_that_passed_when_tried_again_is_told_with_its_first_failure(
    run: Run, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_RETRIES", "1")
    code = "from pathlib import Path\np = Path('tried')\nis_first = not p.exists()\np.touch()\n"
    write_notebook(project_folder / "a.ipynb", code + "assert not is_first, 'too early'")
    result = run("execute", "a.ipynb")
    assert (result.exit_code, result.stderr) == (0, "")
    note = r"attempt 2; the first failed: AssertionError in cell 1, line 5: too early"
    assert re.match(rf"ran  a\.ipynb  \d+\.\d s  \({note}\)\n", result.output)


def test_metadata_that_is_not_understood_is_a_warning(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "1", metadata={"nbcache": {"exclusiv": True}})
    for _ in range(2):
        result = run("execute", ".")
        assert result.exit_code == 0
        assert result.stderr == (
            "warning: a.ipynb: nbcache: unknown key 'exclusiv' (did you mean 'exclusive'?); "
            "known are depends, env, after, cache, max_age, fresh, exclusive, resource, timeout\n"
        )


def test_frozen_names_what_is_not_there_and_the_exit_status_is_1(
    run: Run, project_folder: Path
) -> None:
    write_notebook(project_folder / "a.ipynb", "print(1)")
    result = run("execute", "--frozen", ".")
    assert result.exit_code == 1
    assert result.stderr.startswith("a.ipynb: NotCachedError: its outputs are not in the cache")


def test_a_broken_file_is_told_and_the_exit_status_is_1(run: Run, project_folder: Path) -> None:
    (project_folder / "a.ipynb").write_text("{")
    result = run("execute", "a.ipynb")
    assert result.exit_code == 1
    assert result.stderr.startswith("a.ipynb: NotebookReadError: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["execute"], "Missing argument 'PATHS...'"),
        (["execute", "gone.ipynb"], "gone.ipynb: there is no such file"),
        (["execute", ".", "--jobs", "0"], "0 is not in the range"),
        (["execute", ".", "--jobs", "many"], "not a valid integer"),
        (["execute", ".", "--executor", "fast"], "executor = 'fast': expected one of"),
        (["execute", ".", "--executor-options", "x"], "executor_options = 'x': expected a dict"),
        (["execute", ".", "--nowhere"], "No such option"),
        (["nowhere"], "No such command 'nowhere'"),
        (["why", "nowhere"], "nowhere: no page of the documentation has this name"),
        (["plan", "nowhere"], "nowhere: no page of the documentation has this name"),
        (["status", "nowhere"], "nowhere: no page of the documentation has this name"),
        (["check"], "add --rerun"),
        (["check", "--rerun", "nowhere*"], "nowhere*: no notebook that is looked at"),
        (["check", "--rerun", "--ignore", "("], "expected a list of regular expressions"),
        (["--cache-path", "pyproject.toml", "verify"], "is a file"),
    ],
)
def test_wrong_use_is_explained_and_the_exit_status_is_2(
    run: Run, arguments: list[str], message: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["execute", "verify"])
def test_a_wrong_environment_variable_is_wrong_use(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("NBCACHE_JOBS", "many")
    result = run(command, *(["."] if command == "execute" else []))
    assert result.exit_code == 2
    assert "NBCACHE_JOBS = 'many': expected a whole number from 1" in result.stderr


def test_a_cache_that_cannot_be_written_is_one_sentence(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "1")
    result = run("--cache-path", "pyproject.toml/cache", "execute", "a.ipynb")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert "Traceback" not in result.output


def test_the_cache_lies_where_the_command_line_says(
    run: Run, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_PATH", "from_variable")
    assert run("verify").output == f"{project_folder / 'from_variable'}: sound\n"
    assert run("--cache-path", "given", "verify").output == f"{project_folder / 'given'}: sound\n"


class TestVerify:
    """``nbcache verify``."""

    @pytest.fixture
    def damaged(self, run: Run, project_folder: Path) -> Path:
        """Return the entry's file, whose content was altered."""
        write_notebook(project_folder / "a.ipynb", "print(1)")
        run("execute", ".")
        (path,) = (project_folder / ".nbcache").glob("entries/*/*/*.json")
        path.write_text("{}")
        return path

    def test_of_a_sound_cache_says_so(self, run: Run, project_folder: Path) -> None:
        result = run("verify")
        assert (result.exit_code, result.output) == (0, f"{project_folder / '.nbcache'}: sound\n")
        assert not (project_folder / ".nbcache").exists()

    def test_names_what_is_damaged_and_the_exit_status_is_1(
        self, run: Run, project_folder: Path, damaged: Path
    ) -> None:
        result = run("verify")
        assert result.exit_code == 1
        lines = [f"{damaged}: torn: not a complete JSON record",
                 f"{project_folder / '.nbcache'}: 1 damaged"]  # fmt: skip
        told = result.output.splitlines()
        assert [line for line in told if "nothing needs it" not in line] == lines
        assert damaged.exists()

    def test_repairs_it_and_the_exit_status_is_0(self, run: Run, damaged: Path) -> None:
        result = run("verify", "--repair")
        assert result.exit_code == 0
        assert result.output.startswith(f"removed: {damaged}: torn")
        assert not damaged.exists()
        assert run("verify").exit_code == 0


def _find_commands() -> list[list[str]]:
    assert isinstance(main, click.Group)
    return [[], *([name] for name in main.commands)]


@pytest.mark.parametrize("command", _find_commands(), ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_explains_itself_and_its_options(
    run: Run, command: list[str], option: str
) -> None:
    result = run(*command, option)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    assert isinstance(main, click.Group)
    shown: click.Command = main.commands[command[0]] if command else main
    for parameter in shown.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.name} has no help text"
            assert all(name in result.output for name in parameter.opts)


def test_it_says_its_version(run: Run) -> None:
    version = importlib.metadata.version("sphinx-nbcache")
    assert run("--version").output == f"nbcache, version {version}\n"


class TestProcess:
    """The installed command, as a process of its own."""

    def find_command(self) -> str:
        """Return the path of the script beside this interpreter."""
        path = Path(sys.executable).with_name("nbcache" + (".exe" if os.name == "nt" else ""))
        if not path.exists():
            pytest.skip("the package is not installed with its script")
        return str(path)

    @pytest.mark.parametrize(
        ("code", "status"), [("print(1)", 0), ("1 / 0", 1), ("import os; os._exit(3)", 1)]
    )
    def test_ends_with_its_status_and_leaves_nothing_behind(
        self,
        project_folder: Path,
        list_processes: Callable[[], list[psutil.Process]],
        code: str,
        status: int,
    ) -> None:
        write_notebook(project_folder / "a.ipynb", code)
        command = [self.find_command(), "execute", "."]
        result = subprocess.run(
            command, cwd=project_folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == status, result.stderr
        assert "Traceback" not in result.stderr
        assert not list_processes()

    @pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
    def test_stopped_by_ctrl_c_says_so_in_a_word_and_keeps_what_was_finished(
        self, project_folder: Path, list_processes: Callable[[], list[psutil.Process]]
    ) -> None:
        quick = write_notebook(project_folder / "quick.ipynb", "print(1)")
        slow = "open('started', 'w').close(); import time; time.sleep(1000)"
        write_notebook(project_folder / "slow.ipynb", slow, metadata={"execution": {"timeout": -1}})
        child = subprocess.Popen(
            [self.find_command(), "execute", ".", "-j", "2"],
            cwd=project_folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline().startswith("ran  quick.ipynb")
        assert wait_until((project_folder / "started").exists, 60)
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=30)
        assert child.returncode == 1
        assert stderr.strip() == "Aborted!"
        assert not list_processes()
        assert NotebookCache(project=project_folder).find(quick) is not None

    @pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
    def test_a_check_stopped_by_ctrl_c_leaves_no_process_and_no_scratch_folder(
        self,
        project_folder: Path,
        tmp_path: Path,
        list_processes: Callable[[], list[psutil.Process]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        mark = tmp_path / "mark"
        code = f"import os, time\nopen({str(mark)!r}, 'w').close()"
        code += "\ntime.sleep(int(os.environ.get('SECONDS_TO_SLEEP', 0)))"
        path = write_notebook(project_folder / "slow.ipynb", code)
        NotebookCache(project=project_folder).execute([path])
        mark.unlink()
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setenv("SECONDS_TO_SLEEP", "1000")
        child = subprocess.Popen(
            [self.find_command(), "check", "--rerun"],
            cwd=project_folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert wait_until(mark.exists, 60)
        assert list(temporary.glob("nbcache-check-*"))
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=30)
        assert (child.returncode, stderr.strip()) == (1, "Aborted!")
        assert not list_processes()
        assert not list(temporary.glob("nbcache-check-*"))
