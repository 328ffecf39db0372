"""The index: useful while it lasts, and never in the way."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sphinx_nbcache.model import Artifact
from sphinx_nbcache.store import FailedRun, Flow, Index, News, PageRow
from tests.store.samples import make_entry, make_key

ENTRY = make_entry("1" * 64)
DAY_S = 24 * 3600
HEADER = b"SQLite format 3\x00"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the place of an index in an empty folder."""
    return tmp_path / "index.sqlite"


def read_uses(path: Path) -> dict[str, float]:
    """Return when entries last answered."""
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT entry, used_at FROM entry_uses").fetchall())


def note_uses(index: Index, *names: str, has_run: bool = False) -> None:
    """Remember a build that some entries answered and that found out nothing."""
    index.note_build(News(uses=tuple(map(make_key, names)), has_run=has_run))


def age(path: Path, seconds: float) -> None:
    """Make a file look old."""
    os.utime(path, (time.time() - seconds,) * 2)


def test_the_last_good_run_tells_how_long_a_notebook_takes(path: Path) -> None:
    index = Index(path)
    for executed_at, seconds in ((2.0, 20.0), (3.0, 30.0), (1.0, 10.0)):
        index.note_run(replace(ENTRY, executed_at=executed_at, seconds=seconds))
    index.note_run(replace(ENTRY, source="other.ipynb", seconds=5.0))
    assert index.find_seconds() == {"key.ipynb": 30.0, "other.ipynb": 5.0}


def test_the_last_observed_run_tells_what_a_notebook_imports(path: Path) -> None:
    index = Index(path)
    index.note_run(ENTRY, frozenset({"numpy", "pandas"}))
    index.note_run(replace(ENTRY, source="plain.ipynb"), frozenset())
    index.note_run(replace(ENTRY, source="unseen.ipynb"))
    index.note_run(ENTRY)
    assert index.find_modules() == {
        "key.ipynb": frozenset({"numpy", "pandas"}), "plain.ipynb": frozenset(),
    }  # fmt: skip
    index.note_run(ENTRY, frozenset({"numpy"}))
    assert index.find_modules()["key.ipynb"] == {"numpy"}


def test_an_index_of_an_earlier_version_serves_on(path: Path) -> None:
    Index(path).note_run(ENTRY)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE modules")
    index = Index(path)
    assert index.find_modules() == {}
    index.note_run(ENTRY, frozenset({"numpy"}))
    assert index.find_modules() == {"key.ipynb": frozenset({"numpy"})}
    assert index.find_seconds() == {"key.ipynb": 2.0}


def test_without_a_file_nothing_is_known(path: Path) -> None:
    assert Index(path).find_seconds() == {}
    assert Index(path).find_modules() == {}
    assert not path.exists()


def test_uses_are_remembered(path: Path) -> None:
    note_uses(Index(path), "a", "b", has_run=True)
    assert read_uses(path).keys() == {make_key("a"), make_key("b")}


def test_a_build_of_hits_writes_at_most_once_a_day(path: Path) -> None:
    index = Index(path)
    note_uses(index, "a", has_run=True)
    note_uses(index, "b")
    assert make_key("b") not in read_uses(path)
    age(path, 2 * DAY_S)
    note_uses(index, "b")
    assert make_key("b") in read_uses(path)


def test_an_index_that_was_deleted_is_made_anew(path: Path) -> None:
    index = Index(path)
    index.note_run(ENTRY)
    path.unlink()
    assert index.find_seconds() == {}
    index.note_run(ENTRY)
    assert index.find_seconds() == {"key.ipynb": 2.0}


@pytest.mark.parametrize(
    "garbage",
    [b"", b"garbage", b"garbage" * 1000, HEADER, HEADER + b"x" * 9999],
    ids=["empty", "short", "long", "header", "header and garbage"],
)
def test_an_index_that_is_damaged_is_made_anew(path: Path, garbage: bytes) -> None:
    path.write_bytes(garbage)
    index = Index(path)
    assert index.find_seconds() == {}
    index.note_run(ENTRY)
    assert index.find_seconds() == {"key.ipynb": 2.0}


def test_an_index_torn_at_any_page_is_forgotten_or_read(path: Path) -> None:
    for number in range(50):
        Index(path).note_run(replace(ENTRY, source=f"{number}.ipynb"))
    data = path.read_bytes()
    for length in range(0, len(data), 1024):
        path.write_bytes(data[:length])
        index = Index(path)
        assert set(index.find_seconds().values()) <= {ENTRY.seconds}
        index.note_run(ENTRY)
        assert index.find_seconds()[ENTRY.source] == ENTRY.seconds


def test_an_index_with_other_tables_is_no_error(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs (something TEXT)")
    index = Index(path)
    index.note_run(ENTRY)
    assert index.find_seconds() == {}


def test_a_folder_in_the_place_of_the_index_is_no_error(path: Path) -> None:
    path.mkdir()
    index = Index(path)
    index.note_run(ENTRY)
    note_uses(index, "a", has_run=True)
    assert index.find_seconds() == {}


def test_a_busy_index_that_is_being_written_can_be_read(path: Path) -> None:
    index = Index(path)
    index.note_run(ENTRY)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert index.find_seconds() == {"key.ipynb": 2.0}
        db.execute("ROLLBACK")


def test_a_file_name_that_is_not_unicode_is_no_error(path: Path) -> None:
    """As Linux allows: Python hands it on with lone surrogates."""
    index = Index(path)
    index.note_run(replace(ENTRY, source=os.fsdecode(b"caf\xe9.ipynb")))
    index.note_run(ENTRY)
    assert index.find_seconds()["key.ipynb"] == 2.0


LONE = os.fsdecode(b"caf\xe9")


def test_only_what_cannot_be_encoded_is_left_out_of_a_run(path: Path) -> None:
    index = Index(path)
    artifacts = tuple(
        Artifact(path=name, digest="1" * 64, mode=0o644) for name in (LONE, "good.txt")
    )
    flow = Flow(frozenset({LONE, "in.txt"}), frozenset({LONE, "out.txt"}))
    index.note_run(replace(ENTRY, artifacts=artifacts), frozenset({LONE, "numpy"}), flow)
    assert index.find_seconds() == {"key.ipynb": 2.0}
    assert index.find_written() == {("good.txt", "1" * 64)}
    assert index.find_modules() == {"key.ipynb": frozenset({"numpy"})}
    assert index.find_flows() == {"key.ipynb": Flow(frozenset({"in.txt"}), frozenset({"out.txt"}))}


def test_of_a_notebook_whose_name_cannot_be_encoded_its_files_are_known(path: Path) -> None:
    index = Index(path)
    artifacts = (Artifact(path="good.txt", digest="1" * 64, mode=0o644),)
    index.note_run(replace(ENTRY, source=LONE, artifacts=artifacts), frozenset({"numpy"}), Flow())
    index.note_failure(FailedRun(LONE, "key", "why"), Flow())
    assert index.find_written() == {("good.txt", "1" * 64)}
    assert (index.find_seconds(), index.find_modules(), index.find_failures()) == ({}, {}, {})


def test_a_failure_that_cannot_be_encoded_is_known_in_other_words(path: Path) -> None:
    index = Index(path)
    index.note_failure(FailedRun("a.ipynb", "key", f"no {LONE}"), Flow(frozenset({LONE, "x"})))
    assert index.find_failures() == {"a.ipynb": ("key", "no caf\\udce9")}
    assert index.find_flows() == {"a.ipynb": Flow(frozenset({"x"}))}


def test_only_what_cannot_be_encoded_is_left_out_of_a_build(path: Path) -> None:
    known = (1, 2, 3, "digest")
    index = Index(path)
    index.note_build(
        News(
            files={LONE: known, "a": known},
            memos={"a": LONE, "b": "text"},
            pages=(PageRow(LONE, LONE, "{}"), PageRow("a.md", "a", "{}")),
            written=((LONE, "1"), ("a", "1")),
        )
    )
    assert index.find_files() == {"a": known}
    assert index.find_memos() == {"b": "text"}
    assert index.find_pages() == [PageRow("a.md", "a", "{}")]
    assert index.find_written() == {("a", "1")}


def test_a_build_that_found_nothing_else_writes_nothing(path: Path) -> None:
    news = News(files={LONE: (1, 2, 3, "digest")}, written=((LONE, "1"),))
    assert news.is_empty
    Index(path).note_build(news)
    assert not path.exists()
