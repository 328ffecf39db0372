"""Atomic files: whole or not there, whatever kills the writer.

A file is written under a temporary name in the store's own ``tmp`` folder, flushed to
the disk and renamed; readers never see a part of it. A stamp tells a file that has not
been touched since.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import NamedTuple

_RENAME_TRIES = 20
_RENAME_WAIT_S = 0.05


class Stamp(NamedTuple):
    """How a file looks from outside: while this stays, so does its content."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def from_stat(cls, stat: os.stat_result) -> Stamp:
        """Take what matters from what the system says."""
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)


def take_stamp(path: str) -> Stamp | None:
    """Return a file's stamp, or None when it cannot be had."""
    try:
        return Stamp.from_stat(os.stat(path))  # noqa: PTH116 - a Path costs more than the stat
    except OSError:
        return None


def write_atomically(path: Path, data: bytes, *, tmp: Path) -> Stamp:
    """Write a file so that it is seen whole or not at all; return its stamp.

    :param tmp: folder for the temporary name, on the same file system.
    """
    tmp.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = tmp / f"{path.name[:16]}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        # Not tempfile: its 0600 would shut out those the cache is shared with.
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            stamp = Stamp.from_stat(os.fstat(file.fileno()))
        _replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return stamp


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
