"""Chunks: where large bytes are cut, by what they are, and the listing that joins them again.

A cut depends on the bytes just before it (FastCDC, https://ieeexplore.ieee.org/document/9055082),
so bytes that come again are cut as before, also behind an insertion. How chunks are stored
is not known here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from sphinx_nbcache.model import digest_bytes
from sphinx_nbcache.store.files import Piece

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

CHUNKED = ".chunks"
"""Ending of the file of a listing."""
SMALLEST_CHUNKED_BYTES = 8 << 20
"""Less than that is a dozen chunks: not worth the files."""
LARGEST_CHUNKED_BYTES = 32 << 30
"""More than that is stored whole, so that a listing stays small."""
LARGEST_CHUNK_BYTES = 1 << 20
LARGEST_LISTING_BYTES = 20 << 20
"""Of a listing of as many of the smallest chunks as there can be; others are not read."""
# All of these decide where cuts are: another value shares nothing with what was stored before.
_AVERAGE_BYTES = 512 << 10
_SMALLEST_BYTES = 128 << 10
_EVENNESS: Literal[1] = 1

_FORMAT = "nbcache-chunks 1"
_HEAD = re.compile(rf"{_FORMAT} ([1-9]\d{{0,14}}) ([1-9]\d{{0,6}})")
_LINE = re.compile(r"([0-9a-f]{64}) ([1-9]\d{0,7})")


class Chunk(NamedTuple):
    """A part of something large."""

    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The chunks of an object, in order."""

    chunks: tuple[Chunk, ...]

    @property
    def size_bytes(self) -> int:
        """Return the bytes of all of them together."""
        return sum(chunk.size for chunk in self.chunks)

    @property
    def digests(self) -> frozenset[str]:
        """Return which chunks there are."""
        return frozenset(chunk.digest for chunk in self.chunks)

    def to_bytes(self) -> bytes:
        """Return the stored form: a head, a line for each chunk, the digest of all that."""
        lines = [f"{_FORMAT} {self.size_bytes} {len(self.chunks)}\n"]
        lines += (f"{chunk.digest} {chunk.size}\n" for chunk in self.chunks)
        body = "".join(lines).encode("ascii")
        return body + digest_bytes(body).encode("ascii") + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return what a stored form says; raises ValueError where it cannot be right."""
        body, seal = data[:-65], data[-65:]
        if len(data) > LARGEST_LISTING_BYTES or digest_bytes(body).encode() + b"\n" != seal:
            raise ValueError("the listing of its chunks is damaged")
        head, *lines = body.decode("ascii").removesuffix("\n").split("\n")
        listing = cls(tuple(map(_read_line, lines)))
        said = _HEAD.fullmatch(head)
        if said is None or said.groups() != (str(listing.size_bytes), str(len(lines))):
            raise ValueError("the listing of its chunks does not fit its head")
        return listing


def _read_line(line: str) -> Chunk:
    found = _LINE.fullmatch(line)
    if found is None or int(found[2]) > LARGEST_CHUNK_BYTES:
        raise ValueError("the listing of its chunks names what is no chunk")
    return Chunk(found[1], int(found[2]))


def is_chunkable(size_bytes: int) -> bool:
    """Return whether bytes are to be cut: there are many, and what cuts them is fast."""
    return SMALLEST_CHUNKED_BYTES <= size_bytes <= LARGEST_CHUNKED_BYTES and _has_fast_cutter()


@cache
def _has_fast_cutter() -> bool:
    """Return whether the library is there in its compiled form: the other takes minutes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of the slow form, which is not used
            from pyfastcdc import FastCDC
    except ImportError:
        return False
    return FastCDC.__module__.startswith("pyfastcdc.cy.")


def cut_chunks(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the bytes of some pieces, one after another, in chunks.

    Takes the memory of a chunk. Raises what the pieces raise.
    """
    for chunk in _make_cutter().cut_stream(_Source(pieces)):
        yield bytes(chunk.data)  # the library uses that memory again


def _make_cutter() -> FastCDC:
    from pyfastcdc import FastCDC

    return FastCDC(
        _AVERAGE_BYTES,
        min_size=_SMALLEST_BYTES,
        max_size=LARGEST_CHUNK_BYTES,
        normalized_chunking=_EVENNESS,
    )


class _Source:
    """What the library reads from."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readinto(self, target: memoryview) -> int:
        """Fill some memory with the next bytes; return how many, less only at the end."""
        filled = 0
        while filled < len(target):
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = memoryview(piece).cast("B")
                continue
            count = min(len(target) - filled, len(self._rest))
            target[filled : filled + count] = self._rest[:count]
            self._rest = self._rest[count:]
            filled += count
        return filled
