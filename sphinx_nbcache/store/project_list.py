"""The project's list: notebooks that the user has added, and settings of the cache.

One JSON file beside the entries, written whole: it is no cache, so it does not live in the
index, which may be lost. Knows nothing of what the notebooks hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.store.files import read_if_exists, write_atomically

LIST_FORMAT = 1
_LOCK_TIMEOUT_S = 30
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookRecord:
    """A notebook on the project's list."""

    id: int
    """Given once, never to another notebook."""
    path: str
    """Relative to the project root, in POSIX form; absolute outside of it."""
    added_at: float
    """POSIX timestamp."""
    reader: str = ""
    """Name of the reader; empty for the one that the file itself asks for."""
    assets: tuple[str, ...] = ()
    """Files that it needs in a temporary folder, relative to its own folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectList:
    """The list at one moment."""

    notebooks: tuple[NotebookRecord, ...] = ()
    """In the order of their IDs."""
    next_id: int = 1
    cache_limit: int | None = None
    """Largest number of entries that a build leaves in the cache; None for no limit."""

    def add(self, path: str, *, reader: str, assets: Iterable[str], now: float) -> ProjectList:
        """Return the list with a notebook, whose earlier record is replaced but for its ID."""
        old = next((record for record in self.notebooks if record.path == path), None)
        record = NotebookRecord(
            id=self.next_id if old is None else old.id,
            path=path,
            added_at=now if old is None else old.added_at,
            reader=reader,
            assets=tuple(assets),
        )
        others = (other for other in self.notebooks if other.id != record.id)
        notebooks = tuple(sorted((*others, record), key=lambda item: item.id))
        return replace(self, notebooks=notebooks, next_id=max(self.next_id, record.id + 1))

    def with_limit(self, limit: int | None) -> ProjectList:
        """Return the list with another limit of the cache."""
        return replace(self, cache_limit=limit)

    def remove(self, ids: Iterable[int]) -> ProjectList:
        """Return the list without some notebooks."""
        going = set(ids)
        notebooks = (record for record in self.notebooks if record.id not in going)
        return replace(self, notebooks=tuple(notebooks))


class ProjectFile:
    """The file that holds the list of one cache."""

    def __init__(self, path: Path, *, tmp: Path, lock: Path) -> None:
        self._path = path
        self._tmp = tmp
        self._lock = lock

    def read(self) -> ProjectList:
        """Return the list; an empty one where there is no file.

        Raises StoreError when the file cannot be read or is none of ours.
        """
        try:
            data = read_if_exists(self._path)
        except OSError as error:
            raise StoreError(self._path, f"cannot be read: {error}") from error
        return ProjectList() if data is None else self._parse(data)

    def change(self, work: Callable[[ProjectList], tuple[ProjectList, _T]]) -> _T:
        """Let somebody change the list while nobody else does.

        :param work: takes the list; returns it changed, and whatever the caller wants back.

        Raises StoreError when the file cannot be read or written.
        """
        from filelock import FileLock, Timeout

        try:
            self._lock.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._lock, timeout=_LOCK_TIMEOUT_S):
                changed, result = work(self.read())
                write_atomically(self._path, _serialise(changed), tmp=self._tmp)
        except Timeout as error:
            raise StoreError(self._path, "another process has been changing it for long") from error
        except OSError as error:
            raise StoreError(self._path, f"cannot be written: {error}") from error
        return result

    def _parse(self, data: bytes) -> ProjectList:
        try:
            value = json.loads(data)
            found = value["format"]
            if found != LIST_FORMAT:
                raise StoreError(self._path, f"has format {found}, this version has {LIST_FORMAT}")
            return ProjectList(
                notebooks=tuple(_parse_record(record) for record in value["notebooks"]),
                next_id=int(value["next_id"]),
                cache_limit=None if value["cache_limit"] is None else int(value["cache_limit"]),
            )
        except (ValueError, TypeError, LookupError) as error:
            reason = "is damaged; remove it, and add the project's notebooks again"
            raise StoreError(self._path, reason) from error


def _parse_record(value: dict[str, Any]) -> NotebookRecord:
    record = NotebookRecord(**{**value, "assets": tuple(value["assets"])})
    texts = (record.path, record.reader, *record.assets)
    if not (isinstance(record.id, int) and all(isinstance(text, str) for text in texts)):
        raise TypeError
    return record


def _serialise(found: ProjectList) -> bytes:
    value = {"format": LIST_FORMAT, **asdict(found)}
    return json.dumps(value, indent=1).encode("ascii") + b"\n"
