"""Completion: click's answers, and what real shells make of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.conftest import RunPython

LINES = {
    "bash": 'eval "$(_NBCACHE_COMPLETE=bash_source nbcache)"',
    "zsh": 'eval "$(_NBCACHE_COMPLETE=zsh_source nbcache)"',
    "fish": "_NBCACHE_COMPLETE=fish_source nbcache | source",
}
_MAIN = "from sphinx_nbcache.cli import main; main(prog_name='nbcache')"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a command ``nbcache`` of this interpreter on PATH; return an empty folder."""
    script = tmp_path / "bin" / "nbcache"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\n{_MAIN}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def ask(
    monkeypatch: pytest.MonkeyPatch, run_python: RunPython, line: str, shell: str = "zsh"
) -> list[str]:
    """Return the lines that a shell is answered when the end of a line is completed."""
    words = line.split(" ")
    # fish hands on the words before the last one, and the last one in place of its number.
    position = words[-1] if shell == "fish" else str(len(words) - 1)
    monkeypatch.setenv("_NBCACHE_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", position)
    return run_python(_MAIN).stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nbcache st", ["status", "strip"]),
        ("nbcache execute --fr", ["--frozen"]),
        (
            "nbcache execute -e ",
            ["local-serial", "local-parallel", "temp-serial", "temp-parallel"],
        ),
        ("nbcache --autocomplete z", ["zsh"]),
    ],
)
def test_commands_options_and_values_are_completed(
    monkeypatch: pytest.MonkeyPatch,
    run_python: RunPython,
    shell: str,
    line: str,
    expected: list[str],
) -> None:
    answer = "\n".join(ask(monkeypatch, run_python, line, shell))
    assert [word for word in expected if word in answer] == expected
    assert "verify" not in answer


@pytest.mark.parametrize("command", ["execute", "why", "plan", "status", "strip"])
def test_paths_are_left_to_the_shell(
    monkeypatch: pytest.MonkeyPatch, run_python: RunPython, command: str
) -> None:
    assert ask(monkeypatch, run_python, f"nbcache {command} do")[0] == "file"


def test_completing_imports_nothing_heavy_and_opens_no_cache(
    monkeypatch: pytest.MonkeyPatch, run_python: RunPython
) -> None:
    monkeypatch.setenv("_NBCACHE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "nbcache execute -e ")
    monkeypatch.setenv("COMP_CWORD", "3")
    code = f"""
import sys
try:
    {_MAIN}
finally:
    heavy = {{"sphinx", "nbformat", "jupyter_client", "sqlite3", "sphinx_nbcache.pipeline"}}
    print(sorted(heavy & sys.modules.keys()))
"""
    assert run_python(code).stdout.endswith("\n[]\n")


@pytest.mark.parametrize("shell", LINES)
def test_the_line_for_a_shell_is_all_of_standard_output(
    run: Run, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    named = run("--autocomplete", shell)
    assert (named.exit_code, named.stdout) == (0, f"{LINES[shell]}\n")
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    assert run("-a").stdout == named.stdout


def test_an_unknown_shell_is_wrong_use(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    result = run("-a")
    assert result.exit_code == 2
    assert "the shell 'tcsh' has no completion here: name one of bash, zsh, fish" in result.stderr


def complete_in(shell: str, script: str, folder: Path) -> list[str]:
    """Return what a shell prints that has run the line which ``--autocomplete`` prints."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    clean = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [path, *clean, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_completes(commands: Path) -> None:
    script = f"""{LINES["bash"]}
COMP_WORDS=(nbcache ver) COMP_CWORD=1
_nbcache_completion nbcache
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p nbcache
"""
    found, registered = complete_in("bash", script, commands)
    assert found == "verify"
    assert "_nbcache_completion" in registered
    assert list(commands.iterdir()) == []


def test_zsh_completes(commands: Path) -> None:
    # Outside of its line editor zsh has no list to add to: what would be added is printed.
    script = f"""compdef() {{ print -r -- "$@" }}
_describe() {{ print -rl -- "${{(@P)2}}"; print -rl -- "${{(@P)3}}" }}
compadd() {{ print -r -- "$@" }}
{LINES["zsh"]}
words=(nbcache ver) CURRENT=2
_nbcache_completion
"""
    registered, *found = complete_in("zsh", script, commands)
    assert registered == "_nbcache_completion nbcache"
    assert "verify" in " ".join(found)
    assert list(commands.iterdir()) == []


def test_fish_completes(commands: Path) -> None:
    (found,) = complete_in("fish", f"{LINES['fish']}\ncomplete -C 'nbcache ver'", commands)
    assert found.split("\t")[0] == "verify"
    assert list(commands.iterdir()) == []


class TestPrintPath:
    """``nbcache --print-path``."""

    @pytest.mark.parametrize("option", ["-p", "--print-path"])
    def test_prints_the_folder_and_does_not_make_it(
        self, run: Run, project_folder: Path, option: str
    ) -> None:
        result = run(option)
        assert (result.exit_code, result.output) == (0, f"{project_folder / '.nbcache'}\n")
        assert not (project_folder / ".nbcache").exists()

    @pytest.mark.parametrize(
        "arguments", [["-p", "--cache-path", "x"], ["--cache-path", "x", "-p"]]
    )
    def test_follows_the_option_wherever_it_stands(
        self, run: Run, project_folder: Path, arguments: list[str]
    ) -> None:
        assert run(*arguments).output == f"{project_folder / 'x'}\n"

    def test_explains_a_wrong_variable(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NBCACHE_JOBS", "many")
        assert run("-p").exit_code == 2
