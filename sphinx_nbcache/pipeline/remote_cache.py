"""The remote of a project as people work on it: look, push, pull, prune, try.

What ``nbcache remote`` shows. Other than in a build, what goes wrong is an error.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path
from typing import Any, TypeVar

from sphinx_nbcache.errors import ConfigurationError, RemoteError
from sphinx_nbcache.model import Entry, Memo
from sphinx_nbcache.pipeline.opened import Opened
from sphinx_nbcache.pipeline.sharing import open_remote
from sphinx_nbcache.store import (
    Contents,
    Inventory,
    Limits,
    Listed,
    Pruned,
    Remote,
    Stored,
    is_listing,
    read_digest,
)

_Record = TypeVar("_Record", bound=Entry | Memo)
_MINE_S = 24 * 3600
"""An object so young may belong to an entry that is still to come."""
_NOT_WRITABLE = "'read-write': this changes the remote"
_HELP = (
    "credentials come from where its library looks for them: AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, AWS_PROFILE or ~/.aws for s3://, GOOGLE_APPLICATION_CREDENTIALS "
    "for gs://, AZURE_STORAGE_CONNECTION_STRING for az://"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStatus:
    """What the remote holds beside the cache here."""

    address: str
    """Without what could be secret in it."""
    mode: str
    there: int
    """Number of entries and memos in the remote."""
    memos: int
    """Number of these that are memos."""
    both: int
    """Number of these that are here, too."""
    only_here: int
    only_there: int
    objects: int
    """Number of objects in the remote."""
    size_bytes: int
    """Of all that the remote holds."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: what scripts read, so no name in it ever changes."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was copied to the remote, or from there."""

    entries: int
    memos: int
    known: int
    """Number of entries and memos that were there already."""
    problems: tuple[str, ...] = ()
    """What was not copied, and why; sentences for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing that was tried, and worked."""

    name: str
    text: str


class RemoteCache:
    """The remote of one project.

    Made by ``NotebookCache.remote``. All methods raise RemoteError where it cannot be used,
    MissingExtraError without the library for its address, and ConfigurationError where there is
    none, or it is to be changed and ``remote_mode`` says ``read``.
    """

    def __init__(self, opened: Opened) -> None:
        self._project = opened.project
        self._store = opened.project.store

    def find_status(self) -> RemoteStatus:
        """Return what is there, and how that differs from what is here."""
        remote = self._open()
        contents = remote.look()
        there, here = contents.records.keys(), self._list_names()
        return RemoteStatus(
            address=remote.shown,
            mode=self._project.config.remote_mode,
            there=len(there),
            memos=len(contents.memos),
            both=len(there & here),
            only_here=len(here - there),
            only_there=len(there - here),
            objects=len(contents.objects),
            size_bytes=contents.size_bytes,
        )

    def push(self) -> Moved:
        """Copy all entries and memos there that it has not.

        What was interrupted goes on where it was.
        """
        remote = self._open_to_write()
        contents = remote.look()
        inventory = self._store.take_inventory()
        records = [stored.entry for stored in inventory.records]
        lacking = [
            record
            for record in records
            if record.name not in contents.records or not _is_whole(record, inventory, contents)
        ]
        self._store.lfs.fetch(digest for item in lacking for digest in (*item.objects, item.key))
        problems = [str(problem) for problem in inventory.problems]
        sent: list[Entry | Memo] = []
        for record in lacking:
            if flaw := self._find_flaw(record):
                problems.append(flaw)
                continue
            remote.send(record)
            sent.append(record)
        remote.finish()
        problems += remote.problems
        return _count(sent, len(records) - len(lacking), problems)

    def pull(self) -> Moved:
        """Copy all entries and memos here that are not here yet; everything is verified."""
        remote = self._open()
        there, here = remote.look().records, self._list_names()
        lacking = [listed for name, listed in there.items() if name not in here]
        taken = remote.fetch(remote.read(lacking))
        return _count(taken, len(there) - len(lacking), _list_problems(remote))

    def prune(
        self,
        *,
        max_size_bytes: int | None = None,
        max_age_s: float | None = None,
        max_count: int | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Remove from there what no entry needs, and entries until some limits are kept.

        Those go first that save the fewest seconds for each byte, then the oldest. An object
        that was put there in the last day stays: its entry may be still to come.

        :param max_size_bytes: of all that it holds.
        :param max_age_s: seconds since an entry was put there.
        :param max_count: number of entries.
        :param dry_run: only tell what would go.
        """
        remote = self._open() if dry_run else self._open_to_write()
        limits = Limits(size_bytes=max_size_bytes, age_s=max_age_s, count=max_count)
        contents = remote.look()
        inventory, is_whole = _take_inventory(contents, remote)
        going = inventory.choose(limits, now=time.time())
        unused = _list_unused(inventory, inventory.leave(going), contents) if is_whole else []
        if not dry_run:
            remote.remove(stored.path.as_posix() for stored in going)
            unused = self._keep_needed(contents, inventory.records, unused)
            # First listings: who finds one does not look for its chunks.
            for group in (filter(is_listing, unused), filterfalse(is_listing, unused)):
                remote.remove(path.as_posix() for path in group)
        return inventory.sum_up(going, unused)

    def test_login(self) -> tuple[Trial, ...]:
        """Try what a build does: list, and where it may, write, read and remove a small file.

        Raises RemoteError with the first that fails, and where credentials come from.
        """
        remote = self._open()
        try:
            number = len(remote.look().entries)
            trials = [Trial(name="list", text=f"{number} entries")]
            if self._project.config.remote_mode == "read-write":
                trials += _probe(remote)
        except RemoteError as error:
            raise RemoteError(error.address, f"{error.reason}; {_HELP}") from error
        return tuple(trials)

    def _open(self) -> Remote:
        return open_remote(self._project)

    def _open_to_write(self) -> Remote:
        mode = self._project.config.remote_mode
        if mode != "read-write":
            raise ConfigurationError("remote_mode", mode, _NOT_WRITABLE)
        return self._open()

    def _list_names(self) -> set[str]:
        """Return the names of the entries and memos that are here."""
        memos = (f"{path.parent.name}/{path.stem}" for path in self._store.memos.list_paths())
        return {*self._store.entries.list_names(), *memos}

    def _find_flaw(self, record: Entry | Memo) -> str:
        """Return why a record is not to be copied; empty if it is."""
        if not self._store.trust.is_trusted(record):
            return f"{record.source}: not signed with one of the keys of NBCACHE_SIGNING_KEY"
        if not all(map(self._store.objects.has, record.objects)):
            return f"{record.source}: an object of it is missing or damaged"
        return ""

    def _keep_needed(
        self, before: Contents, known: Iterable[Stored[Entry | Memo]], unused: Iterable[Path]
    ) -> list[Path]:
        """Return the unused objects that no record needs that has come or changed meanwhile.

        :param known: the records of that time; objects of theirs may have come just after.
        """
        again = open_remote(self._project)
        now = again.look()
        came = [item for name, item in now.records.items() if item != before.records.get(name)]
        found = again.read(came, is_trusting=True)
        found += [stored.entry for stored in known if not stored.needs <= before.objects.keys()]
        needed = {digest for record in found for digest in (*record.objects, record.key)}
        objects = [listed for digest, listed in now.objects.items() if digest in needed]
        chunks = again.read_chunks(objects)
        if len(chunks) < _count_listings(objects):
            return []
        needed.update(*chunks.values())
        kept = {before.objects[digest].name for digest in needed if digest in before.objects}
        return [path for path in unused if path.as_posix() not in kept]


def _is_whole(record: Entry | Memo, here: Inventory, there: Contents) -> bool:
    """Return whether all objects of a record are there, with the chunks that they have here."""
    digests = [*record.objects, *([record.key] if here.weigh_object(record.key) else [])]
    found = [there.objects.get(digest) for digest in digests]
    names = (Path(item.name) for item in found if item is not None)
    listings = map(read_digest, filter(is_listing, names))
    return all(found) and here.expand(listings) <= there.objects.keys()


def _take_inventory(contents: Contents, remote: Remote) -> tuple[Inventory, bool]:
    """Read all entries and listings there; tell also whether every one could be read.

    What cannot be read may be another version's, and need any object.
    """
    records = contents.records
    found = remote.read(records.values(), is_trusting=True)
    entries = [_store(item, records) for item in found if isinstance(item, Entry)]
    memos = [_store(item, records) for item in found if isinstance(item, Memo)]
    sizes = {Path(item.name): item.size_bytes for item in contents.objects.values()}
    chunks = remote.read_chunks(contents.objects.values())
    is_whole = len(found) == len(records) and len(chunks) == _count_listings(
        contents.objects.values()
    )
    return Inventory(sizes, entries, memos, chunks=chunks), is_whole


def _count_listings(objects: Iterable[Listed]) -> int:
    return sum(is_listing(Path(item.name)) for item in objects)


def _store(record: _Record, listed: Mapping[str, Listed]) -> Stored[_Record]:
    item = listed[record.name]
    used_at = max(item.written_at or 0.0, record.executed_at)
    return Stored(entry=record, path=Path(item.name), size_bytes=item.size_bytes, used_at=used_at)


def _list_unused(
    inventory: Inventory, staying: Iterable[Stored[Entry | Memo]], contents: Contents
) -> list[Path]:
    old = {
        item.name
        for item in contents.objects.values()
        if item.written_at is not None and time.time() - item.written_at > _MINE_S
    }
    return [path for path in inventory.find_unused(staying) if path.as_posix() in old]


def _probe(remote: Remote) -> Iterable[Trial]:
    """Write, read and remove a file that is nobody's."""
    name, data = f"probe-{secrets.token_hex(8)}", secrets.token_bytes(32)
    files = remote.files
    files.write(name, data)
    yield Trial(name="write", text=f"{len(data)} bytes")
    if files.read(name, 2 * len(data)) != data:
        raise RemoteError(remote.shown, "a file does not come back as it was written")
    yield Trial(name="read", text="the same bytes")
    files.remove(name)
    if files.read(name, 1) is not None:
        raise RemoteError(remote.shown, "a file that was removed is still there")
    yield Trial(name="remove", text="gone")


def _count(records: Iterable[Entry | Memo], known: int, problems: Iterable[str]) -> Moved:
    records = list(records)
    memos = sum(isinstance(record, Memo) for record in records)
    entries = len(records) - memos
    return Moved(entries=entries, memos=memos, known=known, problems=tuple(problems))


def _list_problems(remote: Remote) -> tuple[str, ...]:
    problems = list(remote.problems)
    if remote.refused:
        problems.append(
            f"{remote.refused} entries or memos are not signed with one of the keys of "
            "NBCACHE_SIGNING_KEY"
        )
    if remote.pickled:
        problems.append(
            "memos that have to be unpickled, and are not signed, are not taken "
            f"(NBCACHE_SIGNING_KEY, or nbcache_trust_remote): {remote.pickled}"
        )
    return tuple(problems)
