"""Objects: bytes named by their digest, compressed where that pays.

``objects/ab/cdef...`` holds the bytes themselves, ``objects/ab/cdef....zst`` the same
compressed with Zstandard (RFC 8878). The name is the digest of the plain bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sphinx_nbcache.model import digest_bytes
from sphinx_nbcache.store.files import read_with_stamp, take_stamp, write_atomically
from sphinx_nbcache.store.stamps import Stamps

COMPRESSED = ".zst"
_SMALLEST_COMPRESSED_BYTES = 512
_LEVEL = 3


class Objects:
    """The objects below one folder."""

    def __init__(self, folder: Path, tmp: Path, stamps: Stamps) -> None:
        self.folder = folder
        self._tmp = tmp
        self._stamps = stamps

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
        stamp = write_atomically(path, content, tmp=self._tmp)
        self._stamps.note(_name(path), stamp)
        other.unlink(missing_ok=True)

    def read(self, digest: str) -> bytes | None:
        """Return the bytes of a digest, verified; None when missing or damaged."""
        found = (self._read(path, digest) for path in self._paths(digest))
        return next((data for data in found if data is not None), None)

    def has(self, digest: str) -> bool:
        """Return whether an object is there and sound.

        It is read only if it was never found sound, or was touched since.
        """
        for ending in ("", COMPRESSED):
            name = f"{digest[:2]}/{digest[2:]}{ending}"
            stamp = take_stamp(f"{self.folder}/{name}")
            if stamp is not None and self._stamps.is_known(name, stamp):
                return True
        return self.read(digest) is not None

    def list_paths(self) -> Iterator[Path]:
        """Yield the files of all objects."""
        yield from sorted(self.folder.glob("??/*"))

    def is_sound(self, path: Path) -> bool:
        """Return whether an object's file holds what its name says."""
        return self._read(path, self.get_digest(path)) is not None

    def get_digest(self, path: Path) -> str:
        """Return the digest that a file's name claims."""
        return path.parent.name + path.name.removesuffix(COMPRESSED)

    def _read(self, path: Path, digest: str) -> bytes | None:
        """Return what a file holds if it is sound, and remember whether it is."""
        try:
            found = read_with_stamp(path)
        except OSError:
            return None  # what cannot be read is no better than what is damaged
        if found is None:
            return None
        content, stamp = found
        data = _decompress(content) if path.name.endswith(COMPRESSED) else content
        if data is None or digest_bytes(data) != digest:
            self._stamps.forget(_name(path))
            return None
        self._stamps.note(_name(path), stamp)
        return data

    def _paths(self, digest: str) -> tuple[Path, Path]:
        plain = self.folder / digest[:2] / digest[2:]
        return plain, plain.with_name(plain.name + COMPRESSED)


def _name(path: Path) -> str:
    """Return what a file is called among the stamps."""
    return f"{path.parent.name}/{path.name}"


def _compress(data: bytes) -> bytes:
    """Return the data compressed, or the data itself where that saves less than 10 %."""
    if len(data) < _SMALLEST_COMPRESSED_BYTES:
        return data
    import zstandard

    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    return packed if len(packed) < 0.9 * len(data) else data


def _decompress(data: bytes) -> bytes | None:
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except (zstandard.ZstdError, MemoryError):  # the latter when the size it claims is damaged
        return None
