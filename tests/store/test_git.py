"""Git as a program: what it is handed, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from sphinx_nbcache.config import SIGNING_VARIABLE
from sphinx_nbcache.errors import GitError
from sphinx_nbcache.store import run_git
from tests.conftest import ListProcesses, wait_until
from tests.git import git, own_git

__all__ = ["own_git"]


@pytest.fixture
def repository(own_git: None, tmp_path: Path) -> Path:
    """Return an empty repository."""
    git(tmp_path, "init", "--quiet")
    return tmp_path


def test_git_is_not_handed_the_signing_key_and_does_not_ask(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SIGNING_VARIABLE, "secret-0123456789")
    said = run_git(repository, "-c", "alias.tell=!env; cat", "tell")
    assert "GIT_TERMINAL_PROMPT=0" in said
    assert "secret" not in said


def test_a_git_that_does_not_answer_is_stopped_with_its_children(
    repository: Path, list_processes: ListProcesses
) -> None:
    with pytest.raises(GitError, match=r"does not answer within 0\.5 s"):
        run_git(repository, "-c", "alias.stay=!sleep 60", "stay", timeout_s=0.5)
    assert wait_until(lambda: not list_processes())


def test_a_password_in_an_address_is_not_shown(repository: Path) -> None:
    with pytest.raises(GitError) as caught:
        run_git(repository, "ls-remote", "nowhere://me:pass-word@host/x")
    assert "pass-word" not in str(caught.value)


def test_a_folder_that_was_committed_to_look_like_a_repository_is_none(repository: Path) -> None:
    cache, mark = repository / ".nbcache", repository / "mark"
    for folder in ("objects", "refs/heads"):
        (cache / folder).mkdir(parents=True)
    (cache / "HEAD").write_text("ref: refs/heads/main\n")
    settings = f'bare = false\nworktree = ..\nfsmonitor = "touch {mark}; false"'
    (cache / "config").write_text(f"[core]\nrepositoryformatversion = 0\n{settings}\n")
    with pytest.raises(GitError):
        run_git(cache, "status")
    assert not mark.exists()
