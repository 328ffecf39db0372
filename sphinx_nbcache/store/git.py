"""Git, asked and told as a program, which never asks back."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from sphinx_nbcache.config import leave_out_secrets, mask_address
from sphinx_nbcache.errors import GitError

_TIMEOUT_S = 60
_GRACE_S = 2
# Files that are committed in a cache could make it a repository, whose settings name programs.
_SAFE = ("-c", "safe.bareRepository=explicit")


def run_git(folder: Path, *words: str, timeout_s: float = _TIMEOUT_S) -> str:
    """Return what git says, without the line end; raises GitError."""
    try:
        process = subprocess.Popen(  # noqa: S603 - git with words of ours
            ["git", *_SAFE, *words],  # noqa: S607 - whichever git the user has
            cwd=folder,
            env=_make_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # also without a terminal, where ssh would ask
        )
        stdout, stderr = _communicate(process, timeout_s)
    except FileNotFoundError as error:
        raise GitError(folder, "git is not installed, or not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(folder, f"git does not answer within {timeout_s:g} s") from error
    except OSError as error:
        raise GitError(folder, f"git does not answer: {error}") from error
    if process.returncode:
        raise GitError(folder, _explain(stderr))
    return stdout.rstrip("\n")


def find_git_folder(path: Path) -> Path | None:
    """Return git's own folder for a place, which no commit can write to; None outside of all."""
    for folder in (path, *path.parents):
        found = folder / ".git"
        if found.is_dir():
            return found
        if found.is_file():  # of a worktree or submodule
            with suppress(OSError, UnicodeDecodeError):
                _, _, name = found.read_text(encoding="utf-8").partition("gitdir: ")
                return folder / name.strip()
    return None


def is_in_index(git: Path, pattern: re.Pattern[bytes]) -> bool:
    """Return whether git has a file with a path such as this; perhaps so where that is not told.

    Without a process: those who look how a notebook runs would see one.
    """
    try:
        found = [path.read_bytes() for path in (git / "index", *git.glob("sharedindex.*"))]
    except FileNotFoundError:
        return False
    except OSError:
        return True
    # From version 4 on, paths are not written out: https://git-scm.com/docs/index-format
    return any(data[4:8] > b"\0\0\0\3" or pattern.search(data) for data in found)


def _make_environment() -> dict[str, str]:
    return {
        **leave_out_secrets(os.environ),
        "LC_ALL": "C",
        "LANGUAGE": "",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _communicate(process: subprocess.Popen[str], timeout_s: float) -> tuple[str, str]:
    with process:
        try:
            return process.communicate(timeout=timeout_s)
        except BaseException:  # its children would go on, and hold the pipes
            _stop(process)
            raise


def _stop(process: subprocess.Popen[str]) -> None:
    """Stop a process that leads a session, with all that it has started."""
    if os.name == "nt":
        process.kill()
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)


def _explain(said: str) -> str:
    if "not a git repository" in said:
        return "this folder is in no git repository: go into one, or make one with `git init`"
    if "must be run in a work tree" in said:
        return "this git repository has no work tree"
    lines = [line for line in said.splitlines() if line.strip()] or ["it gives no reason"]
    return f"git refuses: {mask_address(lines[0].removeprefix('fatal: '))}"
