"""The index: what can be forgotten. Uses, runs, texts that were read, files found sound.

An SQLite file beside the truth; when it is gone or damaged it is made anew, and no
error of it ever reaches a build.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sphinx_nbcache.model import Entry

_BUSY_TIMEOUT_S = 10
_RELATIVE_USE_S = 24 * 3600
_SCHEMA = """
CREATE TABLE IF NOT EXISTS uses (key TEXT PRIMARY KEY, used_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    source TEXT NOT NULL, key TEXT NOT NULL, started_at REAL NOT NULL,
    seconds REAL NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_source ON runs (source, started_at);
CREATE TABLE IF NOT EXISTS modules (source TEXT PRIMARY KEY, names TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS findings (id TEXT PRIMARY KEY, finding TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stamps (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL);
"""
_MOST_ROWS = 50_000
"""Of findings and stamps; beyond that the oldest are forgotten."""
_FORGET = "DELETE FROM {table} WHERE rowid <= (SELECT MAX(rowid) FROM {table}) - ?"
_MOST_VARIABLES = 500
"""In one query; older versions of SQLite take 999."""


class Index:
    """The disposable index of one store."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note_run(self, entry: Entry, modules: frozenset[str] | None = None) -> None:
        """Remember a run that ended well.

        :param modules: libraries that it had imported at its end; None where that was not
            observed, and what is known from an earlier run stays.
        """
        run = (entry.source, entry.key, entry.executed_at, entry.seconds)

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", run)
            if modules is not None:
                names = " ".join(sorted(modules))
                db.execute("INSERT OR REPLACE INTO modules VALUES (?, ?)", (entry.source, names))

        self._attempt(write)

    def note_build(
        self,
        uses: Iterable[str],
        *,
        findings: Mapping[str, str],
        stamps: Mapping[str, tuple[int, int, int]],
        has_run: bool,
    ) -> None:
        """Remember what a build asked for and found out, in one transaction.

        A build of hits that found out nothing new writes nothing while the file is younger
        than a day: it must not touch the project's folder each time, or tools that watch it
        would build for ever.

        :param uses: keys that were asked for.
        :param findings: identity of a text to what was found in it.
        :param stamps: name of an object's file to size, mtime and inode when it was sound.
        :param has_run: whether a notebook ran.
        """
        now = time.time()
        rows = [(key, now) for key in uses]
        is_new = has_run or findings or stamps
        if not (is_new or rows) or (not is_new and self._is_young()):
            return

        def write(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO uses VALUES (?, ?)", rows)
            db.executemany("INSERT OR REPLACE INTO findings VALUES (?, ?)", findings.items())
            named = ((name, *stamp) for name, stamp in stamps.items())
            db.executemany("INSERT OR REPLACE INTO stamps VALUES (?, ?, ?, ?)", named)
            db.execute(_FORGET.format(table="findings"), (_MOST_ROWS,))
            db.execute(_FORGET.format(table="stamps"), (_MOST_ROWS,))

        self._attempt(write)

    def find_findings(self, ids: Sequence[str]) -> dict[str, str]:
        """Return what was found in texts: identity to finding, for those that are known."""
        found: dict[str, str] = {}
        for start in range(0, len(ids), _MOST_VARIABLES):
            part = ids[start : start + _MOST_VARIABLES]
            marks = ",".join("?" * len(part))
            query = f"SELECT id, finding FROM findings WHERE id IN ({marks})"  # noqa: S608 - marks only
            found.update(self._read(query, part))
        return found

    def find_stamps(self) -> list[tuple[str, int, int, int]]:
        """Return name, size, mtime and inode of all files that were found sound."""
        return self._read("SELECT name, size, mtime_ns, inode FROM stamps")

    def find_seconds(self) -> dict[str, float]:
        """Return how long each notebook's last good run took: source to seconds."""
        # SQLite takes the bare column from the row that has the maximum.
        query = "SELECT source, seconds, MAX(started_at) FROM runs GROUP BY source"
        return {source: seconds for source, seconds, _ in self._read(query)}

    def find_modules(self) -> dict[str, frozenset[str]]:
        """Return what each notebook's last observed run had imported: source to libraries."""
        rows = self._read("SELECT source, names FROM modules")
        return {source: frozenset(names.split()) for source, names in rows}

    def _read(self, query: str, values: Sequence[str] = ()) -> list[Any]:
        """Return the rows of a query; none where the index is missing, damaged or of old.

        Read as an immutable file, so that not even a lock file appears in the folder;
        what another process is writing just now may be missed.
        """
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as db:
                return db.execute(query, values).fetchall()
        except sqlite3.Error:
            return []

    def _is_young(self) -> bool:
        try:
            return time.time() - self._path.stat().st_mtime < _RELATIVE_USE_S
        except FileNotFoundError:
            return not self._path.parent.is_dir()

    def _attempt(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Do some work in one short transaction; begin anew with a fresh file if it is damaged."""
        for is_last in (False, True):
            try:
                with closing(self._open()) as db, db:
                    return work(db)
            except (sqlite3.OperationalError, UnicodeError):
                return None  # busy, read-only, a full disk, a name that is no text: forgotten
            except sqlite3.DatabaseError:
                if is_last or not self._remove():
                    return None
        return None

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
        except BaseException:
            db.close()
            raise
        return db

    def _remove(self) -> bool:
        """Remove the file and what SQLite put beside it; return whether that went well."""
        try:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        return True
