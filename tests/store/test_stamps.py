"""A sound object is read once; one that was touched is read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sphinx_nbcache.store import News, Store
from tests.store.samples import fill, make_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the folder of a store with one object."""
    path = tmp_path / "cache"
    fill(Store(path), "a")
    return path


def only_object(path: Path) -> Path:
    """Return the file of the one object."""
    (found,) = (path / "objects").glob("*/*")
    return found


def look_up(path: Path, *, remember: bool = True) -> bool:
    """Return whether a process that has just started finds the entry, as a build does."""
    store = Store(path)
    found, _ = store.find_entries(make_key("a"))
    if remember:
        store.note_build(News())
    return bool(found)


def alter_unseen(path: Path) -> None:
    """Change a file's content, but neither its size nor its time."""
    stat = path.stat()
    with path.open("r+b") as file:
        file.write(b"?")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_an_object_that_was_found_sound_is_not_read_again(path: Path) -> None:
    assert look_up(path)
    alter_unseen(only_object(path))
    assert look_up(path), "nobody read it, or the change would be seen"


def test_loading_reads_and_verifies_whatever_is_remembered(path: Path) -> None:
    look_up(path)
    alter_unseen(only_object(path))
    store = Store(path)
    (entry,), _ = store.find_entries(make_key("a"))
    assert store.load_outputs(entry.outputs) is None
    assert store.find_entries(make_key("a"))[0] == []


def test_verify_reads_everything_whatever_is_remembered(path: Path) -> None:
    look_up(path)
    alter_unseen(only_object(path))
    assert len(Store(path).verify()) == 2


@pytest.mark.parametrize("change", ["time", "size", "inode"])
def test_an_object_that_was_touched_is_read_again(path: Path, change: str) -> None:
    look_up(path)
    found = only_object(path)
    alter_unseen(found)
    if change == "time":
        os.utime(found, (1, 1))
    elif change == "size":
        with found.open("ab") as file:
            file.write(b"?")
    else:
        stat, copy = found.stat(), found.with_name("copy")
        copy.write_bytes(found.read_bytes())
        os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        copy.replace(found)
    assert not look_up(path)


def test_what_a_build_stored_itself_is_remembered(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    fill(store, "a")
    store.note_build(News(has_run=True))
    alter_unseen(only_object(store.path))
    assert look_up(store.path)


def test_what_is_not_written_down_is_found_out_again(path: Path) -> None:
    look_up(path, remember=False)
    alter_unseen(only_object(path))
    assert not look_up(path)


def test_an_object_that_is_gone_is_a_miss(path: Path) -> None:
    look_up(path)
    only_object(path).unlink()
    assert not look_up(path)
