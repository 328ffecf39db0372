"""Memos on the disk: ``memos/ab/<family>/<key>.json``, whole or not at all.

The file's own time tells when the value was asked for last, as a day: a hit writes
nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sphinx_nbcache.model import ForeignFormatError, Memo
from sphinx_nbcache.store.entries import Problem
from sphinx_nbcache.store.files import read_if_exists, write_atomically

_RELATIVE_USE_S = 24 * 3600


class Memos:
    """The records below one folder."""

    def __init__(self, folder: Path, tmp: Path) -> None:
        self.folder = folder
        self._tmp = tmp
        self._root = os.fspath(folder)

    def write(self, memo: Memo) -> Path:
        """Store a memo; an earlier one of the same question is replaced."""
        path = self.get_path(memo)
        write_atomically(path, memo.to_bytes(), tmp=self._tmp)
        return path

    def has(self, memo: Memo) -> bool:
        """Return whether there is a sound answer to the same question."""
        return isinstance(self.find(memo.family, memo.key), Memo)

    def get_path(self, memo: Memo) -> Path:
        """Return where a memo is stored."""
        return self.folder_of(memo.family) / f"{memo.key}.json"

    def find(self, family: str, key: str) -> Memo | Problem | None:
        """Return what is recorded for a question, sound or not."""
        # Built from texts: three joined paths cost as much as all the rest of a hit.
        name = f"{self._root}/{family[:2]}/{family}/{key}.json"
        try:
            with open(name, "rb", buffering=0) as file:  # noqa: PTH123
                data = file.read()
                changed_at = os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        try:
            memo = Memo.from_bytes(data)
        except ValueError:
            return self.parse(Path(name), data)
        if (memo.family, memo.key) != (family, key):
            return self.parse(Path(name), data)
        if time.time() - changed_at > _RELATIVE_USE_S:
            with suppress(OSError):  # others may own the cache
                os.utime(name)
        return memo

    def read(self, path: Path) -> Memo | Problem:
        """Return the memo in a file, or what is wrong with it."""
        try:
            data = read_if_exists(path)
        except OSError as error:
            return Problem(path, str(error), is_removable=False)
        return Problem(path, "gone while it was read") if data is None else self.parse(path, data)

    def parse(self, path: Path, data: bytes) -> Memo | Problem:
        """Return the memo in a file's bytes, or what is wrong with it."""
        try:
            memo = Memo.from_bytes(data)
        except ForeignFormatError as error:
            return Problem(path, str(error), is_damage=False, is_removable=False)
        except ValueError as error:
            return Problem(path, str(error))
        if (path.parent.name, path.stem) != (memo.family, memo.key):
            return Problem(path, "misplaced: its name does not fit its content")
        return memo

    def remove_family(self, family: str) -> None:
        """Remove all memos of a family; their objects go when the store is pruned."""
        for path in self.list_paths_of(family):
            path.unlink(missing_ok=True)

    def list_paths_of(self, family: str) -> list[Path]:
        """Return the files of a family."""
        return sorted(self.folder_of(family).glob("*.json"))

    def list_paths_since(self, since: float) -> Iterator[Path]:
        """Yield the files of the memos that were stored, or asked for again, since some time."""
        for path in self.list_paths():
            with suppress(OSError):
                if path.stat().st_mtime >= since:
                    yield path

    def list_paths(self) -> Iterator[Path]:
        """Yield the files of all memos."""
        yield from sorted(self.folder.glob("??/*/*.json"))

    def folder_of(self, family: str) -> Path:
        """Return the folder of a family's files."""
        return self.folder / family[:2] / family
