"""An archive: entries, memos and their objects in one file, for another machine's cache.

A tar file (POSIX.1-2001) of files with the names that they have in a store. Nothing that
comes in is believed: names are checked before they become paths, objects against their
digests, entries against their seals.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Entry, Memo
from sphinx_nbcache.store.chunks import LARGEST_LISTING_BYTES
from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.foreign import ENTRY_FILE, MEMO_FILE, OBJECT_FILE, parse_foreign
from sphinx_nbcache.store.memos import Memos
from sphinx_nbcache.store.objects import COMPRESSED, Objects, is_listing, read_digest
from sphinx_nbcache.store.pieces import UnreadableError

ARCHIVE_FORMAT = 1
_FORMAT_NAME = "sphinx-nbcache"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an archive brought."""

    entries: tuple[Entry, ...] = ()
    """Those that were not there before."""
    memos: tuple[Memo, ...] = ()
    """Those that were not there before."""
    known: int = 0
    """Number of entries and memos that were there already."""
    problems: tuple[str, ...] = ()
    """What was not taken, and why; sentences for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """Where a store keeps what an archive holds."""

    entries: Entries
    memos: Memos
    objects: Objects

    def has(self, record: Entry | Memo) -> bool:
        """Return whether a record is there already."""
        if isinstance(record, Memo):
            return self.memos.has(record)
        return self.entries.has(record)

    def write(self, record: Entry | Memo) -> None:
        """Store a record."""
        if isinstance(record, Memo):
            self.memos.write(record)
        else:
            self.entries.write(record)


def write_archive(target: Path, root: Path, paths: Iterable[Path]) -> None:
    """Write files of a store into an archive, whole or not at all.

    :param root: the store's folder.
    :param paths: files of objects and entries below it.

    Raises StoreError when the archive cannot be written.
    """
    draft = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    paths = list(paths)
    try:
        with tarfile.open(draft, "x", format=tarfile.PAX_FORMAT) as archive:
            _add_mark(archive, len(paths))
            for path in paths:
                name = path.relative_to(root).as_posix()
                archive.add(path, name, recursive=False, filter=_make_anonymous)
        draft.replace(target)
    except OSError as error:
        raise StoreError(target, f"cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _make_anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who made a file."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _add_mark(archive: tarfile.TarFile, number: int) -> None:
    """Begin with the format, and how many files follow: a tar file does not tell its end."""
    data = b"%d %d\n" % (ARCHIVE_FORMAT, number)
    info = tarfile.TarInfo(_FORMAT_NAME)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def read_archive(path: Path, shelves: Shelves) -> Imported:
    """Take the entries and memos of an archive, and the objects that they need.

    Raises StoreError when the file is no archive of ours, or the store cannot be written.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            number = _require_mark(path, archive)
            return _Taking(shelves).take(archive, number)
    except tarfile.TarError as error:
        raise StoreError(path, f"is no archive of this tool: {error}") from error
    except OSError as error:
        raise StoreError(path, f"cannot be taken over: {error}") from error


def _require_mark(path: Path, archive: tarfile.TarFile) -> int:
    """Return how many files an archive has to have."""
    first = archive.next()
    file = None if first is None or first.name != _FORMAT_NAME else archive.extractfile(first)
    if file is None:
        raise StoreError(path, "is no archive of this tool")
    found, _, number = file.read(40).strip().decode("ascii", "replace").partition(" ")
    if found != str(ARCHIVE_FORMAT) or not number.isdecimal():
        raise StoreError(path, f"has format {found}, this version reads {ARCHIVE_FORMAT}")
    return int(number)


class _Taking:
    """One archive on its way into a store: objects at once, records when all objects are there."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves
        self._problems: list[str] = []
        self._waiting: list[Entry | Memo] = []

    def take(self, archive: tarfile.TarFile, number: int) -> Imported:
        """Take all that is sound.

        :param number: of files that the archive has to have.
        """
        seen = 0
        while (member := archive.next()) is not None:
            seen += 1
            self._take_member(member, archive.extractfile(member) if member.isfile() else None)
        if seen < number:
            self._problems.append(f"the archive is damaged: it has {seen} of {number} files")
        new = [record for record in self._waiting if not self._shelves.has(record)]
        has = self._shelves.objects.has
        complete = [record for record in new if all(map(has, record.objects))]
        for record in complete:
            self._shelves.write(record)
        lost = (record for record in new if record not in complete)
        self._problems += (
            f"{item.source}: an object of it is missing in the archive" for item in lost
        )
        return Imported(
            entries=tuple(record for record in complete if isinstance(record, Entry)),
            memos=tuple(record for record in complete if isinstance(record, Memo)),
            known=len(self._waiting) - len(new),
            problems=tuple(self._problems),
        )

    def _take_member(self, member: tarfile.TarInfo, file: IO[bytes] | None) -> None:
        shelves, name = self._shelves, member.name
        if member.issparse():
            self._problems.append(f"{name}: is larger than what is in the archive; not taken")
        elif file is not None and OBJECT_FILE.fullmatch(name):
            self._take_object(name, file)
        elif file is not None and (ENTRY_FILE.fullmatch(name) or MEMO_FILE.fullmatch(name)):
            entries, memos = shelves.entries, shelves.memos
            found = parse_foreign(name, member.size, file.read, entries=entries, memos=memos)
            self._take_record(found)
        else:
            self._problems.append(f"{name}: is nothing that a cache holds; not taken")

    def _take_record(self, found: Entry | Memo | Problem) -> None:
        if isinstance(found, Problem):
            self._problems.append(str(found))
        elif isinstance(found, Memo) and found.is_pickled:
            reason = "a pickle from elsewhere could run anything; it is computed again here"
            self._problems.append(f"{found.source}: {reason}")
        else:
            self._waiting.append(found)

    def _take_object(self, name: str, file: IO[bytes]) -> None:
        """Put an object in its place unless it is there; take down what is wrong with it."""
        objects = self._shelves.objects
        path = objects.folder.parent / name
        if objects.has(read_digest(path)):
            return
        if is_listing(path):
            self._take_listing(name, file.read(LARGEST_LISTING_BYTES + 1))
            return
        pieces = iter(lambda: file.read(_PIECE_BYTES), b"")
        try:
            is_packed = name.endswith(COMPRESSED)
            objects.take(read_digest(path), pieces, is_packed=is_packed)
        except UnreadableError as error:
            self._problems.append(f"{name}: damaged: {error}; not taken")

    def _take_listing(self, name: str, data: bytes) -> None:
        try:
            self._shelves.objects.chunked.take(read_digest(Path(name)), data)
        except UnreadableError as error:
            self._problems.append(f"{name}: damaged: {error}; not taken")
