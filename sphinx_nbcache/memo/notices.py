"""Notices: what the user should know of memos, told once in a process.

In a kernel of a build a warning would end up on a page, so the build is told, by lines of a file.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path

from sphinx_nbcache.model import Topic


class MemoWarning(UserWarning):
    """A value is computed although it was asked for before, or is not kept; says why."""


class Notices:
    """The notices of one process.

    :param path: file of the build; None where they are warnings.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._told: set[str] = set()

    def tell(self, text: str, topic: Topic = Topic.REMOTE) -> None:
        """Say something, unless something of its kind was said: what stands before a colon."""
        kind = text.partition(":")[0]
        if kind in self._told:
            return
        self._told.add(kind)
        if self._path is None:
            warnings.warn(text, MemoWarning, stacklevel=4)
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{topic}\t{' '.join(text.split())}\n")

    def has_elsewhere(self, text: str) -> bool:
        """Return whether another kernel of the build has said something like this."""
        if self._path is None:
            return False
        try:
            return text in self._path.read_text(encoding="utf-8")
        except OSError:
            return False
