"""The index: what can be forgotten. Last use of keys and the history of runs.

An SQLite file beside the truth; when it is gone or damaged it is made anew, and no
error of it ever reaches a build.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
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
"""


class Index:
    """The disposable index of one store."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note_run(self, entry: Entry) -> None:
        """Remember a run that ended well."""
        row = (entry.source, entry.key, entry.executed_at, entry.seconds)
        self._attempt(lambda db: db.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", row))

    def note_uses(self, keys: Iterable[str], *, at_most_daily: bool) -> None:
        """Remember that keys were asked for now.

        :param at_most_daily: write nothing while the file is younger than a day. A build of
            hits must not touch the project's folder each time, or tools that watch it
            would build for ever.
        """
        if at_most_daily and self._is_young():
            return
        rows = [(key, time.time()) for key in keys]
        self._attempt(lambda db: db.executemany("INSERT OR REPLACE INTO uses VALUES (?, ?)", rows))

    def find_seconds(self) -> dict[str, float]:
        """Return how long each notebook's last good run took: source to seconds.

        Read as an immutable file, so that not even a lock file appears in the folder;
        what another process is writing just now may be missed.
        """
        # SQLite takes the bare column from the row that has the maximum.
        query = "SELECT source, seconds, MAX(started_at) FROM runs GROUP BY source"
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as db:
                return {source: seconds for source, seconds, _ in db.execute(query)}
        except sqlite3.Error:
            return {}

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
