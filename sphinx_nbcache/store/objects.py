"""Objects: bytes named by their digest, compressed where that pays.

``objects/ab/cdef...`` holds the bytes themselves, ``objects/ab/cdef....zst`` the same
compressed with Zstandard (RFC 8878). The name is the digest of the plain bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sphinx_nbcache.model import digest_bytes
from sphinx_nbcache.store.files import read_if_exists, write_atomically

COMPRESSED = ".zst"
_SMALLEST_COMPRESSED_BYTES = 512
_LEVEL = 3


class Objects:
    """The objects below one folder."""

    def __init__(self, folder: Path, tmp: Path) -> None:
        self.folder = folder
        self._tmp = tmp

    def write(self, data: bytes) -> str:
        """Store bytes, unless they are there and sound; return their digest."""
        digest = digest_bytes(data)
        if self.read(digest) is None:
            self._write_new(digest, data)
        return digest

    def _write_new(self, digest: str, data: bytes) -> None:
        plain, packed = self._paths(digest)
        content = _compress(data)
        path, other = (plain, packed) if content is data else (packed, plain)
        write_atomically(path, content, tmp=self._tmp)
        other.unlink(missing_ok=True)

    def read(self, digest: str) -> bytes | None:
        """Return the bytes of a digest, verified; None when missing or damaged."""
        found = (_read(path, digest) for path in self._paths(digest))
        return next((data for data in found if data is not None), None)

    def list_paths(self) -> Iterator[Path]:
        """Yield the files of all objects."""
        yield from sorted(self.folder.glob("??/*"))

    def is_sound(self, path: Path) -> bool:
        """Return whether an object's file holds what its name says."""
        return _read(path, path.parent.name + path.name.removesuffix(COMPRESSED)) is not None

    def _paths(self, digest: str) -> tuple[Path, Path]:
        plain = self.folder / digest[:2] / digest[2:]
        return plain, plain.with_name(plain.name + COMPRESSED)


def _compress(data: bytes) -> bytes:
    """Return the data compressed, or the data itself where that saves less than 10 %."""
    if len(data) < _SMALLEST_COMPRESSED_BYTES:
        return data
    import zstandard

    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    return packed if len(packed) < 0.9 * len(data) else data


def _read(path: Path, digest: str) -> bytes | None:
    try:
        data = read_if_exists(path)
    except OSError:
        return None  # what cannot be read is no better than what is damaged
    if data is not None and path.name.endswith(COMPRESSED):
        data = _decompress(data)
    return data if data is not None and digest_bytes(data) == digest else None


def _decompress(data: bytes) -> bytes | None:
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except (zstandard.ZstdError, MemoryError):  # the latter when the size it claims is damaged
        return None
