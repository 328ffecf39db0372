"""Reading the folder of a jupyter-cache, and leaving it as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.store import is_jupyter_cache, read_jupyter_cache
from tests.store.old_caches import (
    add_run,
    change_database,
    executed_cell,
    list_file,
    make_old,
    take_picture,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where a jupyter-cache lies, or will."""
    return tmp_path / ".jupyter_cache"


def test_a_record_has_its_notebook_its_times_and_its_files(folder: Path) -> None:
    figure = folder.parent / "deep" / "figure.svg"
    figure.parent.mkdir()
    figure.write_text("<svg/>")
    add_run(folder, "/home/me/a.ipynb", executed_cell("1"), seconds=2.5, artifacts=[figure])
    old = read_jupyter_cache(folder)
    (run,) = old.runs
    assert (run.uri, run.seconds) == ("/home/me/a.ipynb", 2.5)
    assert abs(run.created_at - datetime.now(UTC).timestamp()) < 600
    assert run.notebook.is_file()
    ((name, path),) = run.artifacts
    assert (name, path.read_text()) == ("deep/figure.svg", "<svg/>")


def test_the_project_list_is_read_with_readers_and_assets(folder: Path) -> None:
    path, asset = folder.parent / "a.py", folder.parent / "data.csv"
    list_file(folder, path, assets=[asset])
    assert read_jupyter_cache(folder).listed == ((str(path), "jupytext", (str(asset),)),)


def test_nothing_in_the_old_folder_is_touched(folder: Path) -> None:
    add_run(folder, "/home/me/a.ipynb", executed_cell("1"))
    before = take_picture(folder)
    read_jupyter_cache(folder)
    assert take_picture(folder) == before


def test_what_a_writer_has_not_put_into_the_database_yet_is_read_too(folder: Path) -> None:
    add_run(folder, "/home/me/a.ipynb", executed_cell("1"))
    with closing(sqlite3.connect(folder / "global.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE nbcache SET uri = 'b.ipynb'")
        db.commit()
        before = take_picture(folder)
        assert str(folder / "global.db-wal") in before
        (run,) = read_jupyter_cache(folder).runs
        assert run.uri == "b.ipynb"
        assert take_picture(folder) == before


def test_a_record_without_seconds_and_with_an_odd_time_is_read(folder: Path) -> None:
    add_run(folder, "/home/me/a.ipynb", executed_cell("1"), seconds=None)
    change_database(folder, "UPDATE nbcache SET created = 'yesterday'")
    (run,) = read_jupyter_cache(folder).runs
    assert (run.seconds, run.created_at) == (0.0, 0.0)


def test_a_record_cannot_lead_out_of_the_folder(folder: Path) -> None:
    add_run(folder, "/home/me/a.ipynb", executed_cell("1"))
    change_database(folder, "UPDATE nbcache SET hashkey = '../..'")
    (run,) = read_jupyter_cache(folder).runs
    assert run.notebook.is_relative_to(folder / "executed")
    assert ".." not in run.notebook.parts


@pytest.mark.parametrize(("before_05", "reader"), [(False, "jupytext"), (True, "nbformat")])
def test_the_tables_of_old_versions_are_read(folder: Path, before_05: bool, reader: str) -> None:
    make_old(folder, "/home/me/a.ipynb", executed_cell("1"), before_05=before_05)
    old = read_jupyter_cache(folder)
    (run,) = old.runs
    assert datetime.fromtimestamp(run.created_at, UTC).isoformat().startswith("2021-12-31T23:59:59")
    assert (run.seconds, run.notebook.is_file()) == (2.0, True)
    assert old.listed == (("/home/me/a.ipynb", reader, ()),)


def test_a_folder_without_a_database_is_refused(tmp_path: Path) -> None:
    assert not is_jupyter_cache(tmp_path)
    with pytest.raises(StoreError, match=r"not the folder of a jupyter-cache: it has no global.db"):
        read_jupyter_cache(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no database, but long enough to look like one" * 99])
def test_a_damaged_database_is_one_sentence(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "global.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"its global\.db (cannot be read|is not that of)"):
        read_jupyter_cache(folder)


def test_a_torn_database_is_one_sentence(folder: Path) -> None:
    for number in range(40):
        add_run(folder, f"/home/me/{number:0200}.ipynb", executed_cell(str(number)))
    path = folder / "global.db"
    path.write_bytes(path.read_bytes()[:8192])
    with pytest.raises(StoreError, match=r"its global\.db cannot be read"):
        read_jupyter_cache(folder)
