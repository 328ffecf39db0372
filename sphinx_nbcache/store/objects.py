"""Objects: bytes named by their digest, compressed where that pays.

``objects/ab/cdef...`` holds the bytes themselves, ``objects/ab/cdef....zst`` the same
compressed with Zstandard (RFC 8878); what is large lies in chunks (``chunked.py``). The name is
the digest of the plain bytes. Outputs are objects held in memory; artifacts may be larger than
that and go from file to file.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from sphinx_nbcache.model import digest_bytes
from sphinx_nbcache.store.chunked import Chunked, ChunkStream, renew
from sphinx_nbcache.store.chunks import CHUNKED, LARGEST_CHUNK_BYTES, Chunk, is_chunkable
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
    decompress_exactly,
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
        self.chunked = Chunked(folder, tmp, stamps, self)

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

        :param is_plain: neither compress nor cut what is large, so that it can be mapped into
            memory.
        """
        size = sum(memoryview(piece).nbytes for piece in pieces)
        if size <= PIECE_BYTES:
            return self.write(b"".join(pieces))
        digest = digest_pieces(cut_pieces(pieces))
        self._touch(digest)
        if is_plain and self.find_plain(digest) is None:
            self._put(digest, cut_pieces(pieces), is_packed=False)
        elif not self._is_there(digest):
            sample = take_sample(pieces)
            is_packed = compress(sample) is not sample
            self._put_large(digest, cut_pieces(pieces), size, is_packed=is_packed)
        return digest

    def _touch(self, digest: str) -> None:
        self.touch_single(digest)
        self.chunked.touch(digest)

    def touch_single(self, digest: str) -> None:
        """Make the files of an object that is not chunked young."""
        for path in self._paths(digest):
            renew(path, self._stamps)

    def find_plain(self, digest: str) -> Path | None:
        """Return the file that holds just the bytes of a digest; None if none does.

        It is read to see whether it is sound only if it never was found to be, or was
        touched since.
        """
        path = self._paths(digest)[0]
        stamp = take_stamp(str(path))
        if stamp is None:
            return None
        is_known = self._stamps.is_known(_name(path), stamp)
        return path if is_known or self.is_sound(path) else None

    def open_chunked(self, digest: str) -> io.RawIOBase | None:
        """Return a file to read a sound chunked object from once; None where there is none."""
        return self.chunked.open(digest)

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
            self._put_large(digest, content, file.stamp.size, is_packed=is_packed)
        return digest

    def _put_large(
        self, digest: str, pieces: Iterable[Piece], size_bytes: int, *, is_packed: bool
    ) -> None:
        if is_chunkable(size_bytes):
            self.chunked.write(digest, pieces, is_packed=is_packed)
            return
        content = compress_pieces(pieces, size_bytes) if is_packed else pieces
        self._put(digest, content, is_packed=is_packed)

    def store_chunk(self, data: bytes, *, is_packed: bool) -> str:
        """Store a chunk, unless it is there and sound; return its digest."""
        digest = digest_bytes(data)
        self.touch_single(digest)
        if self.find_sound(digest) is None:
            content = compress(data) if is_packed else data
            self._put(digest, content, is_packed=content is not data)
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
        """Return the files that hold an object: one, or its chunks and then their listing."""
        return self.list_single(digest)[:1] or self.chunked.list_files(digest)

    def list_single(self, digest: str) -> list[Path]:
        """Return the files each of which holds an object; one, as a rule."""
        return [path for path in self._paths(digest) if path.exists()]

    def list_paths_of(self, digest: str) -> tuple[Path, ...]:
        """Return the files that may hold an object, whether they are there or not."""
        return self._paths(digest)

    def _put(self, digest: str, content: bytes | Iterable[Piece], *, is_packed: bool) -> None:
        plain, packed = self._paths(digest)
        path, other = (packed, plain) if is_packed else (plain, packed)
        stamp = write_atomically(path, content, tmp=self._tmp)
        self._stamps.note(_name(path), stamp)
        for form in (other, self.chunked.get_path(digest)):
            form.unlink(missing_ok=True)

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
        for path in self._forms(digest):
            try:
                pieces = check_pieces(self._open_pieces(path), digest)
                first = next(pieces, b"")  # no folder is made for what is not there
                pieces = chain((first,), pieces)
                return place_atomically(target, pieces, mode=mode, confirm=confirm)
            except UnreadableError:
                self._forget(path)
        return None

    def read(self, digest: str) -> bytes | None:
        """Return the bytes of a digest, verified; None when missing or damaged."""
        for path in self._paths(digest):
            if (data := self._read(path, digest)) is not None:
                return data
        return self._read_joined(digest)

    def has(self, digest: str) -> bool:
        """Return whether an object is there and sound.

        It is read only if it was never found sound, or was touched since.
        """
        return self.find_sound(digest) is not None or self.chunked.has(digest)

    def find_sound(self, digest: str) -> Path | None:
        """Return a file that holds an object by itself, sound as ``has`` says; None without one."""
        for ending in ("", COMPRESSED):
            name = f"{digest[:2]}/{digest[2:]}{ending}"
            stamp = take_stamp(f"{self.folder}/{name}")
            if stamp is not None and self._stamps.is_known(name, stamp):
                return self.folder / name
        return next((path for path in self._paths(digest) if self.is_sound(path)), None)

    def list_paths(self) -> Iterator[Path]:
        """Yield the files of all objects."""
        yield from sorted(self.folder.glob("??/*"))

    def is_sound(self, path: Path) -> bool:
        """Return whether an object's file holds what its name says; with its chunks, if any."""
        if is_listing(path):
            return self.chunked.is_sound(path)
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

    def weigh(self, digests: Iterable[str]) -> int:
        """Return the bytes of some objects on the disk, those of a chunk that they share once."""
        files: set[Path] = set()
        for digest in digests:
            files.update(self._forms(digest), self.chunked.list_chunks(digest))
        return sum(map(weigh_file, files))

    def open_chunk(self, chunk: Chunk) -> ChunkStream:
        """Return a file of the plain bytes of a chunk, just as many as it has.

        Raises UnreadableError.
        """
        # Built from texts: of a GB there are a thousand, and each path costs as much as a read.
        name = f"{self.folder}/{chunk.digest[:2]}/{chunk.digest[2:]}"
        if (stamp := take_stamp(name)) is not None and stamp.size == chunk.size:
            with suppress(OSError):
                return open(name, "rb", buffering=0)  # noqa: PTH123
        packed = Path(name + COMPRESSED)
        data = None
        if 0 < weigh_file(packed) <= LARGEST_CHUNK_BYTES:
            with suppress(OSError):
                data = decompress_exactly(packed.read_bytes(), chunk.size)
        if data is None:
            raise UnreadableError(f"its chunk {chunk.digest} is missing or damaged")
        return io.BytesIO(data)

    def forget_single(self, digest: str) -> None:
        """Take note that the files of an object that is not chunked may not be sound."""
        for path in self._paths(digest):
            self._stamps.forget(_name(path))

    def _forget(self, path: Path) -> None:
        if is_listing(path):
            self.chunked.forget(read_digest(path))
        else:
            self._stamps.forget(_name(path))

    def _is_there(self, digest: str) -> bool:
        return any(self.is_sound(path) for path in self._paths(digest)) or self.chunked.has(digest)

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

    def _read_joined(self, digest: str) -> bytes | None:
        # Not b"".join: it would need the pieces and the whole at once.
        whole = io.BytesIO()
        try:
            whole.writelines(
                check_pieces(self.chunked.iterate(self.chunked.get_path(digest)), digest)
            )
        except UnreadableError:
            self.chunked.forget(digest)
            return None
        return whole.getvalue()

    def _open_pieces(self, path: Path) -> Iterator[bytes]:
        return self.chunked.iterate(path) if is_listing(path) else _open_pieces(path)

    def _forms(self, digest: str) -> tuple[Path, Path, Path]:
        return (*self._paths(digest), self.chunked.get_path(digest))

    def _paths(self, digest: str) -> tuple[Path, Path]:
        plain = self.folder / digest[:2] / digest[2:]
        return plain, plain.with_name(plain.name + COMPRESSED)


def is_listing(path: Path) -> bool:
    """Return whether an object's file lists the chunks that it is made of."""
    return path.name.endswith(CHUNKED)


def read_digest(path: Path) -> str:
    """Return the digest that the name of an object's file claims."""
    return path.parent.name + path.name.removesuffix(COMPRESSED).removesuffix(CHUNKED)


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
