"""The git filter that strips notebooks on their way into a repository: set up, looked at, removed.

Only git itself is asked and told; what a notebook is, is not known here.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from sphinx_nbcache.errors import GitError
from sphinx_nbcache.store import run_git

_NAME = "nbcache"
_LINE = f"*.ipynb filter={_NAME}"
_ASK = ("--default", "", "--get", f"filter.{_NAME}.clean")
_EXAMPLE = "notebook.ipynb"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterState:
    """How the filter is set up in a repository."""

    root: Path
    """The top folder of the work tree."""
    command: str
    """What git runs; empty where nothing is set up."""
    applied: str
    """Name of the filter that git applies to ``.ipynb`` files; empty if there is none."""

    @property
    def is_installed(self) -> bool:
        """Return whether notebooks are stripped."""
        return bool(self.command) and self.applied == _NAME


def make_command(options: Iterable[str]) -> str:
    """Return the command of the filter, which works without the virtual environment.

    :param options: of ``nbcache strip``.
    """
    # In the form that the shell understands which git brings to Windows. With -P: git runs it
    # in the repository, whose own modules must not stand in for the library.
    words = [PureWindowsPath(sys.executable).as_posix() if _is_windows() else sys.executable]
    words += ["-P", "-m", "sphinx_nbcache", "strip", *options, "--stdin-filename"]
    quoted = shlex.join(words).replace("%", "%%")  # git puts the name for %f, itself quoted
    return f"{quoted} %f -"


def install_filter(folder: Path, command: str, attributes: Path | None = None) -> FilterState:
    """Set the filter up in the repository that a folder is in.

    :param command: what git runs; see ``make_command``.
    :param attributes: the file that says which files it is for; by default one of the
        repository's own, which is not committed.

    Raises GitError.
    """
    _find_root(folder)
    run_git(folder, "config", "--local", f"filter.{_NAME}.clean", command)
    run_git(folder, "config", "--local", f"filter.{_NAME}.smudge", "cat")
    if attributes is not None:
        _add_line(attributes)
        return find_filter(attributes.parent)
    if not find_filter(folder).is_installed:
        _add_line(_find_own_attributes(folder))
    return find_filter(folder)


def remove_filter(folder: Path, attributes: Path | None = None) -> FilterState:
    """Take the filter out of the repository that a folder is in.

    :param attributes: a further file that may name it.

    Raises GitError.
    """
    _find_root(folder)
    if run_git(folder, "config", "--local", *_ASK):
        run_git(folder, "config", "--local", "--remove-section", f"filter.{_NAME}")
    _remove_line(_find_own_attributes(folder))
    if attributes is not None:
        _remove_line(attributes)
    return find_filter(folder)


def find_filter(folder: Path) -> FilterState:
    """Return how the filter is set up for notebooks in a folder of a repository.

    Raises GitError.
    """
    root = _find_root(folder)
    applied = run_git(folder, "check-attr", "filter", "--", _EXAMPLE).rpartition(": ")[2]
    return FilterState(
        root=root,
        command=run_git(folder, "config", *_ASK),
        applied="" if applied in {"unspecified", "unset", "set"} else applied,
    )


def _find_root(folder: Path) -> Path:
    return Path(run_git(folder, "rev-parse", "--show-toplevel"))


def _add_line(path: Path) -> None:
    lines = _read_lines(path)
    if _LINE not in lines:
        _write_lines(path, [*lines, _LINE])


def _remove_line(path: Path) -> None:
    lines = _read_lines(path)
    if _LINE in lines:
        _write_lines(path, [line for line in lines if line != _LINE])


def _find_own_attributes(folder: Path) -> Path:
    """Return the file of attributes that belongs to the repository, and to no commit.

    In a worktree or a submodule it lies elsewhere than below ``.git``: only git knows.
    """
    return folder / run_git(folder, "rev-parse", "--git-path", "info/attributes")


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise GitError(path, f"cannot be read: {error}") from error


def _write_lines(path: Path, lines: list[str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        if not lines:
            path.unlink()
    except OSError as error:
        raise GitError(path, f"cannot be written: {error}") from error


def _is_windows() -> bool:
    return sys.platform == "win32"
