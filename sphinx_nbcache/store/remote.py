"""A remote: the entries, memos and objects of a store where other machines can reach them.

It has the layout of a store. What comes from it is believed in nothing: names are matched
before they become paths, objects compared with their digests while they come in, entries
with their names, seals and signatures; all of it within limits. Looks come in batches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from sphinx_nbcache.errors import RemoteError
from sphinx_nbcache.model import Entry, Key, Memo
from sphinx_nbcache.store.entries import Problem
from sphinx_nbcache.store.folder import MARK, STORE_FORMAT, describe_foreign_format
from sphinx_nbcache.store.foreign import ENTRY_FILE, MEMO_FILE, parse_foreign
from sphinx_nbcache.store.pieces import UnreadableError
from sphinx_nbcache.store.remote_files import Listed, RemoteFiles
from sphinx_nbcache.store.remote_objects import FEW_FOLDERS, Flaws, RemoteObjects
from sphinx_nbcache.store.store import Store
from sphinx_nbcache.store.transfers import SilentError, Transfers

MOST_ENTRIES = 100
"""Of one key that are looked at: those written last."""
_CLAIMS = 64
"""Builds that take from a remote at the same time; if there are more, others hold one anyway."""
_T = TypeVar("_T")
_Record = TypeVar("_Record", bound=Entry | Memo)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a remote holds, by the names of its files."""

    entries: Mapping[str, Listed]
    """By the name of the entry: ``key/inputs digest``."""
    memos: Mapping[str, Listed]
    """By the name of the memo: ``family/key``."""
    objects: Mapping[str, Listed]
    """By digest."""

    @property
    def size_bytes(self) -> int:
        """Return the bytes of all of them."""
        return sum(item.size_bytes for item in (*self.records.values(), *self.objects.values()))

    @property
    def records(self) -> dict[str, Listed]:
        """Return entries and memos."""
        return {**self.entries, **self.memos}


@dataclass(frozen=True, slots=True)
class Caution:
    """What is asked of records without a signature before they are taken."""

    find_flaw: Callable[[Entry], str] = lambda entry: ""
    """Says what is wrong with an entry whose objects have come; empty for nothing."""
    may_unpickle: bool = False
    """Whether memos are taken that have to be unpickled."""


class Remote:
    """The remote of one build or one command: what is found out of it is not asked again.

    :param store: where what is taken from it goes, and what is put there comes from.
    :param silence_s: how long it may give no sign of life; None for any time.
    :param limit: how many entries of one key are kept here.
    :param caution: what is asked of what has no signature.

    Each method that waits for it raises RemoteError when it cannot be used, and
    MissingExtraError without the library for its address.
    """

    def __init__(
        self,
        address: str,
        store: Store,
        *,
        silence_s: float | None = 30,
        limit: int = 10,
        caution: Caution = Caution(),
    ) -> None:
        self._store = store
        self._caution = caution
        self._limit = limit
        self._transfers = Transfers(silence_s)
        self.files = RemoteFiles(address, self._transfers)
        self._flaws = Flaws()
        self.problems = self._flaws.problems
        """What there cannot be used, and why; sentences for people."""
        self.taken: list[Entry | Memo] = []
        """What was taken into the store, also before something failed."""
        self.refused = 0
        """Number of entries and memos that are not signed with one of the keys."""
        self.pickled = 0
        """Number of memos that would have to be unpickled, and are not signed."""
        self._lock = threading.Lock()
        self._has_begun = self._is_marked = False
        self._asked: set[Key] = set()
        self._families: set[str] = set()
        self._entries: dict[str, Listed] = {}
        self._memos: dict[str, Listed] = {}
        self._objects = RemoteObjects(
            self.files, self._transfers, store, gather=self._gather, flaws=self._flaws
        )
        self._sending: list[Future[None]] = []

    @property
    def shown(self) -> str:
        """Return its address without what could be secret in it."""
        return self.files.shown

    def close(self) -> None:
        """Give up what is on its way."""
        self.files.close()
        for future in self._sending:
            future.cancel()

    def begin(self) -> None:
        """Make sure that it is there, and of a format that can be read."""
        self._gather([self._begin])

    def find(self, keys: Iterable[Key]) -> list[Entry]:
        """Return the sound and trusted entries of some keys; each key is asked for once."""
        new = set(keys) - self._asked
        if not new:
            return []
        self.begin()
        self._asked |= new
        self._note_records(_choose_folders("entries", new))
        chosen: dict[str, list[Listed]] = {key: [] for key in new}
        for name, listed in self._entries.items():
            if (key := name.partition("/")[0]) in chosen:
                chosen[key].append(listed)
        newest = [item for items in chosen.values() for item in _choose_newest(items)]
        return [entry for entry in self.read(newest) if isinstance(entry, Entry)]

    def find_memos(self, names: Iterable[str]) -> list[Memo]:
        """Return the sound and trusted memos of some names; each family is asked for once."""
        names = list(names)
        self._ask_families(names)
        listed = [self._memos[name] for name in names if name in self._memos]
        return [memo for memo in self.read(listed) if isinstance(memo, Memo)]

    def _ask_families(self, names: Iterable[str]) -> None:
        new = {name.partition("/")[0] for name in names} - self._families
        if new:
            self.begin()
            self._families |= new
            self._note_records(_choose_folders("memos", new))

    def find_lacking(self, names: Iterable[str]) -> list[str]:
        """Return those names of memos that are not there, or not sound."""
        names = list(names)
        self._ask_families(names)
        sound = {
            name for name, listed in self._memos.items() if listed.name not in self._flaws.names
        }
        return [name for name in names if name not in sound]

    def read(self, listed: Iterable[Listed], *, is_trusting: bool = False) -> list[Entry | Memo]:
        """Return those of some listed entries and memos that are sound, and trusted.

        :param is_trusting: take what is not signed, too.
        """
        calls = (partial(self._read_one, item, is_trusting=is_trusting) for item in listed)
        found = self._gather(calls)
        return [record for record in found if record is not None]

    def fetch(self, records: Iterable[_Record]) -> list[_Record]:
        """Take entries and memos into the store with all the objects that they need.

        Returns those that are complete, also of those that were there already. Raises
        StoreError when the store cannot be written.
        """
        records, has = list(records), self._store.objects.has
        if not records:
            return []
        with self._hold():
            return self._fetch(records, has)

    def send(self, record: Entry | Memo) -> None:
        """Have a record of the store put there, with its objects first; go on meanwhile."""
        files = [self._list_files(digest) for digest in record.objects]
        if not all(files):
            return  # gone meanwhile: a miss for others, too
        if question := _find_question(record):
            files.append(self._list_files(question))
        self._sending.append(self._transfers.submit(partial(self._send, record, files)))

    def _list_files(self, digest: str) -> list[Path]:
        """Return the files that hold an object; none where git LFS keeps one of them."""
        files = self._store.objects.list_files(digest)
        return [] if any(map(self._store.lfs.is_pointer, files)) else files

    def finish(self) -> int:
        """Wait until all is sent; return the number of entries and memos."""
        sending, self._sending = self._sending, []
        try:
            self._wait(sending)
        finally:
            for future in sending:
                future.cancel()
        return len(sending)

    def look(self) -> Contents:
        """Return all that it holds."""
        self.begin()
        self._objects.locate_all()
        self._note_records(["entries", "memos"])
        return Contents(dict(self._entries), dict(self._memos), self._objects.list_found())

    def read_chunks(self, listed: Iterable[Listed]) -> dict[str, frozenset[str]]:
        """Return of which chunks those of some objects are made that are chunked, by digest."""
        return self._objects.read_chunks(listed)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files by their names."""
        self._gather([partial(self.files.remove, name) for name in names])

    def _fetch(self, records: list[_Record], has: Callable[[str], bool]) -> list[_Record]:
        questions = {digest for record in records if (digest := _find_question(record))}
        needed = {digest for record in records for digest in record.objects}
        lacking = sorted(digest for digest in needed | questions if not has(digest))
        self._objects.locate(lacking)
        there = self._objects.list_found().keys()
        lost = needed.difference(there).intersection(lacking)
        try:
            self._objects.take(digest for digest in lacking if digest in there)
        finally:
            complete = [record for record in records if all(map(has, record.objects))]
            sound = [record for record in complete if self._is_sound(record)]
            for record in sound:
                self._store.adopt(record, limit=self._limit)
                self.taken.append(record)
        for record in records:
            if not lost.isdisjoint(record.objects):
                self._flaws.note(_name_file(record), f"an object of {record.source} is not there")
            elif record not in complete:
                self._flaws.names.add(_name_file(record))
        return sound

    def _is_sound(self, record: Entry | Memo) -> bool:
        flaw = self._caution.find_flaw(record) if isinstance(record, Entry) else ""
        if flaw:
            self._flaws.note(_name_file(record), flaw)
        return not flaw

    @contextmanager
    def _hold(self) -> Iterator[None]:
        """Keep others from removing objects whose entries are still to come, in this context."""
        claims = (self._store.try_claim(Key(f"remote-{number}")) for number in range(_CLAIMS))
        claim = next((claim for claim in claims if claim is not None), None)
        try:
            yield
        finally:
            if claim is not None:
                claim.release()

    def _begin(self) -> None:
        with self._lock:
            if self._has_begun:
                return
            found = self.files.read(MARK, 16)
            if found is None:
                self.files.require_place()
            else:
                text = found.strip().decode("ascii", "replace")
                if notice := describe_foreign_format("it", text):
                    raise RemoteError(self.shown, notice)
            self._has_begun, self._is_marked = True, found is not None

    def _note_records(self, folders: Iterable[str]) -> None:
        for item in self._objects.list_below(folders):
            if found := ENTRY_FILE.fullmatch(item.name):
                self._entries[found[2]] = item
            elif found := MEMO_FILE.fullmatch(item.name):
                self._memos[found[2]] = item

    def _read_one(self, listed: Listed, *, is_trusting: bool) -> Entry | Memo | None:
        """Return a record; None, and a problem, where it is not to be used."""
        try:
            found = self._parse(listed)
        except FileNotFoundError:
            return None  # just removed by somebody
        except UnreadableError as error:
            self._flaws.note(listed.name, f"damaged: {error}")
            return None
        if isinstance(found, Problem):
            if found.is_damage:
                self._flaws.note(listed.name, found.reason)
            return None
        return found if is_trusting or self._is_accepted(found, listed) else None

    def _is_accepted(self, found: Entry | Memo, listed: Listed) -> bool:
        """Return whether a sound record may be taken; count it, if not."""
        if not self._store.trust.is_trusted(found):
            self._flaws.names.add(listed.name)
            self.refused += 1
            return False
        # Unpickling runs what the value names.
        is_harmless = isinstance(found, Entry) or not found.is_pickled
        is_accepted = is_harmless or self._caution.may_unpickle or bool(self._store.trust.memo_keys)
        self.pickled += not is_accepted
        return is_accepted

    def _parse(self, listed: Listed) -> Entry | Memo | Problem:
        """Return what a record's file says; raises what reading it does."""
        return parse_foreign(
            listed.name,
            listed.size_bytes,
            lambda: b"".join(self.files.iterate(listed)),
            entries=self._store.entries,
            memos=self._store.memos,
        )

    def _send(self, record: Entry | Memo, objects: list[list[Path]]) -> None:
        name = _name_file(record)
        self._begin()
        self._mark()
        try:
            for files in filter(None, objects):
                self._objects.send(files)
            self.files.write(name, (self._store.path / name).read_bytes())
        except FileNotFoundError:
            return  # removed here meanwhile
        except OSError as error:
            self.problems.append(f"{record.source} is not put there: {error}")

    def _mark(self) -> None:
        with self._lock:
            if not self._is_marked:
                self.files.write(MARK, b"%d\n" % STORE_FORMAT)
            self._is_marked = True

    def _gather(self, calls: Iterable[Callable[[], _T]]) -> list[_T]:
        try:
            return self._transfers.gather(calls)
        except SilentError as error:
            raise self._make_silence() from error

    def _wait(self, futures: Iterable[Future[None]]) -> None:
        try:
            self._transfers.wait(futures)
        except SilentError as error:
            raise self._make_silence() from error

    def _make_silence(self) -> RemoteError:
        return RemoteError(
            self.shown,
            f"no sign of life for {self._transfers.silence_s:g} s (nbcache_remote_timeout)",
        )


def _choose_newest(listed: Iterable[Listed]) -> list[Listed]:
    """Return those files that were written last, not all of many."""
    newest = sorted(listed, key=lambda item: item.written_at or 0.0, reverse=True)
    return newest[:MOST_ENTRIES]


def _choose_folders(kind: str, names: Iterable[str]) -> list[str]:
    """Return the folders that are listed to find records of some keys or families."""
    names = sorted(names)
    return [f"{kind}/{name[:2]}/{name}" for name in names] if len(names) <= FEW_FOLDERS else [kind]


def _find_question(record: Entry | Memo) -> str | None:
    """Return the digest of the object with what was asked; None for memos, which keep none."""
    return None if isinstance(record, Memo) else record.key


def _name_file(record: Entry | Memo) -> str:
    kind = "memos" if isinstance(record, Memo) else "entries"
    return str(PurePosixPath(kind, record.name[:2], f"{record.name}.json"))
