"""Caches of jupyter-cache: real ones, and one with the tables that old versions made."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from jupyter_cache import get_cache

from sphinx_nbcache.testing import code_cell, write_notebook

HASH = "0123456789abcdef0123456789abcdef"
_OLD_TABLES = """
CREATE TABLE nbcache (pk INTEGER PRIMARY KEY, hashkey VARCHAR(255) NOT NULL UNIQUE,
    uri VARCHAR(255) NOT NULL, description VARCHAR(255) NOT NULL, data JSON,
    created DATETIME NOT NULL, accessed DATETIME NOT NULL);
CREATE TABLE nbproject (pk INTEGER PRIMARY KEY, uri VARCHAR(255) NOT NULL UNIQUE,
    read_data JSON NOT NULL, assets JSON NOT NULL, exec_data JSON, created DATETIME NOT NULL,
    traceback TEXT);
CREATE TABLE nbstage (pk INTEGER PRIMARY KEY, uri VARCHAR(255) NOT NULL UNIQUE,
    assets JSON NOT NULL, traceback TEXT, created DATETIME NOT NULL);
"""


def executed_cell(
    source: str, text: str = "", *, tags: Iterable[str] = (), count: int | None = 1
) -> dict[str, Any]:
    """Return a code cell that has run and printed a text."""
    outputs = [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
    return {**code_cell(source, tags=tags, outputs=outputs), "execution_count": count}


def error_cell(source: str, *, tags: Iterable[str] = ()) -> dict[str, Any]:
    """Return a code cell that has raised."""
    error = {"output_type": "error", "ename": "ValueError", "evalue": "oh", "traceback": []}
    return {**code_cell(source, tags=tags, outputs=[error]), "execution_count": 1}


def add_run(
    folder: Path,
    uri: str | Path,
    *cells: Mapping[str, Any],
    seconds: float | None = 1.5,
    artifacts: Iterable[Path] = (),
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Have jupyter-cache store an executed notebook.

    :param artifacts: files in the folder beside ``folder``, or below it.
    """
    path = write_notebook(folder.parent / "executed.ipynb", *cells, metadata=metadata)
    cache = get_cache(folder)
    data = {} if seconds is None else {"execution_seconds": seconds}
    files = [str(file) for file in artifacts]
    cache.cache_notebook_file(
        str(path), str(uri), artifacts=files, data=data, check_validity=False, overwrite=True
    )
    cache.db.dispose()
    path.unlink()


def list_file(folder: Path, path: Path, *, assets: Iterable[Path] = ()) -> None:
    """Have jupyter-cache put a notebook on its project list."""
    cache = get_cache(folder)
    data = {"name": "jupytext", "type": "plugin"}
    cache.add_nb_to_project(str(path), read_data=data, assets=[str(file) for file in assets])
    cache.db.dispose()


def find_notebook(folder: Path) -> Path:
    """Return the only executed notebook in a jupyter-cache."""
    (path,) = folder.glob("executed/*/base.ipynb")
    return path


def change_database(folder: Path, statement: str) -> None:
    """Do something to the database behind jupyter-cache's back."""
    with closing(sqlite3.connect(folder / "global.db")) as db, db:
        db.execute(statement)


def take_picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return all files below a folder: mtime and content."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def make_old(folder: Path, uri: str, *cells: Mapping[str, Any], before_05: bool = False) -> None:
    """Make a cache as old versions did, with one run and one listed notebook.

    0.5 and 0.6 have the columns of today; before 0.5 there was no version file, and
    the list had another name and no reader.
    """
    write_notebook(folder / "executed" / HASH / "base.ipynb", *cells)
    run = (HASH, uri, "", json.dumps({"execution_seconds": 2.0}), "2021-12-31 23:59:59.500000")
    with closing(sqlite3.connect(folder / "global.db")) as db, db:
        db.executescript(_OLD_TABLES)
        db.execute(f"DROP TABLE {'nbproject' if before_05 else 'nbstage'}")
        columns = "hashkey, uri, description, data, created, accessed"
        db.execute(f"INSERT INTO nbcache ({columns}) VALUES (?, ?, ?, ?, ?, ?)", (*run, run[-1]))
        if before_05:
            query = "INSERT INTO nbstage (uri, assets, created) VALUES (?, '[]', ?)"
        else:
            (folder / "__version__.txt").write_text("0.5.0")
            query = (
                "INSERT INTO nbproject (uri, read_data, assets, created) VALUES "
                """(?, '{"name": "jupytext", "type": "plugin"}', '[]', ?)"""
            )
        db.execute(query, (uri, run[-1]))
