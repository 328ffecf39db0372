"""The store as a whole: what it makes, what it finds, what it reports and repairs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Artifact, Entry, Outputs, digest_bytes
from sphinx_nbcache.store import STORE_FORMAT, FailedRun, News, Store
from tests.store.samples import fill, find_damage, make_entry, make_key, make_outputs


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store in a folder that is not there yet."""
    return Store(tmp_path / "cache")


def object_path(store: Store, digest: str) -> Path:
    """Return the file of an object."""
    (path,) = (store.path / "objects" / digest[:2]).glob(f"{digest[2:]}*")
    return path


def entry_path(store: Store, entry: Entry) -> Path:
    """Return the file of an entry."""
    return store.path / "entries" / entry.key[:2] / entry.key / f"{entry.inputs.digest}.json"


def test_outputs_and_entry_come_back(store: Store) -> None:
    (entry,) = fill(store, "a")
    assert store.find_entries(entry.key) == ([entry], [])
    assert store.load_outputs(entry.outputs) == make_outputs("output of a\n", size=100)


def test_another_process_finds_what_was_stored(store: Store) -> None:
    (entry,) = fill(store, "a")
    assert Store(store.path).find_entries(entry.key) == ([entry], [])


def test_the_newest_entry_comes_first(store: Store) -> None:
    digest = store.save_outputs(make_outputs())
    dates = [3.0, 1.0, 2.0]
    for date in dates:
        entry = make_entry(digest, executed_at=date)
        store.save_entry(entry)
    assert [e.executed_at for e in store.find_entries(make_key())[0]] == [2.0]


def test_reading_creates_nothing(store: Store) -> None:
    store.find_entries(make_key())
    store.load_outputs(digest_bytes(b""))
    store.describe_foreign_format()
    store.index.find_seconds()
    store.note_build(News(uses=(make_key(),), findings={"text": "finding"}))
    store.verify()
    store.verify(repair=True)
    assert not store.path.exists()


def test_reading_changes_nothing(store: Store) -> None:
    (entry,) = fill(store, "a")
    before = snapshot(store.path)
    reader = Store(store.path)
    reader.find_entries(entry.key)
    reader.load_outputs(entry.outputs)
    reader.index.find_seconds()
    reader.verify()
    assert snapshot(store.path) == before


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of all that is below a folder."""
    stats = {str(path): path.stat() for path in folder.rglob("*")}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def test_git_and_backup_tools_leave_the_folder_out(store: Store) -> None:
    fill(store, "a")
    assert (store.path / ".gitignore").read_text() == "*\n"
    signature = "Signature: 8a477f597d28d172789f06886806bc55"
    assert (store.path / "CACHEDIR.TAG").read_text().startswith(signature)


def test_what_the_user_wrote_into_gitignore_stays(store: Store) -> None:
    fill(store, "a")
    (store.path / ".gitignore").write_text("# ours\n")
    fill(store, "b")
    assert (store.path / ".gitignore").read_text() == "# ours\n"


def test_no_temporary_file_stays(store: Store) -> None:
    fill(store, "a", "b")
    assert list((store.path / "tmp").iterdir()) == []


def test_a_folder_of_this_format_needs_no_notice(store: Store) -> None:
    assert store.describe_foreign_format() is None
    fill(store, "a")
    assert store.describe_foreign_format() is None


@pytest.mark.parametrize("content", [b"2\n", b"99", b"\xff\xfe", b""])
def test_a_folder_of_another_format_is_noticed(store: Store, content: bytes) -> None:
    fill(store, "a")
    (store.path / "FORMAT").write_bytes(content)
    notice = store.describe_foreign_format()
    assert notice is not None
    assert f"this version writes format {STORE_FORMAT}" in notice


def test_an_entry_without_its_outputs_is_a_problem_that_names_the_object(store: Store) -> None:
    (entry,) = fill(store, "a")
    object_path(store, entry.outputs).unlink()
    found, (problem,) = store.find_entries(entry.key)
    assert found == []
    assert problem.reason == f"object {entry.outputs} of a.ipynb is missing or damaged"


def test_an_entry_without_an_artifact_is_a_problem(store: Store) -> None:
    digest = store.save_outputs(make_outputs())
    artifact = Artifact(path="a.png", digest=digest_bytes(b"png"), mode=0o644)
    entry = make_entry(digest)
    complete = Entry(
        **{**{n: getattr(entry, n) for n in Entry.__slots__}, "artifacts": (artifact,)}
    )
    store.save_entry(complete)
    assert store.find_entries(entry.key)[0] == []
    store.objects.write(b"png")
    assert store.find_entries(entry.key) == ([complete], [])


def test_an_object_that_holds_no_outputs_is_a_miss(store: Store) -> None:
    fill(store, "a")
    for data in (b"", b"[]", b"null", b"{}", b'{"format":2,"metadata":{},"cells":[]}'):
        assert store.load_outputs(store.objects.write(data)) is None


def test_outputs_of_every_text_come_back(store: Store) -> None:
    outputs: Outputs = make_outputs("é\ud800\u2028\x00")
    assert store.load_outputs(store.save_outputs(outputs)) == outputs


class TestVerify:
    """``verify``."""

    def test_finds_nothing_in_a_sound_store(self, store: Store) -> None:
        fill(store, "a", "b")
        assert store.verify() == []

    def test_names_a_damaged_object_and_the_entry_that_needs_it(self, store: Store) -> None:
        (entry,) = fill(store, "a")
        path = object_path(store, entry.outputs)
        path.write_bytes(b"damaged")
        assert [problem.path for problem in store.verify()] == [path, entry_path(store, entry)]

    def test_names_a_torn_entry(self, store: Store) -> None:
        (entry, _) = fill(store, "a", "b")
        path = entry_path(store, entry)
        path.write_bytes(path.read_bytes()[:50])
        assert [problem.path for problem in find_damage(store)] == [path]

    def test_changes_nothing_unless_told_to_repair(self, store: Store) -> None:
        (entry,) = fill(store, "a")
        object_path(store, entry.outputs).write_bytes(b"damaged")
        before = snapshot(store.path)
        store.verify()
        assert snapshot(store.path) == before

    def test_repairs_so_that_nothing_is_damaged_and_the_rest_is_found(self, store: Store) -> None:
        a, b, c = fill(store, "a", "b", "c")
        object_path(store, a.outputs).unlink()
        entry_path(store, b).write_bytes(b"{")
        assert len([problem for problem in store.verify(repair=True) if problem.is_damage]) == 2
        assert store.verify() == []
        assert store.find_entries(a.key) == ([], [])
        assert store.find_entries(b.key) == ([], [])
        assert store.find_entries(c.key) == ([c], [])

    def test_after_a_repair_the_same_can_be_stored_again(self, store: Store) -> None:
        (entry,) = fill(store, "a")
        object_path(store, entry.outputs).write_bytes(b"damaged")
        store.verify(repair=True)
        assert fill(store, "a") == [entry]
        assert store.find_entries(entry.key) == ([entry], [])

    def test_removes_what_a_killed_writer_left_but_not_what_may_be_in_use(
        self, store: Store
    ) -> None:
        fill(store, "a")
        old, new = store.path / "tmp" / "old", store.path / "tmp" / "new"
        old.touch()
        new.touch()
        os.utime(old, (time.time() - 7200,) * 2)
        store.verify(repair=True)
        assert list((store.path / "tmp").iterdir()) == [new]

    def test_names_an_object_that_no_entry_needs_and_repairing_removes_it(
        self, store: Store
    ) -> None:
        (entry,) = fill(store, "a")
        digest = store.save_outputs(make_outputs("b"))
        (problem,) = store.verify()
        assert (problem.path, problem.is_damage) == (object_path(store, digest), False)
        assert store.verify(repair=True) == [problem]
        assert store.verify() == []
        assert store.load_outputs(entry.outputs) is not None

    def test_leaves_entries_of_another_version_and_all_that_these_may_need(
        self, store: Store
    ) -> None:
        (entry,) = fill(store, "a")
        entry_path(store, entry).write_bytes(b'{"format": 99, "seal": ""}')
        (problem,) = store.verify(repair=True)
        assert (problem.is_damage, problem.is_removable) == (False, False)
        assert entry_path(store, entry).exists()
        assert store.load_outputs(entry.outputs) is not None

    def test_leaves_the_outputs_of_a_failed_notebook(self, store: Store) -> None:
        digest = store.save_outputs(make_outputs())
        store.index.note_failure(FailedRun("a.ipynb", make_key(), "NameError", outputs=digest))
        assert store.verify(repair=True) == []
        assert store.load_outputs(digest) is not None

    def test_leaves_what_a_running_notebook_has_just_stored(self, store: Store) -> None:
        claim = store.try_claim(make_key())
        assert claim is not None
        digest = store.save_outputs(make_outputs())
        assert store.verify(repair=True) == []
        claim.release()
        assert store.verify(repair=True) != []
        assert store.load_outputs(digest) is None

    def test_says_so_when_something_cannot_be_removed(self, store: Store) -> None:
        (entry,) = fill(store, "a")
        path = object_path(store, entry.outputs)
        path.unlink()
        path.mkdir()
        (path / "file").touch()
        with pytest.raises(StoreError, match="cannot be cleaned"):
            store.verify(repair=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.save_outputs(make_outputs()),
        lambda store: store.save_entry(make_entry("1" * 64)),
        lambda store: store.try_claim(make_key()),
    ],
    ids=["outputs", "entry", "claim"],
)
def test_a_folder_that_cannot_be_made_is_a_store_error(
    tmp_path: Path, write: Callable[[Store], object]
) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "cache")
    with pytest.raises(StoreError, match="cannot be written") as caught:
        write(store)
    assert caught.value.path == store.path


def test_a_file_in_the_place_of_the_folder_reads_as_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    store = Store(tmp_path / "cache")
    assert store.find_entries(make_key()) == ([], [])
    assert store.load_outputs("1" * 64) is None
    assert store.describe_foreign_format() is None
