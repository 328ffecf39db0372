"""Temporary folders: assets are copied in, and what is left there is handed on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sphinx_nbcache.running.temporary import enter_folder
from sphinx_nbcache.testing import make_notebook
from tests.running.conftest import make_job


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a notebook, with an asset in it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.txt").write_text("in")
    return tmp_path


def test_what_goes_while_it_is_taken_is_no_error(folder: Path) -> None:
    job = make_job(make_notebook("1", path=folder / "a.ipynb"), None)
    stop = threading.Event()
    with enter_folder(job) as place:

        def write() -> None:
            while not stop.is_set():
                (place.folder / "x").touch()
                (place.folder / "x").unlink(missing_ok=True)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            left = [place.take_left() for _ in range(200)]
        finally:
            stop.set()
            writer.join()
    assert len(left) == 200


def test_a_notebooks_own_folder_is_left_alone(folder: Path) -> None:
    job = make_job(make_notebook("1", path=folder / "a.ipynb"), folder)
    with enter_folder(job) as place:
        assert place.folder == folder
        assert place.take_left() is None
    assert (folder / "data" / "in.txt").exists()


def test_only_what_was_made_or_changed_is_taken(folder: Path) -> None:
    asset = folder / "data" / "in.txt"
    job = make_job(make_notebook("1", path=folder / "a.ipynb"), None, assets=(asset,))
    with enter_folder(job) as place:
        assert (place.folder / "data" / "in.txt").read_text() == "in"
        assert place.take_left() is None
        (place.folder / "out").mkdir()
        (place.folder / "out" / "a").write_text("a")
        (place.folder / "__pycache__").mkdir()
        (place.folder / "__pycache__" / "x.pyc").touch()
        (place.folder / "link").symlink_to(asset)
        left = place.take_left()
    assert left is not None
    assert not place.folder.exists()
    assert [path.relative_to(left).as_posix() for path in left.rglob("*") if path.is_file()] == [
        "out/a"
    ]


def test_an_asset_that_was_changed_is_left_too(folder: Path) -> None:
    asset = folder / "data" / "in.txt"
    job = make_job(make_notebook("1", path=folder / "a.ipynb"), None, assets=(asset,))
    with enter_folder(job) as place:
        (place.folder / "data" / "in.txt").write_text("changed")
        left = place.take_left()
    assert left is not None
    assert (left / "data" / "in.txt").read_text() == "changed"
    assert asset.read_text() == "in"
