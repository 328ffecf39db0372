"""Entries: immutable records, found by key.

``entries/ab/<key>/<inputs digest>.json``. Knows where they lie and how to tell a
sound one; does not know whether an entry's inputs still hold.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.model import Entry, ForeignFormatError, Key, Memo
from sphinx_nbcache.store.files import read_if_exists, take_stamp, write_atomically


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the store that is not as it was written."""

    path: Path
    reason: str
    is_damage: bool = True
    """Whether something is lost; False for what only takes space."""
    is_removable: bool = True
    """Whether it is of no use to anybody; False for what another version, or user, can read."""
    is_refused: bool = False
    """Whether it is sound, but not signed with one of the keys."""
    is_unfetched: bool = False
    """Whether it only waits for what git LFS keeps."""

    def __str__(self) -> str:
        """Return what people read: where, and what."""
        return f"{self.path}: {self.reason}"


class Entries:
    """The entries below one folder."""

    def __init__(self, folder: Path, tmp: Path) -> None:
        self.folder = folder
        self._tmp = tmp

    def write(self, entry: Entry) -> Path:
        """Store an entry; an earlier one with the same key and inputs is replaced."""
        path = self.get_path(entry)
        write_atomically(path, entry.to_bytes(), tmp=self._tmp)
        return path

    def find(self, key: Key) -> Iterator[Entry | Problem]:
        """Yield what is recorded for a key, sound or not."""
        folder = self._folder_of(key)
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - a glob costs five times as much
        except OSError:
            return
        for name in names:
            if name.endswith(".json"):
                yield self.read(folder / name)

    def read(self, path: Path) -> Entry | Problem:
        """Return the entry in a file, or what is wrong with it."""
        try:
            data = read_if_exists(path)
        except OSError as error:
            return Problem(path, str(error), is_removable=False)
        return Problem(path, "gone while it was read") if data is None else self.parse(path, data)

    def parse(self, path: Path, data: bytes) -> Entry | Problem:
        """Return the entry in a file's bytes, or what is wrong with it."""
        try:
            entry = Entry.from_bytes(data)
        except ForeignFormatError as error:
            return Problem(path, str(error), is_damage=False, is_removable=False)
        except ValueError as error:
            return Problem(path, str(error))
        if (path.parent.name, path.stem) != (entry.key, entry.inputs.digest):
            return Problem(path, "misplaced: its name does not fit its content")
        return entry

    def has(self, entry: Entry) -> bool:
        """Return whether there is an entry with the same key and inputs."""
        return self.get_path(entry).exists()

    def get_path(self, entry: Entry) -> Path:
        """Return where an entry is stored."""
        return self._folder_of(entry.key) / f"{entry.inputs.digest}.json"

    def list_paths_of(self, key: Key) -> list[Path]:
        """Return the files of a key's entries."""
        return sorted(self._folder_of(key).glob("*.json"))

    def list_paths(self) -> Iterator[Path]:
        """Yield the files of all entries."""
        yield from sorted(self.folder.glob("??/*/*.json"))

    def list_names(self) -> list[str]:
        """Return the names of all entries, in the order in which they were stored."""
        found = ((path, take_stamp(str(path))) for path in self.list_paths())
        stored = sorted((stamp.mtime_ns, path) for path, stamp in found if stamp is not None)
        return [f"{path.parent.name}/{path.stem}" for _, path in stored]

    def _folder_of(self, key: Key) -> Path:
        return self.folder / key[:2] / key


def find_missing(entry: Entry | Memo, has: Callable[[str], bool]) -> str | None:
    """Return what an entry lacks, given a function that knows which objects are there."""
    for digest in entry.objects:
        if not has(digest):
            return f"object {digest} of {entry.source} is missing or damaged"
    return None
