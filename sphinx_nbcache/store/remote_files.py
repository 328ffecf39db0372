"""The files of a remote, wherever they are: listed, read, written and removed through fsspec.

The only place that knows fsspec. Owns retries, and what of a foreign error is shown: never
what could be secret. What the files mean is not known here, and nothing that a remote says
of them is believed beyond their names and sizes.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sphinx_nbcache.config import mask_address
from sphinx_nbcache.errors import MissingExtraError, NbCacheError, RemoteError
from sphinx_nbcache.store.pieces import UnreadableError
from sphinx_nbcache.store.transfers import THREADS, Transfers, get_lasting_executor

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PIECE_BYTES = 4 << 20
_PART_BYTES = 8 << 20
"""Of large files that are written: so much has to pass before it counts as a sign of life."""
_TRIES = 4
_WAIT_S = 0.3
_CONNECT_S = 10
_READ_S = 20
_EXTRAS = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gcs"),
    "gcs": ("gcsfs", "gcs"),
    "az": ("adlfs", "azure"),
    "abfs": ("adlfs", "azure"),
    "abfss": ("adlfs", "azure"),
}
"""Protocol to the library for it, and our extra that brings it."""
_WHOLE = frozenset((*_EXTRAS, "memory"))
"""Protocols whose files are seen whole or not at all."""
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")
"""What different libraries call the time at which a file was written."""
_DRAFTS = "tmp"
_LONGEST_REASON = 300
_CHECKSUM = "Checksum"
"""Part of the names of errors for bytes that are not those that were written."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing says of a file."""

    name: str
    """Relative to the remote's folder, in POSIX form."""
    size_bytes: int
    written_at: float | None
    """A POSIX timestamp; None where nobody tells."""


class RemoteFiles:
    """The files below one address.

    :param address: of a folder, as fsspec knows them.
    :param transfers: what is told when bytes move.

    All that goes wrong is a RemoteError; a library that is missing, a MissingExtraError.
    """

    def __init__(self, address: str, transfers: Transfers) -> None:
        self.shown = mask_address(address)
        """The address without what could be secret in it."""
        self._address = address
        self._protocol = address.partition("://")[0].lower()
        self._transfers = transfers
        self._opened: tuple[AbstractFileSystem, str] | None = None
        self._lock = threading.Lock()
        self._is_closed = threading.Event()

    def close(self) -> None:
        """Make no more attempts."""
        self._is_closed.set()

    def list_below(self, folder: str) -> list[Listed]:
        """Return all files below a folder; none where there is no such folder."""
        fs, root = self._open()

        def look() -> Mapping[str, Mapping[str, Any]]:
            try:
                found = fs.find(f"{root}/{folder}", detail=True)
            except FileNotFoundError:
                return {}
            return dict(found)

        start = f"{root}/"
        return [
            Listed(name.removeprefix(start), int(detail.get("size") or 0), _read_time(detail))
            for name, detail in self._try(look, f"{folder} cannot be listed").items()
            if name.startswith(start)
        ]

    def require_place(self) -> None:
        """Raise RemoteError where not even the place is there, such as the bucket."""
        fs, root = self._open()
        bucket = root.partition("/")[0] if self._protocol in _EXTRAS else ""

        def look() -> bool:
            try:
                fs.info(bucket)
            except FileNotFoundError:
                return False
            except PermissionError:  # of one who may see a folder of it only
                return True
            return True

        if bucket and not self._try(look, "cannot be reached"):
            raise RemoteError(self.shown, f"there is no {bucket!r}: make it, or mend the address")

    def read(self, name: str, most_bytes: int) -> bytes | None:
        """Return the first bytes of a file; None where there is none."""
        fs, root = self._open()

        def read() -> bytes | None:
            try:
                return bytes(fs.cat_file(f"{root}/{name}", start=0, end=most_bytes))
            except FileNotFoundError:
                return None

        return self._try(read, f"{name} cannot be read")

    def iterate(self, listed: Listed) -> Iterator[bytes]:
        """Yield the bytes of a file, never more than its listing says.

        Raises FileNotFoundError when it is gone, UnreadableError when it comes damaged.
        """
        fs, root = self._open()
        path = f"{root}/{listed.name}"
        for start in range(0, listed.size_bytes, PIECE_BYTES):
            end = min(start + PIECE_BYTES, listed.size_bytes)

            def read(start: int = start, end: int = end) -> bytes:
                return bytes(fs.cat_file(path, start=start, end=end))

            yield self._try(read, f"{listed.name} cannot be read")[: end - start]

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all; one that is there is replaced."""
        self._put(name, lambda fs, path: fs.pipe_file(path, data))

    def write_file(self, name: str, source: Path) -> None:
        """Write a file with what another one on this machine holds.

        Raises FileNotFoundError when that is gone.
        """
        if source.stat().st_size <= _PART_BYTES:
            self.write(name, source.read_bytes())
            return
        from fsspec.callbacks import Callback

        hooks = {"movement": lambda size, value, **_: self._transfers.note_movement()}
        options: dict[str, Any] = {"callback": Callback(hooks=hooks)}
        if _EXTRAS.get(self._protocol, ("",))[0] == "s3fs":
            options["chunksize"] = _PART_BYTES
        self._put(name, lambda fs, path: fs.put_file(str(source), path, **options))

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        fs, root = self._open()

        def remove() -> None:
            try:
                fs.rm_file(f"{root}/{name}")
            except FileNotFoundError:
                return

        self._try(remove, f"{name} cannot be removed")

    def _put(self, name: str, write: Callable[[AbstractFileSystem, str], object]) -> None:
        fs, root = self._open()
        target = f"{root}/{name}"

        def put() -> None:
            if self._protocol in _WHOLE:
                write(fs, target)
                return
            drafts = f"{root}/{_DRAFTS}"
            draft = f"{drafts}/{secrets.token_hex(8)}"
            fs.makedirs(drafts, exist_ok=True)
            fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            write(fs, draft)
            fs.mv(draft, target)

        def put_there() -> None:
            try:
                put()
            except FileNotFoundError as error:  # no such bucket, or no folder can be made
                raise OSError(str(error)) from error

        self._try(put_there, f"{name} cannot be written")

    def _open(self) -> tuple[AbstractFileSystem, str]:
        with self._lock:
            if self._opened is None:
                self._opened = self._find_file_system()
            return self._opened

    def _find_file_system(self) -> tuple[AbstractFileSystem, str]:
        library, extra = _EXTRAS.get(self._protocol, ("fsspec", "remote"))
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise MissingExtraError("fsspec", extra) from error
        # Neither listings nor connections of an earlier build.
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if library == "s3fs":
            # Retries are ours: those of three layers multiply.
            options["config_kwargs"] = {
                "connect_timeout": _CONNECT_S,
                "read_timeout": _READ_S,
                "max_pool_connections": THREADS,
                "retries": {"max_attempts": 0},
            }
        try:
            fs, root = url_to_fs(self._address, **options)
        except ImportError as error:
            if extra != "remote":
                raise MissingExtraError(library, extra) from error
            raise self._make_error("its library is not installed", error) from error
        except Exception as error:
            raise self._make_error("cannot be opened", error) from error
        if library == "s3fs":
            fs.retries = 1
        if (loop := getattr(fs, "loop", None)) is not None:
            loop.call_soon_threadsafe(loop.set_default_executor, get_lasting_executor(os.getpid()))
        return fs, str(root).rstrip("/")

    def _try(self, call: Callable[[], _T], what: str) -> _T:
        """Return what a call returns, tried again with growing pauses if that may help."""
        for remaining in reversed(range(_TRIES)):
            try:
                found = call()
            except FileNotFoundError:
                raise
            except Exception as error:  # every file system raises what it likes
                pause = _WAIT_S * 2 ** (_TRIES - 1 - remaining) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
                is_final = isinstance(error, PermissionError | NbCacheError) or not remaining
                if is_final or self._is_closed.wait(pause):
                    made = self._make_error(what, error)
                    if _CHECKSUM in type(error).__name__:  # of one file, not of the remote
                        raise UnreadableError(made.reason) from error
                    raise made from error
            else:
                self._transfers.note_movement()
                return found
        raise AssertionError("the last attempt returns or raises")

    def _make_error(self, what: str, error: Exception) -> RemoteError:
        text = str(error).replace(self._address, self.shown) or type(error).__name__
        line = mask_address(" ".join(text.split()))[:_LONGEST_REASON]
        return RemoteError(self.shown, f"{what}: {line}")


def _read_time(detail: Mapping[str, Any]) -> float | None:
    """Return when a file was written, from what its library says."""
    for name in _TIMES:
        value = detail.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).timestamp()
            except ValueError:
                continue
    return None
