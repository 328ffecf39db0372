"""Objects that git LFS keeps: told from damage, fetched with the real git-lfs, or missed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sphinx_nbcache.model import Memo, digest_bytes
from sphinx_nbcache.store import Limits, Store
from tests.git import clone, commit, find_changes, git, hide_lfs, needs_lfs, own_git, publish
from tests.store.samples import fill, find_damage

__all__ = ["own_git"]
pytestmark = [needs_lfs, pytest.mark.usefixtures("own_git")]
LARGE = os.urandom(3_000_000)
CHUNKED = os.urandom(9 << 20)


@pytest.fixture
def original(own_git: None, tmp_path: Path) -> Store:
    """Return a store with some entries whose objects git LFS keeps, in a pushed repository."""
    git(tmp_path, "lfs", "install", "--skip-repo")
    folder = tmp_path / "origi,nal [1]"  # what means something in a pattern
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    store = Store(folder / ".nbcache")
    store.track(has_lfs=True)
    fill(store, "a", "b")
    save_memo(store, LARGE)
    commit(folder)
    publish(folder, tmp_path / "remote.git")
    return store


@pytest.fixture
def unfetched(original: Store, tmp_path: Path) -> Store:
    """Return the store of a clone that has pointers only."""
    folder = clone((tmp_path / "remote.git").as_uri(), tmp_path / "clone")
    return Store(folder / ".nbcache")


def save_memo(store: Store, part: bytes) -> Memo:
    memo = Memo(
        key=digest_bytes(b"question"),
        family=digest_bytes(b"family"),
        source="compute",
        executed_at=1.0,
        seconds=1.0,
        tree={"t": "bytes", "v": 0},
    )
    return store.save_value(memo, [(part,)], is_plain=False)


def find_pointers(store: Store) -> list[Path]:
    return [path for path in store.objects.list_paths() if store.lfs.is_pointer(path)]


def test_what_is_not_fetched_is_no_damage_and_no_answer(unfetched: Store, original: Store) -> None:
    entry = fill(original, "a")[0]
    found, (problem,) = unfetched.find_entries(entry.key)
    assert found == []
    assert (problem.is_unfetched, problem.is_damage) == (True, False)
    assert unfetched.find_unfetched(entry.key) == [entry]
    assert unfetched.lfs.keeps(entry.objects)
    assert not unfetched.lfs.keeps([*entry.objects, "0" * 64])


def test_the_objects_that_are_asked_for_come_and_no_others(
    unfetched: Store, original: Store
) -> None:
    entry = fill(original, "a")[0]
    before = len(find_pointers(unfetched))
    assert unfetched.lfs.fetch(entry.objects)
    assert unfetched.find_entries(entry.key) == ([entry], [])
    assert len(find_pointers(unfetched)) == before - 1
    assert unfetched.lfs.take_notice() == ""
    assert find_changes(unfetched.path.parent) == ""


def test_outputs_and_large_values_come_when_they_are_read(
    unfetched: Store, original: Store
) -> None:
    entry = fill(original, "a")[0]
    assert unfetched.load_outputs(entry.outputs) == original.load_outputs(entry.outputs)
    assert unfetched.lfs.read(digest_bytes(LARGE)) == LARGE
    assert unfetched.lfs.has([entry.outputs, digest_bytes(LARGE)])


def test_verify_tells_of_it_and_repair_removes_nothing(unfetched: Store) -> None:
    before = sorted(unfetched.path.rglob("*"))
    problems = unfetched.verify(repair=True)
    assert len(problems) == len(find_pointers(unfetched)) == 3
    assert all(problem.is_unfetched and "git lfs pull" in problem.reason for problem in problems)
    assert find_damage(unfetched) == []
    assert [path for path in before if not path.exists()] == []


def test_prune_leaves_what_an_entry_needs(unfetched: Store) -> None:
    unfetched.prune(Limits(count=10))
    assert len(find_pointers(unfetched)) == 3


def test_a_damaged_pointer_is_damage(unfetched: Store) -> None:
    path = find_pointers(unfetched)[0]
    path.write_bytes(path.read_bytes().replace(b"oid sha256:", b"oid sha256:x"))
    assert [problem.path for problem in find_damage(unfetched) if problem.path == path] == [path]


def test_a_file_that_only_looks_like_a_pointer_is_an_object(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 1\n" % (b"0" * 64)
    (tmp_path / "made").write_bytes(text)
    digest, _ = store.save_file(tmp_path / "made")
    assert store.lfs.read(digest) == text
    assert not any(map(store.lfs.is_pointer, store.objects.list_paths()))


def test_a_content_that_is_not_what_the_name_says_is_not_taken(
    unfetched: Store, original: Store, tmp_path: Path
) -> None:
    one, other = (entry.outputs for entry in fill(original, "a", "b"))
    (path,) = unfetched.objects.list_files(one)
    (swapped,) = unfetched.objects.list_files(other)
    shutil.copy(swapped, path)
    commit(unfetched.path.parent)
    assert not unfetched.lfs.fetch([one])
    assert "does not fit its name" in unfetched.lfs.take_notice()


def test_what_the_server_has_not_is_one_notice_and_git_is_not_asked_again(
    unfetched: Store, original: Store, tmp_path: Path
) -> None:
    one, other = (entry.outputs for entry in fill(original, "a", "b"))
    aside = (tmp_path / "remote.git/lfs").rename(tmp_path / "aside")
    assert not unfetched.lfs.fetch([one])
    notice = unfetched.lfs.take_notice()
    assert notice.startswith(f"1 object is a pointer of git LFS in the cache {unfetched.path}")
    assert "run `git lfs pull`" in notice
    shutil.copytree(aside, tmp_path / "remote.git/lfs", dirs_exist_ok=True)
    assert not unfetched.lfs.fetch([one])
    assert unfetched.lfs.take_notice() == ""
    assert Store(unfetched.path).lfs.fetch([one, other])


def test_some_of_many_that_come_are_used(unfetched: Store, original: Store, tmp_path: Path) -> None:
    one, other = (entry.outputs for entry in fill(original, "a", "b"))
    text = unfetched.objects.list_files(one)[0].read_text()
    oid = text.partition("sha256:")[2][:64]
    (tmp_path / f"remote.git/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}").unlink()
    assert unfetched.lfs.fetch([one, other])
    assert (unfetched.objects.has(one), unfetched.objects.has(other)) == (False, True)
    assert unfetched.lfs.take_notice().startswith("1 object is")


def test_without_git_lfs_the_notice_says_so(
    unfetched: Store, original: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = [entry.outputs for entry in fill(original, "a", "b")]
    hide_lfs(tmp_path / "bin", monkeypatch)
    assert not unfetched.lfs.fetch(outputs)
    notice = unfetched.lfs.take_notice()
    assert notice.startswith("2 objects are pointers of git LFS")
    assert "(git-lfs is not installed, or not on PATH): install git-lfs and run" in notice


def test_what_is_stored_again_takes_the_place_of_a_pointer(
    unfetched: Store, original: Store
) -> None:
    entry = fill(original, "a")[0]
    assert fill(unfetched, "a") == [entry]
    assert unfetched.find_entries(entry.key) == ([entry], [])


def test_an_archive_has_what_git_lfs_keeps(unfetched: Store, tmp_path: Path) -> None:
    assert unfetched.export_to(tmp_path / "archive") == 2
    imported = Store(tmp_path / "other").import_from(tmp_path / "archive")
    assert (len(imported.entries), len(imported.memos), imported.problems) == (2, 1, ())


def test_pointers_in_no_repository_are_a_notice(unfetched: Store, tmp_path: Path) -> None:
    shutil.move(unfetched.path, tmp_path / "cache")
    store = Store(tmp_path / "cache")
    assert not store.lfs.fetch([digest_bytes(LARGE)])
    assert "in no git repository" in store.lfs.take_notice()


def test_the_chunks_of_a_large_object_come(original: Store, tmp_path: Path) -> None:
    digest = original.objects.write_pieces([CHUNKED])
    assert original.objects.chunked.list_digests(digest)
    commit(original.path.parent)
    git(original.path.parent, "push", "--quiet", "origin", "main")
    folder = clone((tmp_path / "remote.git").as_uri(), tmp_path / "second")
    store = Store(folder / ".nbcache")
    assert not store.objects.has(digest)
    assert store.lfs.keeps([digest])
    assert store.lfs.read(digest) == CHUNKED
    assert find_changes(folder) == ""
