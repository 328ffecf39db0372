"""Atomic files: whole or not there, whatever kills the writer.

A file is written under a temporary name in the store's own ``tmp`` folder, flushed to
the disk and renamed; readers never see a part of it.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

_RENAME_TRIES = 20
_RENAME_WAIT_S = 0.05


def write_atomically(path: Path, data: bytes, *, tmp: Path) -> None:
    """Write a file so that it is seen whole or not at all.

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
        _replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


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
