"""Memos in a store: whole or not there, counted, cleared, carried; and never what others made."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sphinx_nbcache.model import Memo, digest_bytes
from sphinx_nbcache.store import Limits, Problem, Store
from tests.store.samples import fill, find_damage


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store in a folder that is not there yet."""
    return Store(tmp_path / "cache")


def save(
    store: Store, name: str, *, part: bytes = b"", seconds: float = 1.0, is_pickled: bool = False
) -> Memo:
    """Store a memo, with a large part if one is given."""
    memo = Memo(
        key=digest_bytes(name.encode()),
        family=digest_bytes(b"family"),
        source=name,
        executed_at=1.0,
        seconds=seconds,
        is_pickled=is_pickled,
        tree={"t": "bytes", "v": 0} if part else name,
    )
    return store.save_value(memo, [(part,)] if part else [], is_plain=False)


def find(store: Store, memo: Memo) -> Memo | Problem | None:
    return store.memos.find(memo.family, memo.key)


def get_path(store: Store, memo: Memo) -> Path:
    return store.memos.get_path(memo)


def test_what_is_stored_is_found_by_another_process_as_it_was(store: Store) -> None:
    memo = save(store, "a", part=os.urandom(5000))
    assert find(Store(store.path), memo) == memo
    assert find(store, replace(memo, key="0" * 64)) is None


class TestInARepository:
    """A cache that anybody who can commit can write to."""

    @pytest.fixture
    def tracked(self, tmp_path: Path) -> Store:
        subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
        store = Store(tmp_path / "cache")
        store.track(has_lfs=False)
        return store

    def clone(self, store: Store) -> Store:
        """Return what another checkout has: without what git ignores."""
        target = store.path.parent / "clone"
        shutil.copytree(store.path, target / "cache")
        for words in (("init", "--quiet"), ("add", "--force", ".")):
            subprocess.run(["git", *words], cwd=target, check=True)
        return Store(target / "cache")

    def find(self, store: Store, memo: Memo) -> Memo | Problem | None:
        return store.find_memo(memo.family, memo.key)

    def test_what_has_to_be_unpickled_answers_where_it_was_made(self, tracked: Store) -> None:
        memo = save(tracked, "a", is_pickled=True)
        assert self.find(Store(tracked.path), memo) == memo
        (key,) = tracked.path.parent.glob(".git/nbcache-*")
        assert key.stat().st_mode & 0o077 == 0
        found = self.find(self.clone(tracked), memo)
        assert isinstance(found, Problem)
        assert "has to be unpickled, and the cache is in a git repository" in found.reason
        assert (found.is_refused, found.is_damage) == (True, False)

    def test_what_was_altered_does_not_answer_where_it_was_made(self, tracked: Store) -> None:
        memo = save(tracked, "a", is_pickled=True)
        tracked.memos.write(replace(memo, tree="other"))
        assert isinstance(self.find(tracked, memo), Problem)

    def test_a_key_that_was_committed_is_none(self, tracked: Store) -> None:
        memo = save(tracked, "a", is_pickled=True)
        (tracked.path / "locks").mkdir()
        for path in tracked.path.parent.glob(".git/nbcache-*"):
            (tracked.path / "locks/memo-key").write_bytes(path.read_bytes())
        assert isinstance(self.find(self.clone(tracked), memo), Problem)

    @pytest.mark.parametrize("name", [".gitattributes", ".gitignore"])
    def test_a_commit_without_the_mark_changes_nothing(self, tracked: Store, name: str) -> None:
        memo = save(tracked, "a", is_pickled=True)
        (tracked.path / name).unlink()
        assert isinstance(self.find(self.clone(tracked), memo), Problem)

    def test_it_answers_who_trusts_all_who_can_commit(self, tracked: Store) -> None:
        memo = save(tracked, "a", is_pickled=True)
        clone = self.clone(tracked)
        clone.trust.may_unpickle = True
        assert self.find(clone, memo) == memo

    def test_all_else_answers_everywhere(self, tracked: Store) -> None:
        memo = save(tracked, "a")
        assert memo.signature == ""
        assert self.find(self.clone(tracked), memo) == memo


def test_outside_of_a_repository_no_key_is_made(store: Store) -> None:
    memo = save(store, "a", is_pickled=True)
    assert store.find_memo(memo.family, memo.key) == memo
    assert not (store.path / "locks").exists()


def test_every_changed_byte_of_a_record_is_seen(store: Store) -> None:
    memo = save(store, "a")
    path = get_path(store, memo)
    sound = path.read_bytes()
    chance = random.Random(1)
    for position in range(len(sound)):
        data = bytearray(sound)
        data[position] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        assert isinstance(find(store, memo), Problem), position
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        assert isinstance(find(store, memo), Problem), length


def test_a_record_under_the_name_of_another_is_no_answer(store: Store) -> None:
    first, second = save(store, "a"), save(store, "b")
    get_path(store, second).write_bytes(get_path(store, first).read_bytes())
    found = find(store, second)
    assert isinstance(found, Problem)
    assert "misplaced" in found.reason


def test_objects_of_memos_are_not_taken_for_unused(store: Store) -> None:
    memo = save(store, "a", part=os.urandom(5000))
    (unneeded,) = fill(store, "b")
    store.remove_entries({unneeded.name})
    assert store.prune(Limits()).memos == ()
    assert store.objects.read(memo.objects[0]) is not None
    assert find_damage(store) == []


def test_limits_of_size_hold_for_memos_too_and_those_of_number_for_entries(store: Store) -> None:
    cheap = save(store, "cheap", part=os.urandom(50_000), seconds=0.1)
    dear = save(store, "dear", part=os.urandom(50_000), seconds=100.0)
    fill(store, "entry")
    assert store.prune(Limits(count=0)).memos == ()
    pruned = store.prune(Limits(size_bytes=70_000))
    assert pruned.memos == (cheap,)
    assert (find(store, cheap), find(store, dear)) == (None, dear)
    assert store.objects.read(cheap.objects[0]) is None


def test_a_hit_makes_a_memo_younger(store: Store) -> None:
    used, unused = save(store, "used"), save(store, "unused")
    for memo in (used, unused):
        os.utime(get_path(store, memo), (0, 0))
    find(store, used)
    assert store.prune(Limits(age_s=3600)).memos == (unused,)


def test_a_hit_writes_nothing_on_the_day_of_the_last_one(store: Store) -> None:
    memo = save(store, "a", part=os.urandom(5000))
    before = {path: path.stat().st_mtime_ns for path in store.path.rglob("*")}
    find(store, memo)
    store.objects.read(memo.objects[0])
    assert {path: path.stat().st_mtime_ns for path in store.path.rglob("*")} == before


def test_verify_names_damage_of_memos_and_repairs_it(store: Store) -> None:
    torn, lost, sound = save(store, "a"), save(store, "b", part=os.urandom(5000)), save(store, "c")
    get_path(store, torn).write_bytes(b"{")
    next(store.objects.list_paths()).unlink()
    reasons = sorted(problem.reason for problem in store.verify())
    assert [reason.split(":")[0].split()[0] for reason in reasons] == ["altered", "object"]
    store.verify(repair=True)
    assert store.verify() == []
    assert [find(store, memo) for memo in (torn, lost, sound)] == [None, None, sound]


def test_clearing_takes_memos_along(store: Store) -> None:
    memo = save(store, "a")
    assert store.clear_entries().memos == (memo,)
    assert find(store, memo) is None
    save(store, "a")
    store.clear()
    assert not store.path.exists()


def test_an_archive_carries_memos_but_none_that_are_pickled(store: Store, tmp_path: Path) -> None:
    plain = save(store, "plain", part=os.urandom(5000))
    pickled = replace(save(store, "pickled"), is_pickled=True)
    store.save_value(pickled, [], is_plain=False)
    store.export_to(tmp_path / "archive")
    other = Store(tmp_path / "other")
    imported = other.import_from(tmp_path / "archive")
    assert (imported.memos, imported.problems) == ((plain,), ())
    assert find(other, plain) == plain
    assert other.import_from(tmp_path / "archive").known == 1


def test_an_archive_with_a_pickle_is_not_believed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = replace(save(store, "evil"), is_pickled=True)
    store.save_value(pickled, [], is_plain=False)
    from sphinx_nbcache.store.archive import write_archive

    write_archive(tmp_path / "archive", store.path, [get_path(store, pickled)])
    imported = Store(tmp_path / "other").import_from(tmp_path / "archive")
    assert imported.memos == ()
    assert "could run anything" in imported.problems[0]


@pytest.mark.parametrize("size", [0, 100, 1 << 20, (1 << 20) + 1, 3_000_000])
@pytest.mark.parametrize("is_packed", [False, True])
def test_parts_in_pieces_are_stored_as_their_bytes(
    store: Store, size: int, is_packed: bool
) -> None:
    data = bytes(size) if is_packed else os.urandom(size)
    pieces: list[bytes | bytearray | memoryview] = [
        memoryview(data)[: size // 3],
        bytearray(data[size // 3 :]),
    ]
    store.make()
    digest = store.objects.write_pieces(pieces)
    assert digest == digest_bytes(data)
    assert store.objects.read(digest) == data
    plain = store.objects.find_plain(digest)
    assert plain is None or plain.read_bytes() == data
    assert size <= 1 << 20 or (plain is None) == is_packed
    again = Store(store.path.with_name("plain"))
    again.make()
    kept = again.objects.find_plain(again.objects.write_pieces(pieces, is_plain=True))
    assert kept is not None or size <= 1 << 20


def test_an_import_mends_what_is_damaged(store: Store, tmp_path: Path) -> None:
    memo = save(store, "a")
    store.export_to(tmp_path / "archive")
    get_path(store, memo).write_bytes(b"{")
    assert store.import_from(tmp_path / "archive").memos == (memo,)
    assert find(store, memo) == memo


def test_an_old_object_that_is_used_again_is_young(store: Store) -> None:
    part = os.urandom(5000)
    memo = save(store, "a", part=part)
    (path,) = store.objects.list_paths()
    os.utime(path, (0, 0))
    assert save(store, "b", part=part).objects == memo.objects
    assert path.stat().st_mtime > 1e9
    assert store.objects.find_plain(memo.objects[0]) is not None


def test_a_torn_record_keeps_nothing_from_being_removed(store: Store) -> None:
    get_path(store, save(store, "a", part=os.urandom(5000))).write_bytes(b"{")
    assert store.prune(Limits()).objects == 1
