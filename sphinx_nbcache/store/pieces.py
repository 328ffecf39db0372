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
from typing import IO, Self

from sphinx_nbcache.store.files import Piece, Stamp

PIECE_BYTES = 1 << 20
_SMALLEST_COMPRESSED_BYTES = 512
_LEVEL = 3


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


def decompress_pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what a compressed file holds, never more than a MiB at once.

    Raises UnreadableError.
    """
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as reader:
            while piece := reader.read(PIECE_BYTES):
                yield piece
    except (zstandard.ZstdError, OSError, MemoryError) as error:
        raise UnreadableError(f"cannot be decompressed: {error}") from error
