"""Tracking: a cache that lives in a git repository, and what git takes of it and how.

Owns the lines of the cache's own ``.gitignore`` and ``.gitattributes``; what else is in them is the
user's, and stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.errors import GitError, StoreError
from sphinx_nbcache.store.files import read_if_exists, write_atomically
from sphinx_nbcache.store.folder import MARK
from sphinx_nbcache.store.git import run_git

_IGNORE_ALL = "*"
_IGNORED = ("index.sqlite*", "locks/", "tmp/")
"""What belongs to one machine. The project's list is for all: it is no cache."""
_ATTRIBUTES = (
    "* -text",  # digests are of bytes: no line end is to be changed
    # A merge leaves one side of a conflict, which is sound, and no marks in the file.
    "entries/** -merge",
    "memos/** -merge",
    "objects/** -merge -diff",
)
_LFS = (
    "objects/** filter=lfs diff=lfs",
    "objects/*/*.chunks !filter !diff",  # small texts, without which no chunk can be asked for
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """How git takes a cache."""

    written: tuple[Path, ...]
    """Files that were made, or got lines."""
    is_ignored: bool
    """Whether something outside the cache keeps git from taking it."""
    is_known: bool
    """Whether there are files of it in the repository already."""
    has_filter: bool
    """Whether the filter of git LFS is set up for this user or repository."""


def require_repository(path: Path) -> None:
    """Raise GitError unless a folder is in a git repository, or would be."""
    folder = path
    while not folder.is_dir():
        folder = folder.parent
    try:
        run_git(folder, "rev-parse", "--show-toplevel")
    except GitError as error:
        raise GitError(path, error.reason) from error


def track_folder(path: Path, *, has_lfs: bool, tmp: Path) -> Tracking:
    """Have git take a cache, but for what belongs to one machine.

    :param has_lfs: whether objects go to git LFS; what was said before stays.

    Raises GitError outside of a repository, StoreError when a file cannot be read or written.
    """
    lines = (*_ATTRIBUTES, *(_LFS if has_lfs else ()))
    wanted = {".gitignore": _IGNORED, ".gitattributes": lines}
    changed = (_add_lines(path / name, ours, tmp=tmp) for name, ours in wanted.items())
    written = tuple(file for file in changed if file is not None)
    ask = ("ls-files", "--others", "--ignored", "--exclude-standard", "--", MARK)
    return Tracking(
        written=written,
        is_ignored=bool(run_git(path, *ask)),
        is_known=bool(run_git(path, "ls-files", "--", "objects")),
        has_filter=bool(run_git(path, "config", "--default", "", "--get", "filter.lfs.clean")),
    )


def _add_lines(path: Path, lines: Iterable[str], *, tmp: Path) -> Path | None:
    """Return a file if it had to be written to have some lines."""
    try:
        before = (read_if_exists(path) or b"").decode("utf-8").splitlines()
        after = [line for line in before if line.strip() != _IGNORE_ALL]
        after += [line for line in lines if line not in after]
        if after == before:
            return None
        write_atomically(path, "".join(f"{line}\n" for line in after).encode(), tmp=tmp)
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(path.parent, f"its {path.name} cannot be changed: {error}") from error
    return path
