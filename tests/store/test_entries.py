"""Entries: found by key, whole or a problem that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sphinx_nbcache.model import Input
from sphinx_nbcache.store import Entries, Problem
from tests.store.samples import make_entry, make_key

ENTRY = make_entry("1" * 64)


@pytest.fixture
def entries(tmp_path: Path) -> Entries:
    """Return entries below an empty folder."""
    return Entries(tmp_path / "entries", tmp_path / "tmp")


def find_problem(entries: Entries) -> Problem:
    """Return the one thing that is found for the key, which is a problem."""
    (found,) = entries.find(ENTRY.key)
    assert isinstance(found, Problem)
    return found


def test_an_entry_is_found_by_its_key(entries: Entries) -> None:
    entries.write(ENTRY)
    assert list(entries.find(ENTRY.key)) == [ENTRY]
    assert list(entries.find(make_key("other"))) == []


def test_entries_with_other_inputs_lie_beside_each_other(entries: Entries) -> None:
    other = make_entry("2" * 64, inputs=(Input("file", "a", "1"),))
    entries.write(ENTRY)
    entries.write(other)
    assert {entry.outputs for entry in entries.find(ENTRY.key) if not isinstance(entry, Problem)} \
        == {"1" * 64, "2" * 64}  # fmt: skip


def test_an_entry_with_the_same_inputs_replaces_the_earlier_one(entries: Entries) -> None:
    newer = make_entry("2" * 64, executed_at=9.0)
    entries.write(ENTRY)
    entries.write(newer)
    assert list(entries.find(ENTRY.key)) == [newer]


def test_a_torn_entry_is_a_problem_at_every_length(entries: Entries) -> None:
    path = entries.write(ENTRY)
    data = path.read_bytes()
    for length in range(len(data) - 1):
        path.write_bytes(data[:length])
        assert find_problem(entries).reason.startswith("torn")


def test_an_altered_entry_is_a_problem(entries: Entries) -> None:
    path = entries.write(ENTRY)
    path.write_bytes(path.read_bytes().replace(b'"python3"', b'"python2"'))
    assert find_problem(entries).reason.startswith("altered")


def test_an_entry_of_another_format_is_a_problem(entries: Entries) -> None:
    path = entries.write(ENTRY)
    path.write_bytes(path.read_bytes().replace(b'"format": 3', b'"format": 9'))
    assert find_problem(entries).reason == "format 9, this version reads format 3"


@pytest.mark.parametrize("name", ["0" * 64 + ".json", "renamed.json", ".json"])
def test_an_entry_under_the_name_of_other_inputs_is_a_problem(entries: Entries, name: str) -> None:
    path = entries.write(ENTRY)
    path.rename(path.with_name(name))
    assert find_problem(entries).reason.startswith("misplaced")


def test_an_entry_under_another_key_is_a_problem_there(entries: Entries) -> None:
    path = entries.write(ENTRY)
    other = make_key("other")
    target = entries.folder / other[:2] / other / path.name
    target.parent.mkdir(parents=True)
    path.rename(target)
    (found,) = entries.find(other)
    assert isinstance(found, Problem)
    assert found.reason.startswith("misplaced")


def test_a_folder_in_the_place_of_an_entry_is_a_problem(entries: Entries) -> None:
    path = entries.write(ENTRY)
    path.unlink()
    path.mkdir()
    assert find_problem(entries).path == path


def test_a_problem_reads_as_where_and_what() -> None:
    assert str(Problem(Path("a/b.json"), "torn")) == f"{Path('a/b.json')}: torn"


def test_all_entries_are_listed(entries: Entries) -> None:
    paths = {entries.write(make_entry("1" * 64, key=name)) for name in "abc"}
    assert set(entries.list_paths()) == paths
