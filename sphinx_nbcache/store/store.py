"""The store: objects, entries, locks and the index below one folder.

The one door to what is kept. Objects are written before the entry that names them, so
whatever an entry names was there. Nothing is created before something is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Entry, Key, Memo, Outputs
from sphinx_nbcache.store.archive import Imported, Shelves, read_archive, write_archive
from sphinx_nbcache.store.clearing import Clearing
from sphinx_nbcache.store.entries import Entries, Problem, find_missing
from sphinx_nbcache.store.files import (
    Piece,
    Stamp,
    read_if_exists,
    weigh_file,
)
from sphinx_nbcache.store.folder import MARK, describe_foreign_format, mark_folder, remove_folder
from sphinx_nbcache.store.index import Index, News
from sphinx_nbcache.store.inventory import Inventory, Limits, Pruned, list_entries
from sphinx_nbcache.store.lfs import GitLfs
from sphinx_nbcache.store.memos import Memos
from sphinx_nbcache.store.objects import Objects
from sphinx_nbcache.store.pieces import UnreadableError
from sphinx_nbcache.store.project_list import ProjectFile, ProjectList
from sphinx_nbcache.store.signing import SigningKeys
from sphinx_nbcache.store.stamps import Stamps
from sphinx_nbcache.store.tracking import Tracking, require_repository, track_folder
from sphinx_nbcache.store.trust import NO_KEYS, UNSIGNED, Trust
from sphinx_nbcache.store.verification import find_problems

_IMPORT = "import"
"""In the place of a key: the claim of who takes over what was executed elsewhere."""
_HOLD_POLL_S = 0.1
_HOLD_TIMEOUT_S = 600.0
_T = TypeVar("_T")


class Claim(Protocol):
    """The right to run a key, until it is released or its process ends."""

    def release(self) -> None:
        """Give it up."""


class Store:
    """The store in a folder, which need not exist yet.

    :param keys: what entries are signed with, and have to be signed with to answer.
    :param memo_keys: the same for memos, where they are not derived from the keys: kernels have
        these only.
    """

    def __init__(
        self, path: Path, keys: SigningKeys = NO_KEYS, memo_keys: SigningKeys | None = None
    ) -> None:
        self.path = path
        self.trust = Trust(path, keys, memo_keys)
        tmp = path / "tmp"
        self._tmp = tmp
        self.index = Index(path / "index.sqlite")
        self._stamps = Stamps(self.index)
        self.objects = Objects(path / "objects", tmp, self._stamps)
        self.lfs = GitLfs(path, self.objects)
        self.entries = Entries(path / "entries", tmp)
        self.memos = Memos(path / "memos", tmp)
        self._clearing = Clearing(path, self.take_inventory, self.index, self.objects)
        self.project_file = ProjectFile(
            path / "project.json", tmp=tmp, lock=path / "locks/project.lock"
        )

    def is_made(self) -> bool:
        """Return whether the folder is a cache already: something was stored in it."""
        return (self.path / MARK).exists()

    def make(self) -> None:
        """Make the folder a cache before anything is stored.

        Raises StoreError when it cannot be written.
        """
        try:
            self._prepare()
        except OSError as error:
            raise StoreError(self.path, f"cannot be written: {error}") from error

    def track(self, *, has_lfs: bool) -> Tracking:
        """Make the folder a cache that lives in the git repository around it.

        Raises GitError, before anything is written, and StoreError.
        """
        require_repository(self.path)
        self.make()
        return track_folder(self.path, has_lfs=has_lfs, tmp=self._tmp)

    def save_outputs(self, outputs: Outputs) -> str:
        """Store outputs as an object and return its digest.

        Raises StoreError when the folder cannot be written.
        """
        try:
            self._prepare()
            return self.objects.write(outputs.to_bytes())
        except OSError as error:
            raise StoreError(self.path, f"cannot be written: {error}") from error

    def save_file(self, path: Path) -> tuple[str, Stamp]:
        """Store a file as an object; return its digest, and its stamp when it was read.

        Raises UnreadableError when the file cannot be read or does not stay as it is,
        StoreError when the folder cannot be written.
        """
        try:
            self._prepare()
            return self.objects.write_file(path)
        except UnreadableError:
            raise
        except OSError as error:
            raise StoreError(self.path, f"cannot be written: {error}") from error

    def save_value(self, memo: Memo, parts: Iterable[Sequence[Piece]], *, is_plain: bool) -> Memo:
        """Store a memo and its large parts; return it with their digests.

        :param parts: each as pieces of bytes, one after another.
        :param is_plain: do not compress what is large, so that it can be mapped into memory.

        Raises StoreError when the folder cannot be written.
        """
        try:
            self._prepare()
            write = self.objects.write_pieces
            memo = replace(memo, objects=tuple(write(part, is_plain=is_plain) for part in parts))
            memo = self.trust.sign_memo(memo)
            self.memos.write(memo)
        except OSError as error:
            raise StoreError(self.path, f"cannot be written: {error}") from error
        if memo.objects:
            self.note_build(News())
        return memo

    def save_entry(self, entry: Entry, question: bytes = b"", *, limit: int | None = None) -> None:
        """Store an entry whose objects are stored already.

        :param question: what was asked, of which the key is the digest; kept as an object, so
            that a later build can tell what is asked differently.
        :param limit: how many entries of the key are kept; those used longest ago go.

        Raises StoreError when the folder cannot be written.
        """
        try:
            self._prepare()
            if question:
                self.objects.write(question)
            self.entries.write(self.trust.sign_entry(entry) if self.trust.keys else entry)
            if limit is not None:
                self._limit_entries(entry, limit)
        except OSError as error:
            raise StoreError(self.path, f"cannot be written: {error}") from error

    def adopt(self, record: Entry | Memo, *, limit: int) -> None:
        """Store a record of another store, signed as it is where there are keys.

        Its objects are stored already.

        :param limit: how many entries of a key are kept.

        Raises StoreError when the folder cannot be written.
        """
        try:
            self._prepare()
            if isinstance(record, Memo):
                self.memos.write(record if self.trust.keys else self.trust.sign_memo(record))
                return
            self.entries.write(record)
            self._limit_entries(record, limit)
        except OSError as error:
            raise StoreError(self.path, f"cannot be written: {error}") from error

    def find_memo(self, family: str, key: str) -> Memo | Problem | None:
        """Return the answer to a question, or what is wrong with it; None where there is none."""
        found = self.memos.find(family, key)
        doubt = self.trust.find_doubt(found) if isinstance(found, Memo) else ""
        if not isinstance(found, Memo) or not doubt:
            return found
        reason = f"the value of {found.source} {doubt}"
        return Problem(self.memos.get_path(found), reason, is_damage=False, is_refused=True)

    def _limit_entries(self, newest: Entry, limit: int) -> None:
        """Remove the entries of a key beyond so many, those used longest ago."""
        paths = self.entries.list_paths_of(newest.key)
        if len(paths) <= limit:
            return
        uses = self.index.find_uses()

        def rank(path: Path) -> tuple[bool, float]:
            name = f"{newest.key}/{path.stem}"
            return name == newest.name, max(uses.get(name, 0.0), path.stat().st_mtime)

        for path in sorted(paths, key=rank)[:-limit]:
            path.unlink(missing_ok=True)

    def take_inventory(self) -> Inventory:
        """Read all entries and memos, and list all objects."""
        return Inventory.take(self.entries, self.memos, self.objects, self.index.find_uses())

    def number_entries(self) -> dict[str, int]:
        """Return the ID of each entry, by name; older ones have smaller IDs, as a rule."""
        return self.index.number_entries(self.entries.list_names())

    def weigh_entry(self, entry: Entry) -> int:
        """Return the bytes of an entry and its objects on the disk, the shared ones included."""
        size = weigh_file(self.entries.get_path(entry))
        return size + self.objects.weigh({*entry.objects, entry.key})

    def remove_entries(self, names: AbstractSet[str]) -> Pruned:
        """Remove entries and memos, and the objects that no other one needs.

        Raises StoreError when they cannot be removed.
        """
        return self._clearing.remove(self.take_inventory(), names)

    def prune(
        self, limits: Limits, *, protected: AbstractSet[str] = frozenset(), is_dry: bool = False
    ) -> Pruned:
        """Remove what nothing needs, and as many entries and memos as it takes to keep limits.

        :param protected: names of entries that stay in any case.
        :param is_dry: only tell what would go.

        Raises StoreError when something cannot be removed.
        """
        inventory = self.take_inventory()
        going = inventory.choose(limits, now=time.time(), protected=protected)
        return self._clearing.clear_out(inventory, going, is_dry=is_dry)

    def clear_entries(self) -> Pruned:
        """Remove all entries, memos and objects, whatever state they are in; the list stays.

        Raises StoreError when something cannot be removed.
        """
        return self._clearing.clear(self.take_inventory())

    def verify(self, *, repair: bool = False) -> list[Problem]:
        """Read everything that is stored and return what is wrong.

        :param repair: remove what is wrong, and temporary files that a killed writer left.

        An object that nothing needs is a problem that is no damage.

        Raises StoreError when something cannot be removed.
        """
        records = (self.entries, self.memos)
        problems = find_problems(records, self.objects, self.lfs, self._clearing.list_unused)
        if repair:
            going = [problem for problem in problems if problem.is_removable]
            self._clearing.unlink(problem.path for problem in going if problem.is_damage)
            self._clearing.remove_objects(p.path for p in going if not p.is_damage)
            self._clearing.unlink(self._clearing.list_abandoned())
        return problems

    def change_project(self, work: Callable[[ProjectList], tuple[ProjectList, _T]]) -> _T:
        """Change the project's list; see ``ProjectFile.change``.

        Raises StoreError when it cannot be written.
        """
        self.make()
        return self.project_file.change(work)

    def export_to(self, target: Path, names: AbstractSet[str] | None = None) -> int:
        """Write entries with their objects into an archive; return how many.

        :param names: of the entries; None for all that are complete, and all memos
            that can be read without unpickling.

        Raises StoreError when the archive cannot be written.
        """
        inventory = self.take_inventory()
        named = [s for s in inventory.records if names is None or s.entry.name in names]
        if self.lfs.fetch(digest for stored in named for digest in stored.needs):
            inventory = self.take_inventory()
        going = [
            stored
            for stored in inventory.records
            if (names is None or stored.entry.name in names)
            # Whoever imports it would not unpickle what comes from elsewhere.
            and not (isinstance(stored.entry, Memo) and stored.entry.is_pickled)
            and not find_missing(stored.entry, self.objects.has)
        ]
        files = [path for path in inventory.find_files(going) if not self.lfs.is_pointer(path)]
        files += [stored.path for stored in going]
        write_archive(target, self.path, files)
        return len(list_entries(going))

    def import_from(self, archive: Path) -> Imported:
        """Take the entries of an archive that are not here yet.

        Raises StoreError when it is none, or the store cannot be written.
        """
        with self.hold():
            shelves = Shelves(entries=self.entries, memos=self.memos, objects=self.objects)
            return read_archive(archive, shelves)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep others from removing objects whose entries are still to come, in this context.

        Raises StoreError when the folder cannot be written.
        """
        deadline = time.monotonic() + _HOLD_TIMEOUT_S
        while (claim := self.try_claim(Key(_IMPORT))) is None:
            if time.monotonic() > deadline:
                raise StoreError(self.path, "another process has been importing into it for long")
            time.sleep(_HOLD_POLL_S)
        try:
            yield
        finally:
            claim.release()

    def clear(self) -> None:
        """Remove everything, the folder too.

        Raises StoreError when something cannot be removed, or it is no folder of ours.
        """
        if not self.path.exists():
            return
        if not (self.path / MARK).is_file():
            raise StoreError(self.path, "is no cache of this tool: nothing is removed")
        try:
            remove_folder(self.path)
        except OSError as error:
            raise StoreError(self.path, f"cannot be removed: {error}") from error

    def load_outputs(self, digest: str) -> Outputs | None:
        """Return stored outputs, verified; None when they are missing or damaged."""
        data = self.lfs.read(digest)
        try:
            return None if data is None else Outputs.from_bytes(data)
        except ValueError:
            return None

    def find_entries(self, key: Key) -> tuple[list[Entry], list[Problem]]:
        """Return the complete entries of a key, newest first, and what was wrong with others."""
        found: list[Entry] = []
        problems: list[Problem] = []
        for item in self.entries.find(key):
            if isinstance(item, Problem):
                problems.append(item)
            elif not self.trust.is_trusted(item):
                reason = f"the entry of {item.source} {UNSIGNED}"
                problems.append(Problem(self.path, reason, is_damage=False, is_refused=True))
            elif missing := find_missing(item, self.objects.has):
                is_kept = self.lfs.keeps(item.objects)
                problems.append(
                    Problem(self.path, missing, is_damage=not is_kept, is_unfetched=is_kept)
                )
            else:
                found.append(item)
        found.sort(key=lambda entry: entry.executed_at, reverse=True)
        return found, problems

    def find_unfetched(self, key: Key) -> list[Entry]:
        """Return the trusted entries of a key that only wait for what git LFS keeps."""
        found = (item for item in self.entries.find(key) if isinstance(item, Entry))
        return [
            item for item in found if self.trust.is_trusted(item) and self.lfs.keeps(item.objects)
        ]

    def note_build(self, news: News) -> None:
        """Remember in the index what a build asked for and found out; see there."""
        self.index.note_build(replace(news, stamps=self._stamps.take_new()))

    def try_claim(self, key: Key) -> Claim | None:
        """Take the lock that whoever runs a key holds; None while another process has it.

        The caller releases it; the operating system does when the process dies.
        Raises StoreError when the folder cannot be written.
        """
        from filelock import FileLock, Timeout

        try:
            self._prepare()
            folder = self.path / "locks"
            folder.mkdir(exist_ok=True)
            lock = FileLock(folder / f"{key}.lock", timeout=0, thread_local=False)
            lock.acquire()
        except Timeout:
            return None
        except (OSError, NotImplementedError) as error:  # the latter: no locks on this disk
            raise StoreError(self.path, f"cannot be written: {error}") from error
        return lock

    def end_claim(self, key: Key, claim: Claim) -> None:
        """Give a claim up, and leave no file of it: there is one for each value, used once.

        Who waits for it with the old file open may go on beside who makes a new one: both look
        whether there is an answer before they compute.
        """
        claim.release()
        with suppress(OSError):  # somebody else holds it already, on Windows
            (self.path / "locks" / f"{key}.lock").unlink()

    def find_format(self) -> str | None:
        """Return the format of the folder; None where nothing was stored yet.

        Raises StoreError when the folder cannot be read.
        """
        try:
            data = read_if_exists(self.path / MARK)
        except OSError as error:
            raise StoreError(self.path, f"cannot be read: {error}") from error
        return None if data is None else data.strip().decode("ascii", "replace")

    def describe_foreign_format(self) -> str | None:
        """Return a notice when the folder was made by another version's format.

        Raises StoreError when the folder cannot be read.
        """
        return describe_foreign_format(f"cache {self.path}", self.find_format())

    def _prepare(self) -> None:
        """Make the folder a cache."""
        if not self.is_made():
            mark_folder(self.path, tmp=self._tmp)
