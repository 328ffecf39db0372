"""The git filter in real repositories: notebooks are clean in commits, whatever the files hold."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.errors import GitError
from sphinx_nbcache.pipeline import find_filter, install_filter, make_command, remove_filter
from sphinx_nbcache.testing import code_cell, write_notebook

OUTPUT = {"output_type": "stream", "name": "stdout", "text": "1\n"}
CLEAN = code_cell("print(1)")
EXECUTED = {**code_cell("print(1)", outputs=[OUTPUT]), "execution_count": 1}


@pytest.fixture(autouse=True)
def _own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the user's settings of git out, and a repository around the tests, too."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")


def git(folder: Path, *words: str) -> str:
    """Return what git prints."""
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository in a folder whose name a shell would take apart."""
    folder = tmp_path / "my repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def is_clean_in_commit(folder: Path, name: str = "a.ipynb") -> bool:
    """Return whether what is staged of a notebook has no outputs."""
    content: dict[str, Any] = json.loads(git(folder, "show", f":{name}"))
    return not content["cells"][0]["outputs"]


def test_an_executed_notebook_is_no_change_and_keeps_its_outputs(repository: Path) -> None:
    assert install_filter(repository, make_command([])).is_installed
    path = write_notebook(repository / "a.ipynb", CLEAN)
    git(repository, "add", ".")
    git(repository, "commit", "-m", "Begin")
    write_notebook(path, EXECUTED)
    assert git(repository, "diff") == ""
    git(repository, "add", ".")  # without it, git takes another size for a change
    assert git(repository, "status", "--porcelain") == ""
    assert "stdout" in path.read_text()
    write_notebook(path, {**EXECUTED, "source": "print(2)"})
    assert git(repository, "diff", "--stat").endswith(
        "1 file changed, 1 insertion(+), 1 deletion(-)\n"
    )


def test_what_is_no_notebook_is_committed_as_it_is(repository: Path) -> None:
    install_filter(repository, make_command([]))
    (repository / "a.ipynb").write_text("<<<<<<< ours\n")
    said = git(repository, "add", "a.ipynb")
    assert "warning: a.ipynb: cannot be read as a notebook: it is not JSON" in said
    assert git(repository, "show", ":a.ipynb") == "<<<<<<< ours\n"


def test_modules_of_the_repository_do_not_stand_in_for_the_library(repository: Path) -> None:
    for name in ("json", "click", "sphinx_nbcache"):
        (repository / f"{name}.py").write_text("raise SystemExit('mine')")
    install_filter(repository, make_command([]))
    write_notebook(repository / "a.ipynb", EXECUTED)
    git(repository, "add", "a.ipynb")
    assert is_clean_in_commit(repository)


def test_names_with_spaces_and_quotes_reach_the_filter(repository: Path) -> None:
    install_filter(repository, make_command([]))
    write_notebook(repository / "it's new.ipynb", EXECUTED)
    assert git(repository, "add", ".") == ""
    assert is_clean_in_commit(repository, "it's new.ipynb")


def test_the_interpreter_is_named_in_full_and_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/my envs/50%/python")
    command = make_command(["--keep-count"])
    assert shlex.split(command)[0] == "/my envs/50%%/python"
    assert command.endswith("strip --keep-count --stdin-filename %f -")


def test_a_worktree_and_its_repository_share_the_filter(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "--allow-empty", "-m", "Begin")
    git(repository, "worktree", "add", str(tmp_path / "tree"))
    assert install_filter(tmp_path / "tree", make_command([])).is_installed
    assert find_filter(repository).is_installed
    write_notebook(tmp_path / "tree" / "a.ipynb", EXECUTED)
    git(tmp_path / "tree", "add", ".")
    assert is_clean_in_commit(tmp_path / "tree")


def test_a_submodule_has_a_filter_of_its_own(repository: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.mkdir()
    git(part, "init", "--quiet")
    git(part, "commit", "--allow-empty", "-m", "Begin")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", str(part), "part")
    assert install_filter(repository / "part", make_command([])).is_installed
    assert not find_filter(repository).is_installed
    write_notebook(repository / "part" / "a.ipynb", EXECUTED)
    git(repository / "part", "add", ".")
    assert is_clean_in_commit(repository / "part")


def test_installing_twice_and_removing_leave_what_others_wrote(repository: Path) -> None:
    own = repository / ".git" / "info" / "attributes"
    own.parent.mkdir(exist_ok=True)
    own.write_text("*.png binary")
    for _ in range(2):
        install_filter(repository, make_command([]))
    assert own.read_text() == "*.png binary\n*.ipynb filter=nbcache\n"
    state = remove_filter(repository)
    assert (state.command, state.applied) == ("", "")
    assert own.read_text() == "*.png binary\n"
    assert remove_filter(repository) == state


def test_attributes_can_be_those_that_are_committed(repository: Path) -> None:
    shared = repository / ".gitattributes"
    assert install_filter(repository, make_command([]), shared).is_installed
    assert shared.read_text() == "*.ipynb filter=nbcache\n"
    assert not (repository / ".git/info/attributes").exists()
    state = remove_filter(repository)
    assert (state.command, state.applied) == ("", "nbcache")
    assert not remove_filter(repository, shared).applied
    assert not shared.exists()


def test_another_filter_is_seen(repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.ipynb filter=other\n")
    assert find_filter(repository).applied == "other"
    assert install_filter(repository, make_command([])).is_installed


def test_outside_of_a_repository_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="this folder is in no git repository"):
        install_filter(tmp_path, make_command([]))


def test_without_git_the_error_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(GitError, match="git is not installed"):
        find_filter(repository)
