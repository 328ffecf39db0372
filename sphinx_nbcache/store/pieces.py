"""Pieces: bytes of any length, read, hashed and compressed a MiB at a time.

Owns what streaming needs, and the compressed form; where bytes come from or go to is
not known here.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, cast

from sphinx_nbcache.store.files import Piece, Stamp

PIECE_BYTES = 1 << 20
_SMALLEST_COMPRESSED_BYTES = 512
_LEVEL = 3
SMALLEST_BOMB_BYTES = 256 << 20
LARGEST_RATIO = 100
"""What comes from others may hold so many bytes for each of its own, and those in any case."""


class UnreadableError(OSError):
    """Bytes that cannot be read, or are not what they were said to be."""


class SteadyFile:
    """A file that may be read several times, and has to stay as it is meanwhile.

    Raises UnreadableError when it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise UnreadableError(error.errno, error.strerror, str(path)) from error
        self._path = path
        self.stamp = self._take_stamp()

    def __enter__(self) -> Self:
        """Keep it open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close it."""
        self._file.close()

    def iterate(self) -> Iterator[bytes]:
        """Yield all its bytes, from the start.

        Raises UnreadableError when it changes; at the latest instead of ending.
        """
        self._file.seek(0)
        remaining = self.stamp.size
        for piece in read_pieces(self._file):
            remaining -= len(piece)
            if remaining < 0:
                break  # it grows, perhaps faster than it is read
            yield piece
        if self._take_stamp() != self.stamp:
            raise UnreadableError(errno.EBUSY, "it changed while it was read", str(self._path))

    def _take_stamp(self) -> Stamp:
        return Stamp.from_stat(os.fstat(self._file.fileno()))


def read_pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what a file holds from here on; raises UnreadableError."""
    try:
        while piece := file.read(PIECE_BYTES):
            yield piece
    except OSError as error:
        raise UnreadableError(error.errno, error.strerror) from error


def cut_pieces(pieces: Iterable[Piece]) -> Iterator[memoryview]:
    """Yield the same bytes in pieces that are not too large."""
    for piece in pieces:
        view = memoryview(piece).cast("B")
        for start in range(0, len(view), PIECE_BYTES):
            yield view[start : start + PIECE_BYTES]


def take_sample(pieces: Iterable[Piece]) -> bytes:
    """Return some bytes from the middle of the largest piece."""
    views = (memoryview(piece).cast("B") for piece in pieces)
    largest = max(views, key=len)
    start = max(0, (len(largest) - PIECE_BYTES) // 2)
    return bytes(largest[start : start + PIECE_BYTES])


def digest_pieces(pieces: Iterable[Piece]) -> str:
    """Return the sha256 of bytes as 64 lower-case hexadecimal digits."""
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
    return hasher.hexdigest()


def check_pieces(pieces: Iterable[bytes], digest: str) -> Iterator[bytes]:
    """Yield the pieces; raise UnreadableError instead of ending if they have another digest."""
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
        yield piece
    if hasher.hexdigest() != digest:
        raise UnreadableError(f"the content has not the digest {digest}")


def compress(data: bytes) -> bytes:
    """Return the data compressed, or the data itself where that saves less than 10 %."""
    if len(data) < _SMALLEST_COMPRESSED_BYTES:
        return data
    import zstandard

    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    return packed if len(packed) < 0.9 * len(data) else data


def decompress(data: bytes) -> bytes | None:
    """Return the plain bytes, or None when the data is damaged."""
    import zstandard

    try:
        if zstandard.frame_content_size(data) >= 0:
            return zstandard.ZstdDecompressor().decompress(data)
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    except (zstandard.ZstdError, MemoryError):  # the latter when the size it claims is damaged
        return None


def decompress_exactly(data: bytes, size_bytes: int) -> bytes | None:
    """Return the plain bytes if they are as many as expected; None otherwise, unpacking nothing."""
    import zstandard

    try:
        is_right = zstandard.frame_content_size(data) == size_bytes
    except zstandard.ZstdError:
        return None
    return decompress(data) if is_right else None


def compress_pieces(pieces: Iterable[Piece], size_bytes: int) -> Iterator[bytes]:
    """Yield the pieces compressed.

    :param size_bytes: of all of them; it is part of the compressed form, so that readers
        know how much memory they need.
    """
    import zstandard

    packer = zstandard.ZstdCompressor(level=_LEVEL).compressobj(size=size_bytes)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most so many; empty at the end."""


def decompress_pieces(file: Readable) -> Iterator[bytes]:
    """Yield what a compressed file holds, never more than a MiB at once.

    Raises UnreadableError.
    """
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(cast("Any", file), closefd=False) as reader:
            while piece := reader.read(PIECE_BYTES):
                yield piece
    except (zstandard.ZstdError, OSError, MemoryError) as error:
        raise UnreadableError(f"cannot be decompressed: {error}") from error


class OversizedError(UnreadableError):
    """Bytes that become more than they may."""


def check_stored(pieces: Iterable[bytes], digest: str, *, is_packed: bool) -> Iterator[bytes]:
    """Yield the pieces of an object's file as they are, while what they hold is checked.

    For what comes from others: it is never unpacked to more than ``count_allowed`` bytes, nor
    by more than a MiB at once. Raises UnreadableError instead of ending where the content has
    another digest, something follows it, or it is larger than it says; OversizedError
    where it is larger than it may be.
    """
    if not is_packed:
        yield from check_pieces(pieces, digest)
        return
    source = _Passing(pieces)
    declared = _read_declared(source.peek())
    hasher, size = hashlib.sha256(), 0
    for piece in decompress_pieces(source):
        hasher.update(piece)
        size += len(piece)
        if size > min(declared, count_allowed(source.passed)):
            raise OversizedError(f"it holds more than {size} bytes")
        yield source.take()
    yield source.take()
    if source.read(1) or size != declared or hasher.hexdigest() != digest:
        raise UnreadableError(f"the content has not the digest {digest}")


def count_allowed(stored_bytes: int) -> int:
    """Return how many bytes an object of some size on the disk may hold."""
    return max(SMALLEST_BOMB_BYTES, LARGEST_RATIO * stored_bytes)


def _read_declared(head: bytes) -> int:
    """Return how many bytes a compressed file says that it holds: ours all do.

    Raises UnreadableError.
    """
    import zstandard

    try:
        declared = zstandard.frame_content_size(head)
    except zstandard.ZstdError as error:
        raise UnreadableError(f"cannot be decompressed: {error}") from error
    if declared < 0:
        raise UnreadableError("it does not say how large its content is")
    return declared


class _Passing:
    """A file of pieces that remembers what was read of it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""
        self._taken: list[bytes] = []
        self.passed = 0

    def peek(self) -> bytes:
        """Return the beginning, which stays to be read."""
        self._rest = self._rest or next(self._pieces, b"")
        return self._rest

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; empty at the end."""
        piece = self.peek()
        size = len(piece) if size < 0 else size
        found, self._rest = piece[:size], piece[size:]
        self._taken.append(found)
        self.passed += len(found)
        return found

    def take(self) -> bytes:
        """Return what was read since the last time."""
        found, self._taken = b"".join(self._taken), []
        return found
