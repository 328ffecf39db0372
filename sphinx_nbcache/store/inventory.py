"""An inventory: everything in a store at one moment, what of it is needed, and what it weighs.

Owns which entries go when there are too many, and which objects nobody needs; how either
is stored is the business of the store's other parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Generic, Self, TypeVar

from sphinx_nbcache.model import Entry, Memo
from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.memos import Memos
from sphinx_nbcache.store.objects import Objects, is_listing, read_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a store may hold; None for no limit."""

    size_bytes: int | None = None
    """On the disk: entries and their objects."""
    age_s: float | None = None
    """Since an entry answered last."""
    count: int | None = None
    """Number of entries; memos do not count."""


_Record_co = TypeVar("_Record_co", bound=Entry | Memo, covariant=True)


_Read = TypeVar("_Read", Entry, Memo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Generic[_Record_co]):
    """An entry or a memo, with what the store knows of it."""

    entry: _Record_co
    path: Path
    size_bytes: int
    """Of its own file."""
    used_at: float
    """When it answered last, or was made: a POSIX timestamp."""

    @property
    def needs(self) -> frozenset[str]:
        """Return the digests of its objects; and an entry's key, the digest of its question."""
        return frozenset((*self.entry.objects, self.entry.key))


class Inventory:
    """Entries, memos and objects of one store.

    :param sizes: the bytes of each object's file.
    :param problems: what could not be read.
    :param chunks: of which chunks each chunked object is made, all by digest.
    """

    def __init__(
        self,
        sizes: Mapping[Path, int],
        entries: Iterable[Stored[Entry]],
        memos: Iterable[Stored[Memo]] = (),
        problems: Iterable[Problem] = (),
        chunks: Mapping[str, AbstractSet[str]] = MappingProxyType({}),
    ) -> None:
        self.sizes = dict(sizes)
        self.entries = list(entries)
        self.memos = list(memos)
        self.problems = list(problems)
        self._chunks = chunks
        self._files: dict[str, list[Path]] = {}
        for path in self.sizes:
            self._files.setdefault(read_digest(path), []).append(path)

    @classmethod
    def take(
        cls, entries: Entries, memos: Memos, objects: Objects, uses: Mapping[str, float]
    ) -> Self:
        """Look at everything in the folders of a store.

        :param uses: when each entry, by name, was last noted to have answered.
        """
        # Objects first: what a writer has put there meanwhile is not taken for unused.
        sizes: dict[Path, int] = {}
        for path in objects.list_paths():
            with suppress(FileNotFoundError):
                sizes[path] = path.stat().st_size
        chunks = find_chunks(sizes, objects)
        problems: list[Problem] = []
        found = _read_all(
            entries.list_paths(), entries.read, lambda entry, _: uses.get(entry.name, 0.0), problems
        )
        kept = _read_all(memos.list_paths(), memos.read, lambda _, changed_at: changed_at, problems)
        return cls(sizes, found, kept, problems, chunks)

    @property
    def records(self) -> list[Stored[Entry | Memo]]:
        """Return entries and memos."""
        return [*self.entries, *self.memos]

    @cached_property
    def size_bytes(self) -> int:
        """Return the bytes of all entries, memos and objects on the disk."""
        return sum(self.sizes.values()) + sum(stored.size_bytes for stored in self.records)

    def find_unused(self, records: Iterable[Stored[Entry | Memo]]) -> list[Path]:
        """Return the files of all objects that none of some entries and memos needs."""
        needed = self.expand(digest for stored in records for digest in stored.needs)
        unused = self._files.keys() - needed
        return sorted(path for digest in unused for path in self._files[digest])

    def find_files(self, records: Iterable[Stored[Entry | Memo]]) -> list[Path]:
        """Return the files of all objects that some entries and memos need, chunks first."""
        needed = self.expand(digest for stored in records for digest in stored.needs)
        found = (path for digest in needed for path in self._files.get(digest, ()))
        return sorted(found, key=lambda path: (is_listing(path), path))

    def expand(self, digests: Iterable[str]) -> set[str]:
        """Return some digests with those of the chunks that they are made of."""
        return expand(digests, self._chunks)

    def weigh(self, stored: Stored[Entry | Memo]) -> int:
        """Return the bytes of a record and its objects, those that others share included."""
        return stored.size_bytes + sum(map(self.weigh_object, self.expand(stored.needs)))

    def choose(
        self, limits: Limits, *, now: float, protected: AbstractSet[str] = frozenset()
    ) -> list[Stored[Entry | Memo]]:
        """Return the entries and memos that have to go so that the others keep some limits.

        The least valuable go first: those that save the fewest seconds for each byte, and of
        equal ones those used longest ago.

        :param protected: names of entries that stay in any case.
        """
        going = _Going(self, limits)
        movable = [stored for stored in self.records if stored.entry.name not in protected]
        movable.sort(key=lambda stored: (stored.entry.seconds / self.weigh(stored), stored.used_at))
        for stored in movable:
            if limits.age_s is not None and now - stored.used_at > limits.age_s:
                going.take(stored)
        for stored in movable:
            if going.is_over_for(stored):
                going.take(stored)
        return list(going.taken.values())

    def leave(self, going: Iterable[Stored[Entry | Memo]]) -> list[Stored[Entry | Memo]]:
        """Return the records that stay when some go."""
        names = {stored.entry.name for stored in going}
        return [stored for stored in self.records if stored.entry.name not in names]

    def sum_up(self, going: Sequence[Stored[Entry | Memo]], unused: Sequence[Path]) -> Pruned:
        """Return what it means that some records and files of objects go."""
        freed = sum(stored.size_bytes for stored in going)
        freed += sum(self.sizes[path] for path in unused)
        return Pruned(
            entries=list_entries(going),
            memos=tuple(item.entry for item in going if isinstance(item.entry, Memo)),
            objects=len(unused),
            freed_bytes=freed,
            left_entries=len(list_entries(self.leave(going))),
            left_bytes=self.size_bytes - freed,
        )

    def weigh_object(self, digest: str) -> int:
        """Return the bytes of an object on the disk without its chunks; 0 where there is none."""
        return sum(self.sizes[path] for path in self._files.get(digest, ()))


def list_entries(records: Iterable[Stored[Entry | Memo]]) -> tuple[Entry, ...]:
    """Return the entries among records."""
    return tuple(stored.entry for stored in records if isinstance(stored.entry, Entry))


def find_chunks(paths: Iterable[Path], objects: Objects) -> dict[str, frozenset[str]]:
    """Return of which chunks the objects are made whose listings are among some files."""
    listings = {path: objects.chunked.read_listing(path) for path in paths if is_listing(path)}
    return {read_digest(path): found.digests for path, found in listings.items() if found}


def expand(digests: Iterable[str], chunks: Mapping[str, AbstractSet[str]]) -> set[str]:
    """Return some digests with those of the chunks that they are made of."""
    found = set(digests)
    return found.union(*(chunks[digest] for digest in found & chunks.keys()))


class _Going:
    """Entries that are taken out, and what that leaves."""

    def __init__(self, inventory: Inventory, limits: Limits) -> None:
        self.taken: dict[str, Stored[Entry | Memo]] = {}
        self._inventory = inventory
        self._limits = limits
        self._count = len(inventory.entries)
        self._users: dict[str, int] = {}
        for stored in inventory.records:
            for digest in inventory.expand(stored.needs):
                self._users[digest] = self._users.get(digest, 0) + 1
        self._bytes = sum(stored.size_bytes for stored in inventory.records)
        self._bytes += sum(map(inventory.weigh_object, self._users))

    def is_over_for(self, stored: Stored[Entry | Memo]) -> bool:
        """Return whether this record, or one like it, has to go."""
        count, size = self._limits.count, self._limits.size_bytes
        if size is not None and self._bytes > size:
            return True
        return isinstance(stored.entry, Entry) and count is not None and self._count > count

    def take(self, stored: Stored[Entry | Memo]) -> None:
        """Take a record out, and the objects that no other one needs."""
        if stored.entry.name in self.taken:
            return
        self.taken[stored.entry.name] = stored
        self._count -= isinstance(stored.entry, Entry)
        self._bytes -= stored.size_bytes
        for digest in self._inventory.expand(stored.needs):
            self._users[digest] -= 1
            if not self._users[digest]:
                self._bytes -= self._inventory.weigh_object(digest)


def _read_all(
    paths: Iterable[Path],
    read: Callable[[Path], _Read | Problem],
    find_use: Callable[[_Read, float], float],
    problems: list[Problem],
) -> Iterator[Stored[_Read]]:
    """Yield all records of a kind.

    :param find_use: returns when a record was noted to have answered, given the time of its file.
    :param problems: where what cannot be read is taken down.
    """
    for path in paths:
        found = read(path)
        if isinstance(found, Problem):
            if path.exists():
                problems.append(found)
            continue
        try:
            status = path.stat()
        except FileNotFoundError:  # somebody has just removed it
            continue
        used_at = max(find_use(found, status.st_mtime), found.executed_at)
        yield Stored(entry=found, path=path, size_bytes=status.st_size, used_at=used_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What went, or would go."""

    entries: tuple[Entry, ...] = ()
    memos: tuple[Memo, ...] = ()
    objects: int = 0
    """Number of objects that nothing needs any more."""
    freed_bytes: int = 0
    left_entries: int = 0
    left_bytes: int = 0


def is_young(path: Path, *, than_s: float) -> bool:
    """Return whether a file was written in the last seconds; False if it is gone."""
    try:
        return time.time() - path.stat().st_mtime < than_s
    except OSError:
        return False
