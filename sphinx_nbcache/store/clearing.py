"""Clearing: what goes out of a store, and what may go.

Owns the order in which things are removed while others read and write.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Entry, Memo
from sphinx_nbcache.store.files import ABANDONED_S
from sphinx_nbcache.store.index import Index
from sphinx_nbcache.store.inventory import Inventory, Pruned, Stored, expand, is_young
from sphinx_nbcache.store.objects import Objects, is_listing, read_digest


class Clearing:
    """What removes things from the store in a folder.

    :param take_inventory: returns what is there now.
    """

    def __init__(
        self, path: Path, take_inventory: Callable[[], Inventory], index: Index, objects: Objects
    ) -> None:
        self._path = path
        self._take_inventory = take_inventory
        self._index = index
        self._objects = objects

    def remove(self, inventory: Inventory, names: AbstractSet[str]) -> Pruned:
        """Remove entries and memos by name, and the objects that no other one needs."""
        going = [stored for stored in inventory.records if stored.entry.name in names]
        return self.clear_out(inventory, going, is_dry=False)

    def clear(self, inventory: Inventory) -> Pruned:
        """Remove all records and objects, whatever state they are in.

        Raises StoreError when something cannot be removed.
        """
        try:
            for folder in ("entries", "memos", "objects"):
                if (self._path / folder).exists():
                    shutil.rmtree(self._path / folder)
        except OSError as error:
            raise StoreError(self._path, f"cannot be removed: {error}") from error
        names = [stored.entry.name for stored in inventory.entries]
        self._index.forget_entries(names)
        return inventory.sum_up(inventory.records, list(inventory.sizes))

    def clear_out(
        self, inventory: Inventory, going: list[Stored[Entry | Memo]], *, is_dry: bool
    ) -> Pruned:
        """Remove records, and the objects that no other one needs."""
        # What another version or user wrote may need what seems unused.
        is_certain = all(problem.is_removable for problem in inventory.problems)
        unused = self._find_unused(inventory, inventory.leave(going)) if is_certain else []
        if not is_dry:
            self.unlink(stored.path for stored in going)
            self.remove_objects(unused)
            self._index.forget_entries(sorted(stored.entry.name for stored in going))
        return inventory.sum_up(going, unused)

    def _find_unused(self, inventory: Inventory, records: list[Stored[Entry | Memo]]) -> list[Path]:
        """Return the files of objects that none of some records needs, and nobody else.

        The outputs of a notebook that failed are shown until it is mended. Whoever stores
        objects holds a claim until their record is there: if nobody does, every record that
        is to come of what was there when the objects were listed is there now.
        """
        unused = inventory.find_unused(records)
        if not unused:
            return []
        if self._is_busy():
            unused = [path for path in unused if not is_young(path, than_s=ABANDONED_S)]
        needed = self._find_needed(inventory)
        return [path for path in unused if read_digest(path) not in needed]

    def _find_needed(self, before: Inventory | None = None) -> set[str]:
        """Return the digests that records need now, and failed runs; those of chunks, too.

        :param before: leave out records that were there already, and are as they were.
        """
        known = {stored.path: stored.entry for stored in before.records} if before else {}
        now = self._take_inventory()
        new = (stored for stored in now.records if known.get(stored.path) != stored.entry)
        return now.expand(
            frozenset().union(self._index.find_failed_outputs(), *(s.needs for s in new))
        )

    def remove_objects(self, paths: Iterable[Path]) -> None:
        """Remove objects that nothing needs, unless somebody has begun to need them.

        They are put aside first. Who looked for one before that holds a claim until the
        record is there, or has made it young (``Objects.write``); who looks later finds
        nothing, and writes it again. Raises StoreError.
        """
        try:
            aside = dict(self._put_aside(paths))
            if not aside:
                return
            is_busy = self._is_busy()  # before the records are read: that is the point
            needed = expand(self._find_needed(), self._read_listings(aside))
            for path, draft in aside.items():
                is_wanted = read_digest(path) in needed
                if is_wanted or (is_busy and is_young(draft, than_s=ABANDONED_S)):
                    draft.replace(path)
                else:
                    draft.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(self._path, f"cannot be cleaned: {error}") from error

    def _put_aside(self, paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
        for number, path in enumerate(paths):
            draft = self._path / "tmp" / f"aside-{os.getpid()}-{number}"
            draft.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):  # somebody else has removed it
                path.replace(draft)
                yield path, draft

    def _read_listings(self, aside: Mapping[Path, Path]) -> dict[str, frozenset[str]]:
        """Return the chunks of objects whose listings are put aside, where nobody finds them."""
        read = self._objects.chunked.read_listing
        found = {path: read(draft) for path, draft in aside.items() if is_listing(path)}
        return {read_digest(path): listing.digests for path, listing in found.items() if listing}

    def _is_busy(self) -> bool:
        """Return whether some process runs a notebook for this store now."""
        from filelock import FileLock, Timeout

        for path in (self._path / "locks").glob("*.lock"):
            try:
                with FileLock(path, timeout=0):
                    pass
            except (Timeout, OSError):
                return True
        return False

    def list_unused(self, broken: AbstractSet[Path]) -> list[Path]:
        """Return the files of objects that nothing needs, apart from some records."""
        inventory = self._take_inventory()
        sound = [stored for stored in inventory.records if stored.path not in broken]
        return self._find_unused(inventory, sound)

    def unlink(self, paths: Iterable[Path]) -> None:
        """Remove files. Raises StoreError."""
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(self._path, f"cannot be cleaned: {error}") from error

    def list_abandoned(self) -> Iterator[Path]:
        """Yield temporary files that a killed writer left."""
        for path in (self._path / "tmp").glob("*"):
            with suppress(FileNotFoundError):  # its writer has just renamed it
                if time.time() - path.stat().st_mtime > ABANDONED_S:
                    yield path
