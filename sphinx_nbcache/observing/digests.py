"""Digests of files: computed once, and again only when a file was touched.

What is remembered of a file is its size, mtime and inode; as long as these stay, so does
its content. A file that was changed a moment ago may change once more without a trace in
its mtime, so it is not remembered yet.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Mapping

_PIECE_BYTES = 1 << 20
_LARGE_BYTES = 256 << 20
_TELL_BYTES = 64 << 20
_RACY_NS = 2_000_000_000
"""FAT has the coarsest clock that is still used: two seconds."""

Known = tuple[int, int, int, str]
"""Size, mtime in nanoseconds, inode, and digest."""
OnLarge = Callable[[str, int, int], None]
"""Called with a name, the bytes that are hashed, and all that there are."""


class Digests:
    """The digests of the files of one project.

    :param known: name to what is remembered of its file.
    :param on_large: told while a large file is being hashed.
    """

    def __init__(self, known: Mapping[str, Known], on_large: OnLarge | None = None) -> None:
        self._known = dict(known)
        self._on_large = on_large
        self._new: dict[str, Known] = {}

    def find(self, name: str, path: str) -> str | None:
        """Return the digest of a file's content; None where there is no readable file.

        :param name: what it is called in entries.
        """
        try:
            found = os.stat(path)  # noqa: PTH116 - a Path costs more than the stat
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        known = self._known.get(name)
        if known is not None and known[:3] == (found.st_size, found.st_mtime_ns, found.st_ino):
            return known[3]
        try:
            return self._compute(name, path)
        except OSError:
            return None

    def find_stamp(self, path: str) -> tuple[int, int, int] | None:
        """Return size, mtime and inode of a file now; None where there is none."""
        try:
            found = os.stat(path)  # noqa: PTH116 - a Path costs more than the stat
        except (OSError, ValueError):
            return None
        return found.st_size, found.st_mtime_ns, found.st_ino

    def note(self, name: str, stamp: tuple[int, int, int], digest: str) -> None:
        """Remember the digest of a file that had this stamp when it was read or written."""
        if time.time_ns() - stamp[1] > _RACY_NS:
            self._known[name] = self._new[name] = (*stamp, digest)

    def take_new(self) -> dict[str, Known]:
        """Return what the index does not know yet, once."""
        new, self._new = self._new, {}
        return new

    def _compute(self, name: str, path: str) -> str:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - text
            found = os.fstat(file.fileno())
            hasher, done = hashlib.sha256(), 0
            while piece := file.read(_PIECE_BYTES):
                hasher.update(piece)
                done += len(piece)
                if found.st_size > _LARGE_BYTES and done % _TELL_BYTES == 0 and self._on_large:
                    self._on_large(name, done, found.st_size)
            digest, after = hasher.hexdigest(), os.fstat(file.fileno())
        stamp = (after.st_size, after.st_mtime_ns, after.st_ino)
        if stamp == (found.st_size, found.st_mtime_ns, found.st_ino):
            self.note(name, stamp, digest)
        return digest
