"""The index: what can be forgotten. Uses, runs, texts that were read, files that were hashed.

An SQLite file beside the truth; when it is gone or damaged it is made anew, and no
error of it ever reaches a build.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sphinx_nbcache.model import Entry

_BUSY_TIMEOUT_S = 10
_RELATIVE_USE_S = 24 * 3600
_SCHEMA = """
DROP TABLE IF EXISTS uses;
CREATE TABLE IF NOT EXISTS entry_uses (
    entry TEXT PRIMARY KEY, used_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    source TEXT NOT NULL, key TEXT NOT NULL, started_at REAL NOT NULL,
    seconds REAL NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_source ON runs (source, started_at);
CREATE TABLE IF NOT EXISTS modules (source TEXT PRIMARY KEY, names TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS findings (id TEXT PRIMARY KEY, finding TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stamps (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS memos (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pages (
    path TEXT PRIMARY KEY, name TEXT NOT NULL, rules TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flows (
    source TEXT NOT NULL, way TEXT NOT NULL, path TEXT NOT NULL,
    PRIMARY KEY (source, way, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS written (path TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (path, digest));
CREATE TABLE IF NOT EXISTS failures (
    source TEXT PRIMARY KEY, key TEXT NOT NULL, headline TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failed_runs (
    source TEXT PRIMARY KEY, traceback TEXT NOT NULL, outputs TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry_ids (
    id INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL UNIQUE);
"""
_READ, _WRITTEN = "r", "w"
_MOST_ROWS = 50_000
"""Of each table that only grows; beyond that the oldest are forgotten."""
_FORGET = "DELETE FROM {table} WHERE rowid <= (SELECT MAX(rowid) FROM {table}) - ?"
_GROWING = ("findings", "stamps", "files", "memos", "written")
_MOST_VARIABLES = 500
"""In one query; older versions of SQLite take 999."""
Row = tuple[Any, ...]


class PageRow(NamedTuple):
    """A page of a documentation, as the build that read it last knew it."""

    path: str
    """Relative to the project root."""
    name: str
    """Document name."""
    rules: str
    """Its execution settings, JSON."""


class Flow(NamedTuple):
    """What a notebook's last run read and wrote: paths as inputs have them."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()


class FailedRun(NamedTuple):
    """A run that did not end well."""

    source: str
    """Path of its notebook, relative to the project root."""
    key: str
    headline: str
    traceback: str = ""
    outputs: str = ""
    """Digest of what it gave until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a build found out, for the index to remember."""

    uses: tuple[str, ...] = ()
    """Entries that answered: ``key/inputs digest``."""
    findings: Mapping[str, str] = field(default_factory=dict)
    """Identity of a text to what was found in it."""
    stamps: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """Name of an object's file to size, mtime and inode when it was sound."""
    files: Mapping[str, tuple[int, int, int, str]] = field(default_factory=dict)
    """Name of an input to size, mtime, inode and digest of its file."""
    memos: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[PageRow, ...] = ()
    written: tuple[tuple[str, str], ...] = ()
    """(path, digest) of artifacts that were put in their place."""
    has_run: bool = False

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is new but uses, or what cannot be remembered."""
        return not (self.has_run or any(self.find_rows().values()))

    def find_rows(self) -> dict[str, list[Row]]:
        """Return what was found out, by table; without what SQLite cannot hold as text."""
        rows: dict[str, Iterable[Row]] = {
            "findings": self.findings.items(),
            "stamps": ((name, *stamp) for name, stamp in self.stamps.items()),
            "files": ((name, *known) for name, known in self.files.items()),
            "memos": self.memos.items(),
            "pages": self.pages,
            "written": self.written,
        }
        return {table: _keep_text(values) for table, values in rows.items()}


class Index:
    """The disposable index of one store."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_doubtful = False
        """Whether it could not be read: damaged, or just being written."""

    @property
    def path(self) -> Path:
        """Return its file."""
        return self._path

    def find_flaw(self) -> str | None:
        """Return what is wrong with the file: empty if nothing is, None if there is none."""
        if not self._path.exists():
            return None
        try:
            with closing(self._open_unchanged()) as db:
                _require_sound(db)
        except sqlite3.Error as error:
            return str(error) or "its content is not sound"
        return ""

    def note_run(
        self, entry: Entry, modules: frozenset[str] | None = None, flow: Flow | None = None
    ) -> None:
        """Remember a run that ended well.

        :param modules: libraries that it had imported at its end; None where that was not
            observed, and what is known from an earlier run stays.
        :param flow: what it read and wrote; None where that was not observed.
        """
        run = (entry.source, entry.key, entry.executed_at, entry.seconds)
        written = _keep_text((artifact.path, artifact.digest) for artifact in entry.artifacts)

        def write(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO written VALUES (?, ?)", written)
            if not _is_text(entry.source):
                return
            db.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", run)
            for table in ("failures", "failed_runs"):
                db.execute(f"DELETE FROM {table} WHERE source = ?", (entry.source,))  # noqa: S608 - ours
            if modules is not None:
                names = " ".join(sorted(filter(_is_text, modules)))
                db.execute("INSERT OR REPLACE INTO modules VALUES (?, ?)", (entry.source, names))
            if flow is not None:
                _replace_flow(db, entry.source, flow)

        self._attempt(write)

    def note_failure(self, failed: FailedRun, flow: Flow | None = None) -> None:
        """Remember that a notebook failed, until it has ended well."""
        source = failed.source
        if not _is_text(source):
            return
        row = (source, failed.key, _make_text(failed.headline))

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", row)
            told = (source, _make_text(failed.traceback), failed.outputs)
            db.execute("INSERT OR REPLACE INTO failed_runs VALUES (?, ?, ?)", told)
            if flow is not None:
                _replace_flow(db, source, flow)

        self._attempt(write)

    def note_build(self, news: News) -> None:
        """Remember what a build asked for and found out, in one transaction.

        A build of hits that found out nothing new writes nothing while the file is younger
        than a day: it must not touch the project's folder each time, or tools that watch it
        would build for ever.
        """
        found = news.find_rows()
        if not (news.has_run or any(found.values())) and (not news.uses or self._is_young()):
            return
        now = time.time()
        rows = {"entry_uses": _keep_text((entry, now) for entry in news.uses), **found}

        def write(db: sqlite3.Connection) -> None:
            for table, values in rows.items():
                if values:
                    marks = ",".join("?" * len(values[0]))
                    query = f"INSERT OR REPLACE INTO {table} VALUES ({marks})"  # noqa: S608 - ours
                    db.executemany(query, values)
            for table in _GROWING:
                db.execute(_FORGET.format(table=table), (_MOST_ROWS,))

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

    def find_files(self) -> dict[str, tuple[int, int, int, str]]:
        """Return size, mtime, inode and digest of all files that were hashed, by name."""
        rows = self._read("SELECT name, size, mtime_ns, inode, digest FROM files")
        return {name: (size, mtime, inode, digest) for name, size, mtime, inode, digest in rows}

    def find_memos(self) -> dict[str, str]:
        """Return the texts that were remembered under a name."""
        return dict(self._read("SELECT name, value FROM memos"))

    def find_pages(self) -> list[PageRow]:
        """Return all pages that builds of the documentation have read."""
        return [PageRow(*row) for row in self._read("SELECT path, name, rules FROM pages")]

    def find_written(self) -> frozenset[tuple[str, str]]:
        """Return path and digest of all artifacts that were ever put in their place."""
        return frozenset(self._read("SELECT path, digest FROM written"))

    def find_flows(self) -> dict[str, Flow]:
        """Return what the last run of each notebook read and wrote, by source."""
        found: dict[str, dict[str, set[str]]] = {}
        for source, way, path in self._read("SELECT source, way, path FROM flows"):
            found.setdefault(source, {_READ: set(), _WRITTEN: set()})[way].add(path)
        return {
            source: Flow(frozenset(ways[_READ]), frozenset(ways[_WRITTEN]))
            for source, ways in found.items()
        }

    def find_uses(self) -> dict[str, float]:
        """Return when each entry was last noted to have answered: a POSIX timestamp."""
        return dict(self._read("SELECT entry, used_at FROM entry_uses"))

    def find_failures(self) -> dict[str, tuple[str, str]]:
        """Return key and headline of the notebooks that failed last time, by source."""
        rows = self._read("SELECT source, key, headline FROM failures")
        return {source: (key, headline) for source, key, headline in rows}

    def find_traceback(self, source: str) -> str:
        """Return the traceback of a notebook that failed last time; empty for others."""
        rows = self._read("SELECT traceback FROM failed_runs WHERE source = ?", [source])
        return str(rows[0][0]) if rows else ""

    def find_failed_outputs(self) -> frozenset[str]:
        """Return the digests of what notebooks gave that failed last time."""
        return frozenset(outputs for (outputs,) in self._read("SELECT outputs FROM failed_runs"))

    def number_entries(self, names: Sequence[str]) -> dict[str, int]:
        """Return the ID of each entry, which it keeps as long as the index is there.

        New ones get theirs in the order that they have here; no ID is given twice. Where
        nothing can be written, they have the next free ones for now.
        """
        known = dict(self._read("SELECT entry, id FROM entry_ids"))
        new = [name for name in names if name not in known]
        if new:
            # In one transaction: what others are writing just now is not read without it.
            known = self._attempt(lambda db: _insert_names(db, new)) or known
        free = max(known.values(), default=0) + 1
        rest = (name for name in names if name not in known)
        known.update({name: free + number for number, name in enumerate(rest)})
        return {name: known[name] for name in names}

    def forget_entries(self, names: Sequence[str]) -> None:
        """Forget entries that are gone."""

        def write(db: sqlite3.Connection) -> None:
            for table in ("entry_ids", "entry_uses"):
                query = f"DELETE FROM {table} WHERE entry = ?"  # noqa: S608 - ours
                db.executemany(query, [(name,) for name in names])

        if names:
            self._attempt(write)

    def find_last_keys(self) -> dict[str, str]:
        """Return the key of each notebook's last good run, by source."""
        query = "SELECT source, key, MAX(started_at) FROM runs GROUP BY source"
        return {source: key for source, key, _ in self._read(query)}

    def find_last_times(self) -> dict[str, float]:
        """Return when each notebook's last good run began, by source: a POSIX timestamp."""
        return dict(self._read("SELECT source, MAX(started_at) FROM runs GROUP BY source"))

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
            with closing(self._open_unchanged()) as db:
                return db.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []
        except sqlite3.DatabaseError:
            self._is_doubtful = True
            return []

    def _open_unchanged(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)

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
                    if self._is_doubtful:
                        _require_sound(db)
                        self._is_doubtful = False
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


def _require_sound(db: sqlite3.Connection) -> None:
    """Raise DatabaseError where a database is damaged: it may still take what it cannot give."""
    if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError


def _insert_names(db: sqlite3.Connection, names: Sequence[str]) -> dict[str, int]:
    """Give IDs to entries that have none; return the IDs of all."""
    # Not "OR IGNORE", which uses up a number for each that another process has just numbered.
    query = (
        "INSERT INTO entry_ids (entry) SELECT ?1 "
        "WHERE NOT EXISTS (SELECT 1 FROM entry_ids WHERE entry = ?1)"
    )
    db.executemany(query, [(name,) for name in names])
    return dict(db.execute("SELECT entry, id FROM entry_ids").fetchall())


def _replace_flow(db: sqlite3.Connection, source: str, flow: Flow) -> None:
    rows = [(source, _READ, path) for path in flow.reads]
    rows += [(source, _WRITTEN, path) for path in flow.writes]
    rows = _keep_text(rows)
    db.execute("DELETE FROM flows WHERE source = ?", (source,))
    db.executemany("INSERT OR REPLACE INTO flows VALUES (?, ?, ?)", rows)


def _keep_text(rows: Iterable[Row]) -> list[Row]:
    """Return the rows whose texts SQLite can hold.

    Linux has file names that are none: Python hands them on with lone surrogates. One
    such name must not keep the index from all else.
    """
    return [row for row in rows if all(map(_is_text, row))]


def _make_text(text: str) -> str:
    """Return a text that SQLite can hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_text(value: object) -> bool:
    try:
        return not isinstance(value, str) or value.isascii() or bool(value.encode("utf-8"))
    except UnicodeEncodeError:
        return False
