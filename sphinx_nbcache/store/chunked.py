"""Chunked objects: large bytes of which each chunk is an object, and a listing that joins them.

``objects/ab/cdef....chunks`` is the listing of what has the digest ``abcdef...``. A chunk is an
object like all others, in a file of its own, so equal chunks are stored once. Chunks are written
before the listing that names them; what is in a chunk's file, ``Objects`` knows.
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from sphinx_nbcache.store.chunks import (
    CHUNKED,
    LARGEST_LISTING_BYTES,
    Chunk,
    Listing,
    cut_chunks,
)
from sphinx_nbcache.store.files import Piece, take_stamp, weigh_file, write_atomically
from sphinx_nbcache.store.pieces import (
    OversizedError,
    UnreadableError,
    check_pieces,
    count_allowed,
    digest_pieces,
    read_pieces,
)
from sphinx_nbcache.store.stamps import Stamps

ChunkStream = io.FileIO | io.BytesIO
_WRITERS = 4
"""Chunks that are compressed and flushed to the disk at once: one flush waits as long as many."""


class ChunkFiles(Protocol):
    """Objects that lie in one file each: chunks are no more than that."""

    def store_chunk(self, data: bytes, *, is_packed: bool) -> str:
        """Store a chunk, unless it is there and sound; return its digest."""

    def find_sound(self, digest: str) -> Path | None:
        """Return the file of a chunk that is sound; read only if that is not known."""

    def list_single(self, digest: str) -> list[Path]:
        """Return the files that hold a chunk; one, as a rule."""

    def open_chunk(self, chunk: Chunk) -> ChunkStream:
        """Return a file of the plain bytes of a chunk; raises UnreadableError."""

    def touch_single(self, digest: str) -> None:
        """Make the files of a chunk young."""

    def forget_single(self, digest: str) -> None:
        """Take note that a chunk may not be sound."""


class Chunked:
    """The chunked objects below one folder."""

    def __init__(self, folder: Path, tmp: Path, stamps: Stamps, files: ChunkFiles) -> None:
        self._folder = folder
        self._tmp = tmp
        self._stamps = stamps
        self._files = files

    def get_path(self, digest: str) -> Path:
        """Return where the listing of an object is stored."""
        return self._folder / digest[:2] / f"{digest[2:]}{CHUNKED}"

    def write(self, digest: str, pieces: Iterable[Piece], *, is_packed: bool) -> None:
        """Store bytes whose digest is known: first what chunks are not there, then the listing.

        :param is_packed: compress each chunk where that pays.
        """
        chunks = tuple(self._store_chunks(pieces, is_packed=is_packed))
        self._put(digest, Listing(chunks).to_bytes())

    def take(self, digest: str, data: bytes) -> None:
        """Store a listing as another store holds it, whose chunks are here already.

        Raises UnreadableError when it is not what its name says, or joins more than it may, and
        another OSError when it cannot be written.
        """
        listing = parse_listing(data)
        stored = len(data) + sum(weigh_file(path) for path in self._list_chunks(listing))
        if listing.size_bytes > count_allowed(stored):
            raise OversizedError(f"it holds {listing.size_bytes} bytes in {stored}")
        for _ in check_pieces(self._join(listing), digest):
            pass
        self._put(digest, data)

    def has(self, digest: str) -> bool:
        """Return whether an object is there and sound; read only if that is not known."""
        return self._find_sound(digest) is not None

    def _find_sound(self, digest: str) -> Listing | None:
        path = self.get_path(digest)
        stamp = take_stamp(str(path))
        if stamp is None or (listing := self.read_listing(path)) is None:
            return None
        if not all(map(self._files.find_sound, listing.digests)):
            return None
        is_sound = self._stamps.is_known(_name(path), stamp) or self.is_sound(path)
        return listing if is_sound else None

    def is_sound(self, path: Path) -> bool:
        """Return whether the chunks of a listing are there, and are what its name says."""
        stamp = take_stamp(str(path))
        digest = path.parent.name + path.name.removesuffix(CHUNKED)
        try:
            is_sound = digest_pieces(self.iterate(path)) == digest
        except UnreadableError:
            is_sound = False
        if is_sound and stamp is not None:
            self._stamps.note(_name(path), stamp)
        else:
            self.forget(digest)
        return is_sound

    def open(self, digest: str) -> io.RawIOBase | None:
        """Return a file to read a sound object from, once and from the start; None without one.

        Nothing is hashed if all its files are known to be sound.
        """
        listing = self._find_sound(digest)
        return None if listing is None else _JoinedFile(listing, self._files)

    def iterate(self, path: Path) -> Iterator[bytes]:
        """Yield the bytes that a listing joins, unverified but for their number.

        Raises UnreadableError, also where there is no listing.
        """
        yield from self._join(_read_listing(path))

    def read_listing(self, path: Path) -> Listing | None:
        """Return what a file lists; None when it is missing or damaged."""
        try:
            return _read_listing(path)
        except UnreadableError:
            return None

    def list_files(self, digest: str) -> list[Path]:
        """Return the files of an object, its listing last; none when one of them is missing."""
        path = self.get_path(digest)
        if (listing := self.read_listing(path)) is None:
            return []
        found = [self._files.list_single(chunk) for chunk in sorted(listing.digests)]
        return [*(files[0] for files in found), path] if all(found) else []

    def list_digests(self, digest: str) -> list[str]:
        """Return the chunks that an object is made of; none where it has no listing."""
        listing = self.read_listing(self.get_path(digest))
        return [] if listing is None else sorted(listing.digests)

    def list_chunks(self, digest: str) -> Iterator[Path]:
        """Yield the files of an object's chunks, as far as they are there."""
        if (listing := self.read_listing(self.get_path(digest))) is not None:
            yield from self._list_chunks(listing)

    def touch(self, digest: str) -> None:
        """Make a listing and its chunks young."""
        path = self.get_path(digest)
        if (listing := self.read_listing(path)) is not None:
            renew(path, self._stamps)
            for chunk in listing.digests:
                self._files.touch_single(chunk)

    def forget(self, digest: str) -> None:
        """Take note that an object is not sound: whichever of its files it is."""
        path = self.get_path(digest)
        self._stamps.forget(_name(path))
        if (listing := self.read_listing(path)) is not None:
            for chunk in listing.digests:
                self._files.forget_single(chunk)

    def _put(self, digest: str, data: bytes) -> None:
        path = self.get_path(digest)
        self._stamps.note(_name(path), write_atomically(path, data, tmp=self._tmp))

    def _store_chunks(self, pieces: Iterable[Piece], *, is_packed: bool) -> Iterator[Chunk]:
        waiting: deque[tuple[Future[str], int]] = deque()
        with ThreadPoolExecutor(_WRITERS, "nbcache-chunks") as executor:
            for data in cut_chunks(pieces):
                call = partial(self._files.store_chunk, data, is_packed=is_packed)
                future = _start(executor, call)
                waiting.append((future, len(data)))
                if len(waiting) > _WRITERS:  # more would only take memory
                    future, size = waiting.popleft()
                    yield Chunk(future.result(), size)
            for future, size in waiting:
                yield Chunk(future.result(), size)

    def _list_chunks(self, listing: Listing) -> Iterator[Path]:
        for digest in listing.digests:
            yield from self._files.list_single(digest)

    def _join(self, listing: Listing) -> Iterator[bytes]:
        for chunk in listing.chunks:
            with self._files.open_chunk(chunk) as file:
                yield from read_pieces(file)


class _JoinedFile(io.RawIOBase):
    """The chunks of a listing as one file that is read once."""

    def __init__(self, listing: Listing, files: ChunkFiles) -> None:
        self._chunks = iter(listing.chunks)
        self._files = files
        self._current: ChunkStream = io.BytesIO()

    def readable(self) -> bool:
        """Return True: it is for nothing else."""
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        """Read what fits into some memory, at least one byte unless it is the end."""
        while not (count := self._current.readinto(target)):
            self._current.close()
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._current = self._files.open_chunk(chunk)
        return int(count)

    def close(self) -> None:
        """Let go of what is open."""
        self._current.close()
        super().close()


def _start(executor: ThreadPoolExecutor, call: Callable[[], str]) -> Future[str]:
    """Have a call made by others; or make it, where the program is ending and they refuse."""
    try:
        return executor.submit(call)
    except RuntimeError:
        future: Future[str] = Future()
        future.set_result(call())
        return future


def parse_listing(data: bytes) -> Listing:
    """Return what the bytes of a listing's file say; raises UnreadableError."""
    try:
        return Listing.from_bytes(data)
    except ValueError as error:
        raise UnreadableError(str(error)) from error


def _read_listing(path: Path) -> Listing:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_LISTING_BYTES + 1)
    except OSError as error:
        raise UnreadableError(error.errno, error.strerror, str(path)) from error
    return parse_listing(data)


def renew(path: Path, stamps: Stamps) -> None:
    """Make a file young, if it is there and ours; what is known of it stays known."""
    before = take_stamp(str(path))
    with suppress(OSError):
        os.utime(path)
        after = take_stamp(str(path))
        if before is None or after is None or not stamps.is_known(_name(path), before):
            return
        if (before.size, before.inode) == (after.size, after.inode):
            stamps.note(_name(path), after)


def _name(path: Path) -> str:
    """Return what a file is called among the stamps."""
    return f"{path.parent.name}/{path.name}"
