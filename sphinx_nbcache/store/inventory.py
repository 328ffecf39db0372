"""An inventory: everything in a store at one moment, what of it is needed, and what it weighs.

Owns which entries go when there are too many, and which objects nobody needs; how either
is stored is the business of the store's other parts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sphinx_nbcache.model import Entry
from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.objects import Objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a store may hold; None for no limit."""

    size_bytes: int | None = None
    """On the disk: entries and their objects."""
    age_s: float | None = None
    """Since an entry answered last."""
    count: int | None = None
    """Number of entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An entry with what the store knows of it."""

    entry: Entry
    path: Path
    size_bytes: int
    """Of the entry's own file."""
    used_at: float
    """When it answered last, or was made: a POSIX timestamp."""

    @property
    def needs(self) -> frozenset[str]:
        """Return the digests of its objects, and of the question, which is its key."""
        return frozenset((*self.entry.objects, self.entry.key))


class Inventory:
    """Entries and objects of one store.

    :param uses: when each entry, by name, was last noted to have answered.
    """

    def __init__(self, entries: Entries, objects: Objects, uses: Mapping[str, float]) -> None:
        # Objects first: what a writer has put there meanwhile is not taken for unused.
        self.sizes: dict[Path, int] = {}
        """The bytes of each object's file."""
        self._files: dict[str, list[Path]] = {}
        for path in objects.list_paths():
            with suppress(FileNotFoundError):
                self.sizes[path] = path.stat().st_size
                self._files.setdefault(objects.get_digest(path), []).append(path)
        self.entries: list[Stored] = []
        self.problems: list[Problem] = []
        for path in entries.list_paths():
            found = entries.read(path)
            if isinstance(found, Problem):
                if path.exists():
                    self.problems.append(found)
                continue
            try:
                status = path.stat()
            except FileNotFoundError:  # somebody has just removed it
                continue
            used_at = max(uses.get(found.name, 0.0), found.executed_at)
            self.entries.append(
                Stored(entry=found, path=path, size_bytes=status.st_size, used_at=used_at)
            )

    @cached_property
    def size_bytes(self) -> int:
        """Return the bytes of all entries and objects on the disk."""
        return sum(self.sizes.values()) + sum(stored.size_bytes for stored in self.entries)

    def find_unused(self, entries: Iterable[Stored]) -> list[Path]:
        """Return the files of all objects that none of some entries needs."""
        needed = frozenset().union(*(stored.needs for stored in entries))
        unused = self._files.keys() - needed
        return sorted(path for digest in unused for path in self._files[digest])

    def find_files(self, entries: Iterable[Stored]) -> list[Path]:
        """Return the files of all objects that some entries need."""
        needed = frozenset().union(*(stored.needs for stored in entries))
        return sorted(path for digest in needed for path in self._files.get(digest, ()))

    def weigh(self, stored: Stored) -> int:
        """Return the bytes of an entry and its objects, those that others share included."""
        return stored.size_bytes + sum(map(self.weigh_object, stored.needs))

    def choose(
        self, limits: Limits, *, now: float, protected: AbstractSet[str] = frozenset()
    ) -> list[Stored]:
        """Return the entries that have to go so that the others keep some limits.

        The least valuable go first: those that save the fewest seconds for each byte, and of
        equal ones those used longest ago.

        :param protected: names of entries that stay in any case.
        """
        going = _Going(self, limits)
        movable = [stored for stored in self.entries if stored.entry.name not in protected]
        movable.sort(key=lambda stored: (stored.entry.seconds / self.weigh(stored), stored.used_at))
        for stored in movable:
            if limits.age_s is not None and now - stored.used_at > limits.age_s:
                going.take(stored)
        for stored in movable:
            if not going.is_over:
                break
            going.take(stored)
        return list(going.taken.values())

    def weigh_object(self, digest: str) -> int:
        """Return the bytes of an object on the disk; 0 where there is none."""
        return sum(self.sizes[path] for path in self._files.get(digest, ()))


class _Going:
    """Entries that are taken out, and what that leaves."""

    def __init__(self, inventory: Inventory, limits: Limits) -> None:
        self.taken: dict[str, Stored] = {}
        self._inventory = inventory
        self._limits = limits
        self._count = len(inventory.entries)
        self._users: dict[str, int] = {}
        for stored in inventory.entries:
            for digest in stored.needs:
                self._users[digest] = self._users.get(digest, 0) + 1
        self._bytes = sum(stored.size_bytes for stored in inventory.entries)
        self._bytes += sum(map(inventory.weigh_object, self._users))

    @property
    def is_over(self) -> bool:
        """Return whether more has to go."""
        count, size = self._limits.count, self._limits.size_bytes
        return (count is not None and self._count > count) or (
            size is not None and self._bytes > size
        )

    def take(self, stored: Stored) -> None:
        """Take an entry out, and the objects that no other one needs."""
        if stored.entry.name in self.taken:
            return
        self.taken[stored.entry.name] = stored
        self._count -= 1
        self._bytes -= stored.size_bytes
        for digest in stored.needs:
            self._users[digest] -= 1
            if not self._users[digest]:
                self._bytes -= self._inventory.weigh_object(digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What went, or would go."""

    entries: tuple[Entry, ...] = ()
    objects: int = 0
    """Number of objects that no entry needs any more."""
    freed_bytes: int = 0
    left_entries: int = 0
    left_bytes: int = 0


def is_young(path: Path, *, than_s: float) -> bool:
    """Return whether a file was written in the last seconds; False if it is gone."""
    try:
        return time.time() - path.stat().st_mtime < than_s
    except OSError:
        return False
