"""Atomic files: whole or not there, whatever kills the writer.

A file is written under a temporary name in the store's own ``tmp`` folder, flushed to
the disk and renamed; readers never see a part of it. A file outside the store is made
in the same way beside its place. A stamp tells a file that has not been touched since.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

Piece = bytes | bytearray | memoryview
DRAFT_PREFIX = ".nbcache-"
"""Starts the temporary name of a file that is made outside the store."""
ABANDONED_S = 3600
"""A draft that nobody has written to for so long has lost its writer."""
_RENAME_TRIES = 20
_RENAME_WAIT_S = 0.05


class Stamp(NamedTuple):
    """How a file looks from outside: while this stays, so does its content."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def from_stat(cls, found: os.stat_result) -> Stamp:
        """Take what matters from what the system says."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


def take_stamp(path: str) -> Stamp | None:
    """Return a file's stamp, or None when it cannot be had."""
    try:
        return Stamp.from_stat(os.stat(path))  # noqa: PTH116 - a Path costs more than the stat
    except OSError:
        return None


def weigh_file(path: Path) -> int:
    """Return the bytes of a file; 0 where there is none."""
    stamp = take_stamp(str(path))
    return 0 if stamp is None else stamp.size


def write_atomically(path: Path, data: bytes | Iterable[Piece], *, tmp: Path) -> Stamp:
    """Write a file so that it is seen whole or not at all; return its stamp.

    :param data: its bytes, at once or in pieces; what raises while they are made leaves
        everything as it was.
    :param tmp: folder for the temporary name, on the same file system.
    """
    tmp.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = tmp / f"{path.name[:16]}-{_make_suffix()}"
    pieces: Iterable[Piece] = (data,) if isinstance(data, bytes) else data
    try:
        # Not tempfile: its 0600 would shut out those the cache is shared with.
        with draft.open("xb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            stamp = Stamp.from_stat(os.fstat(file.fileno()))
        _replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return stamp


def place_atomically(
    path: Path,
    pieces: Iterable[bytes],
    *,
    mode: int,
    confirm: Callable[[], None],
    is_flushed: bool = False,
) -> Stamp:
    """Write a file outside the store, through a draft beside it; return its stamp.

    :param pieces: its bytes; what raises while they are made leaves everything as it was.
    :param mode: its permissions.
    :param confirm: called just before the file takes its place; may raise, too.
    :param is_flushed: put it on the disk first; not needed for what can be made again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{DRAFT_PREFIX}{_make_suffix()}")
    # Nobody else may read it before it has the permissions it is to have.
    opener = partial(os.open, mode=0o600)
    try:
        with open(draft, "xb", opener=opener) as file:
            file.writelines(pieces)
            file.flush()
            if is_flushed:
                os.fsync(file.fileno())
            stamp = Stamp.from_stat(os.fstat(file.fileno()))
        draft.chmod(mode & 0o777)
        confirm()
        _replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return stamp


def _make_suffix() -> str:
    return f"{os.getpid()}-{secrets.token_hex(4)}"


def remove_abandoned_drafts(folder: Path) -> None:
    """Remove what killed processes left in a folder outside the store."""
    with suppress(OSError):
        for path in folder.glob(f"{DRAFT_PREFIX}*"):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > ABANDONED_S:
                path.unlink()


def _replace(draft: Path, path: Path) -> None:
    """Rename over the target; on Windows a reader can hold it for a moment."""
    for remaining in reversed(range(_RENAME_TRIES)):
        try:
            draft.replace(path)
            return
        except PermissionError:
            if os.name != "nt" or not remaining:
                raise
            time.sleep(_RENAME_WAIT_S)


def read_if_exists(path: Path) -> bytes | None:
    """Return a file's bytes, or None when there is no such file."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_with_stamp(path: Path) -> tuple[bytes, Stamp] | None:
    """Return a file's bytes and the stamp they had, or None when there is no such file."""
    try:
        with path.open("rb") as file:
            stamp = Stamp.from_stat(os.fstat(file.fileno()))
            return file.read(), stamp
    except (FileNotFoundError, NotADirectoryError):
        return None
