"""The folder of a jupyter-cache, as its versions 0.4 to 1.0 wrote it; read, never changed.

Owns where things lie in it and what its database says. What is in an executed notebook,
and what becomes of it here, is not known.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sphinx_nbcache.errors import StoreError

DATABASE = "global.db"
_EXECUTED = "executed"
_NOTEBOOK = "base.ipynb"
_ARTIFACTS = "artifacts"
_RECORDS = "nbcache"
_LISTS = ("nbproject", "nbstage")
"""The table of the project's notebooks; the second name is that before 0.5."""
_DEFAULT_READER = "nbformat"
_HASH = re.compile(r"[0-9a-f]{32}")
_UNFINISHED = ("-wal", "-journal")
"""What SQLite has beside a database while something is not in it yet."""
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRun:
    """One executed notebook."""

    uri: str
    """Path of the notebook on the machine that ran it."""
    notebook: Path
    """The executed notebook, without its text cells; it may be missing."""
    created_at: float
    """When it was stored, just after it had run: a POSIX timestamp; 0 if that is not known."""
    seconds: float
    """How long it ran; 0 if that is not known."""
    artifacts: tuple[tuple[str, Path], ...] = ()
    """Path relative to the notebook's folder, in POSIX form, and where the file lies."""


class OldListed(NamedTuple):
    """A notebook of the project's list."""

    uri: str
    reader: str
    """Name of what reads it."""
    assets: tuple[str, ...]
    """Paths of the files that it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldCache:
    """All that a jupyter-cache holds."""

    path: Path
    runs: tuple[OldRun, ...]
    listed: tuple[OldListed, ...]


def is_jupyter_cache(path: Path) -> bool:
    """Return whether a folder is that of a jupyter-cache."""
    return (path / DATABASE).is_file()


def read_jupyter_cache(path: Path) -> OldCache:
    """Read the records of a jupyter-cache.

    Raises StoreError when it is none, or its database is damaged.
    """
    if not is_jupyter_cache(path):
        raise StoreError(path, f"not the folder of a jupyter-cache: it has no {DATABASE}")
    try:
        with _open(path / DATABASE) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            if _RECORDS not in tables:
                raise StoreError(path, f"its {DATABASE} is not that of a jupyter-cache")
            runs = _read_table(db, _RECORDS)
            name = next((name for name in _LISTS if name in tables), None)
            listed = [] if name is None else _read_table(db, name)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(path, f"its {DATABASE} cannot be read: {error}") from error
    return OldCache(
        path=path,
        runs=tuple(_make_run(path, row) for row in runs),
        listed=tuple(map(_make_listed, listed)),
    )


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database without leaving a trace beside it.

    What a killed or a busy writer has left beside it belongs to it, and SQLite would write
    to put both together: so that is done with a copy.
    """
    unfinished = [path.with_name(path.name + ending) for ending in _UNFINISHED]
    unfinished = [file for file in unfinished if file.is_file()]
    with tempfile.TemporaryDirectory(prefix="nbcache-") as folder:
        options = "mode=ro&immutable=1"
        if unfinished:
            for file in (path, *unfinished):
                shutil.copyfile(file, Path(folder, file.name))
            path, options = Path(folder, path.name), "mode=rw"
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True)) as db:
            db.text_factory = lambda data: data.decode("utf-8", "replace")
            yield db


def _read_table(db: sqlite3.Connection, name: str) -> list[_Row]:
    """Return the rows by the names of their columns, which differ from version to version."""
    found = db.execute(f"SELECT * FROM {name} ORDER BY pk")  # noqa: S608 - one of our names
    columns = [column[0] for column in found.description]
    return [dict(zip(columns, row, strict=True)) for row in found]


def _make_run(path: Path, row: _Row) -> OldRun:
    hashkey = str(row.get("hashkey"))
    # A name that is no hash could lead out of the folder; it leads nowhere then.
    folder = path / _EXECUTED / (hashkey if _HASH.fullmatch(hashkey) else "unknown")
    data = _read_json(row.get("data"))
    seconds = data.get("execution_seconds") if isinstance(data, dict) else None
    return OldRun(
        uri=str(row.get("uri")),
        notebook=folder / _NOTEBOOK,
        created_at=_read_time(row.get("created")),
        seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        artifacts=tuple(_find_files(folder / _ARTIFACTS)),
    )


def _make_listed(row: _Row) -> OldListed:
    read_data, assets = _read_json(row.get("read_data")), _read_json(row.get("assets"))
    reader = read_data.get("name") if isinstance(read_data, dict) else None
    names = assets if isinstance(assets, list) else []
    return OldListed(
        uri=str(row.get("uri")),
        reader=str(reader or _DEFAULT_READER),
        assets=tuple(name for name in names if isinstance(name, str)),
    )


def _find_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            yield file.relative_to(folder).as_posix(), file


def _read_json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def _read_time(text: Any) -> float:
    """Return a POSIX timestamp of a time in UTC, as SQLAlchemy writes it."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0
