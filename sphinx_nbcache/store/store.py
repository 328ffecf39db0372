"""The store: objects, entries, locks and the index below one folder.

The one door to what is kept. Objects are written before the entry that names them, so
whatever an entry names was there. Nothing is created before something is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Entry, Key, Outputs
from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.files import ABANDONED_S, Stamp, read_if_exists, write_atomically
from sphinx_nbcache.store.index import Index, News
from sphinx_nbcache.store.objects import Objects
from sphinx_nbcache.store.pieces import UnreadableError
from sphinx_nbcache.store.stamps import Stamps

STORE_FORMAT = 1
# https://bford.info/cachedir/
_CACHEDIR_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This folder is a cache of sphinx-nbcache; it can be deleted at any time.\n"
)


class Claim(Protocol):
    """The right to run a key, until it is released or its process ends."""

    def release(self) -> None:
        """Give it up."""


class Store:
    """The store in a folder, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        tmp = path / "tmp"
        self._tmp = tmp
        self.index = Index(path / "index.sqlite")
        self._stamps = Stamps(self.index)
        self.objects = Objects(path / "objects", tmp, self._stamps)
        self.entries = Entries(path / "entries", tmp)

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
            self.entries.write(entry)
            if limit is not None:
                self._limit_entries(entry, limit)
        except OSError as error:
            raise StoreError(self.path, f"cannot be written: {error}") from error

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

    def load_outputs(self, digest: str) -> Outputs | None:
        """Return stored outputs, verified; None when they are missing or damaged."""
        data = self.objects.read(digest)
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
            elif missing := _find_missing(item, self.objects.has):
                problems.append(Problem(self.path, missing))
            else:
                found.append(item)
        found.sort(key=lambda entry: entry.executed_at, reverse=True)
        return found, problems

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
        except OSError as error:
            raise StoreError(self.path, f"cannot be written: {error}") from error
        return lock

    def describe_foreign_format(self) -> str | None:
        """Return a notice when the folder was made by another version's format.

        Raises StoreError when the folder cannot be read.
        """
        try:
            data = read_if_exists(self.path / "FORMAT")
        except OSError as error:
            raise StoreError(self.path, f"cannot be read: {error}") from error
        found = None if data is None else data.strip().decode("ascii", "replace")
        if found in (None, str(STORE_FORMAT)):
            return None
        return (
            f"cache {self.path} has format {found}, this version writes format {STORE_FORMAT}: "
            "what it cannot read counts as not cached"
        )

    def verify(self, *, repair: bool = False) -> list[Problem]:
        """Read everything that is stored and return what is wrong.

        :param repair: remove what is wrong, and temporary files that a killed writer left.

        Raises StoreError when something cannot be removed.
        """
        problems: list[Problem] = []
        sound: set[str] = set()
        for path in self.objects.list_paths():
            if self.objects.is_sound(path):
                sound.add(self.objects.get_digest(path))
            else:
                problems.append(Problem(path, "damaged: its content does not fit its name"))
        problems += self._verify_entries(sound)
        if repair:
            self._remove([*(problem.path for problem in problems), *self._list_abandoned()])
        return problems

    def _remove(self, paths: Iterable[Path]) -> None:
        try:
            for path in paths:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(self.path, f"cannot be repaired: {error}") from error

    def _verify_entries(self, sound: set[str]) -> Iterator[Problem]:
        def has(digest: str) -> bool:
            # What another process stored meanwhile was not seen when the objects were listed.
            return digest in sound or self.objects.read(digest) is not None

        for path in self.entries.list_paths():
            item = self.entries.read(path)
            if isinstance(item, Problem):
                yield item
            elif missing := _find_missing(item, has):
                yield Problem(path, missing)

    def _list_abandoned(self) -> Iterator[Path]:
        for path in self._tmp.glob("*"):
            with suppress(FileNotFoundError):  # its writer has just renamed it
                if time.time() - path.stat().st_mtime > ABANDONED_S:
                    yield path

    def _prepare(self) -> None:
        """Make the folder a cache that backup tools and git know as one."""
        if (self.path / "FORMAT").exists():
            return
        write_atomically(self.path / "CACHEDIR.TAG", _CACHEDIR_TAG, tmp=self._tmp)
        write_atomically(self.path / ".gitignore", b"*\n", tmp=self._tmp)
        write_atomically(self.path / "FORMAT", b"%d\n" % STORE_FORMAT, tmp=self._tmp)


def _find_missing(entry: Entry, has: Callable[[str], bool]) -> str | None:
    """Return what an entry lacks, given a function that knows which objects are there."""
    for digest in entry.objects:
        if not has(digest):
            return f"object {digest} of {entry.source} is missing or damaged"
    return None
