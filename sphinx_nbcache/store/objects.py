"""Objects: bytes named by their digest, compressed where that pays.

``objects/ab/cdef...`` holds the bytes themselves, ``objects/ab/cdef....zst`` the same
compressed with Zstandard (RFC 8878). The name is the digest of the plain bytes. Outputs
are objects held in memory; artifacts may be larger than that and go from file to file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from sphinx_nbcache.model import digest_bytes
from sphinx_nbcache.store.files import (
    Piece,
    Stamp,
    place_atomically,
    read_with_stamp,
    take_stamp,
    weigh_file,
    write_atomically,
)
from sphinx_nbcache.store.pieces import (
    PIECE_BYTES,
    SteadyFile,
    UnreadableError,
    check_pieces,
    check_stored,
    compress,
    compress_pieces,
    cut_pieces,
    decompress,
    decompress_pieces,
    digest_pieces,
    read_pieces,
    take_sample,
)
from sphinx_nbcache.store.stamps import Stamps

COMPRESSED = ".zst"
_READ_TRIES = 3
_READ_WAIT_S = 0.1


def _agree() -> None:
    """Confirm whatever is asked."""


class Objects:
    """The objects below one folder."""

    def __init__(self, folder: Path, tmp: Path, stamps: Stamps) -> None:
        self.folder = folder
        self._tmp = tmp
        self._stamps = stamps

    def write(self, data: bytes) -> str:
        """Store bytes, unless they are there and sound; return their digest.

        What is there is made young before it is looked at: so whoever removes what nothing
        needs sees that it is about to be needed, or this one sees that it is gone.
        """
        digest = digest_bytes(data)
        self._touch(digest)
        if self.read(digest) is None:
            self._write_new(digest, data)
        return digest

    def write_pieces(self, pieces: Sequence[Piece], *, is_plain: bool = False) -> str:
        """Store bytes that lie in pieces, without joining them; return their digest.

        :param is_plain: do not compress what is large, so that it can be mapped into memory.
        """
        size = sum(memoryview(piece).nbytes for piece in pieces)
        if size <= PIECE_BYTES:
            return self.write(b"".join(pieces))
        digest = digest_pieces(cut_pieces(pieces))
        self._touch(digest)
        if not self._is_there(digest):
            sample = take_sample(pieces)
            is_packed = not is_plain and compress(sample) is not sample
            content = compress_pieces(cut_pieces(pieces), size) if is_packed else cut_pieces(pieces)
            self._put(digest, content, is_packed=is_packed)
        return digest

    def _touch(self, digest: str) -> None:
        for path in self._paths(digest):
            with suppress(OSError):  # it is not there, or another user's
                os.utime(path)

    def find_plain(self, digest: str) -> Path | None:
        """Return the file that holds just the bytes of a digest; None if they are compressed.

        It is read to see whether it is sound only if it never was found to be, or was
        touched since.
        """
        path = self._paths(digest)[0]
        stamp = take_stamp(str(path))
        if stamp is None:
            return None
        is_known = self._stamps.is_known(_name(path), stamp)
        return path if is_known or self.is_sound(path) else None

    def write_file(self, path: Path) -> tuple[str, Stamp]:
        """Store a file's bytes, unless they are there and sound.

        Returns their digest, and the stamp of the file that was read. Takes the memory of
        a few pieces, however large the file is.
        Raises UnreadableError when the file cannot be read or does not stay as it is, and
        another OSError when the object cannot be written.
        """
        tries = _READ_TRIES
        while True:
            tries -= 1
            with SteadyFile(path) as file:
                try:
                    return self._write_steady(file), file.stamp
                except UnreadableError:
                    if not tries:
                        raise
            time.sleep(_READ_WAIT_S)

    def _write_steady(self, file: SteadyFile) -> str:
        if file.stamp.size <= PIECE_BYTES:
            return self.write(b"".join(file.iterate()))
        digest = digest_pieces(file.iterate())
        self._touch(digest)
        if not self._is_there(digest):
            head = next(file.iterate())
            is_packed = compress(head) is not head
            content = check_pieces(file.iterate(), digest)
            if is_packed:
                content = compress_pieces(content, file.stamp.size)
            self._put(digest, content, is_packed=is_packed)
        return digest

    def _write_new(self, digest: str, data: bytes) -> None:
        content = compress(data)
        self._put(digest, content, is_packed=content is not data)

    def take(self, digest: str, pieces: Iterable[bytes], *, is_packed: bool) -> None:
        """Store an object's file as another store holds it, checked while it comes in.

        Raises UnreadableError when it is not what its name says, or more than it may be, and
        another OSError when it cannot be written.
        """
        plain, packed = self._paths(digest)
        path = packed if is_packed else plain
        content = check_stored(pieces, digest, is_packed=is_packed)
        self._stamps.note(_name(path), write_atomically(path, content, tmp=self._tmp))

    def list_files(self, digest: str) -> list[Path]:
        """Return the files that hold an object; one, as a rule."""
        return [path for path in self._paths(digest) if path.exists()]

    def list_paths_of(self, digest: str) -> tuple[Path, ...]:
        """Return the files that may hold an object, whether they are there or not."""
        return self._paths(digest)

    def _put(self, digest: str, content: bytes | Iterable[Piece], *, is_packed: bool) -> None:
        plain, packed = self._paths(digest)
        path, other = (packed, plain) if is_packed else (plain, packed)
        stamp = write_atomically(path, content, tmp=self._tmp)
        self._stamps.note(_name(path), stamp)
        other.unlink(missing_ok=True)

    def copy_to(
        self, digest: str, target: Path, mode: int, *, confirm: Callable[[], None] = _agree
    ) -> Stamp | None:
        """Write an object's bytes to a file outside the store, whole or not at all.

        Folders that are missing are made. Takes the memory of a few pieces.

        :param mode: the file's permissions; other bits of it do not count.
        :param confirm: called just before the file takes its place; what it raises goes
            through and leaves the target as it was.

        Returns the file's stamp; None, and the target as it was, when the object is
        missing or damaged. Raises OSError when the target cannot be written.
        """
        for path in self._paths(digest):
            try:
                pieces = check_pieces(_open_pieces(path), digest)
                first = next(pieces, b"")  # no folder is made for what is not there
                pieces = chain((first,), pieces)
                return place_atomically(target, pieces, mode=mode, confirm=confirm)
            except UnreadableError:
                self._stamps.forget(_name(path))
        return None

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
        return self._is_there(digest)

    def list_paths(self) -> Iterator[Path]:
        """Yield the files of all objects."""
        yield from sorted(self.folder.glob("??/*"))

    def is_sound(self, path: Path) -> bool:
        """Return whether an object's file holds what its name says."""
        try:
            stamp = take_stamp(str(path))
            is_sound = digest_pieces(_open_pieces(path)) == read_digest(path)
        except UnreadableError:
            is_sound = False
        if is_sound and stamp is not None:
            self._stamps.note(_name(path), stamp)
        else:
            self._stamps.forget(_name(path))
        return is_sound

    def weigh(self, digest: str) -> int:
        """Return the bytes of an object on the disk; 0 where there is none."""
        return sum(map(weigh_file, self._paths(digest)))

    def _is_there(self, digest: str) -> bool:
        return any(self.is_sound(path) for path in self._paths(digest))

    def _read(self, path: Path, digest: str) -> bytes | None:
        """Return what a file holds if it is sound, and remember whether it is."""
        try:
            found = read_with_stamp(path)
        except OSError:
            return None  # what cannot be read is no better than what is damaged
        if found is None:
            return None
        content, stamp = found
        data = decompress(content) if path.name.endswith(COMPRESSED) else content
        if data is None or digest_bytes(data) != digest:
            self._stamps.forget(_name(path))
            return None
        self._stamps.note(_name(path), stamp)
        return data

    def _paths(self, digest: str) -> tuple[Path, Path]:
        plain = self.folder / digest[:2] / digest[2:]
        return plain, plain.with_name(plain.name + COMPRESSED)


def read_digest(path: Path) -> str:
    """Return the digest that the name of an object's file claims."""
    return path.parent.name + path.name.removesuffix(COMPRESSED)


def _name(path: Path) -> str:
    """Return what a file is called among the stamps."""
    return f"{path.parent.name}/{path.name}"


def _open_pieces(path: Path) -> Iterator[bytes]:
    """Yield the plain bytes of an object's file.

    Raises UnreadableError, also when there is no such file.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableError(error.errno, error.strerror, str(path)) from error
    with file:
        is_packed = path.name.endswith(COMPRESSED)
        yield from decompress_pieces(file) if is_packed else read_pieces(file)
