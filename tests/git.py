"""Real git and git-lfs for tests, without the settings of the user."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

needs_lfs = pytest.mark.skipif(
    shutil.which("git-lfs") is None, reason="git-lfs is not installed: apt-get install git-lfs"
)


@pytest.fixture
def own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the user's settings of git out, and a repository around the tests, too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")


def git(folder: Path, *words: str, **variables: str) -> str:
    """Return what git prints; the settings of the user must be out of reach."""
    assert "GIT_CONFIG_GLOBAL" in os.environ, "needs the fixture own_git"
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commit(folder: Path) -> None:
    """Commit all that git does not ignore."""
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "State")


def publish(folder: Path, remote: Path) -> str:
    """Push a repository into a new one; return its address."""
    git(folder.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(folder, "remote", "add", "origin", remote.as_uri())
    git(folder, "push", "--quiet", "origin", "main")
    return remote.as_uri()


def clone(address: str, target: Path) -> Path:
    """Clone without the contents that git LFS keeps."""
    git(target.parent, "clone", "--quiet", address, str(target), GIT_LFS_SKIP_SMUDGE="1")
    return target


def find_changes(folder: Path, path: str = ".nbcache") -> str:
    """Return what git would commit of a path."""
    return git(folder, "status", "--porcelain", "--untracked-files=all", "--", path)


def hide_lfs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a PATH on which there is git, but no git-lfs."""
    folder.mkdir()
    found = shutil.which("git")
    assert found is not None
    (folder / "git").symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
