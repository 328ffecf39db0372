"""Git, asked and told as a program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sphinx_nbcache.errors import GitError

_TIMEOUT_S = 60


def run_git(folder: Path, *words: str) -> str:
    """Return what git says, without the line end; raises GitError."""
    try:
        done = subprocess.run(  # noqa: S603 - git with words of ours
            ["git", *words],  # noqa: S607 - whichever git the user has
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "LANGUAGE": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitError(folder, "git is not installed, or not on PATH") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(folder, f"git does not answer: {error}") from error
    if done.returncode:
        raise GitError(folder, _explain(done.stderr))
    return done.stdout.rstrip("\n")


def _explain(said: str) -> str:
    if "not a git repository" in said:
        return "this folder is in no git repository: go into one, or make one with `git init`"
    if "must be run in a work tree" in said:
        return "this git repository has no work tree"
    lines = said.strip().splitlines() or ["it gives no reason"]
    return f"git refuses: {lines[0].removeprefix('fatal: ')}"
