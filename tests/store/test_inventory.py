"""What goes when a store holds too much, and what stays whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sphinx_nbcache.model import Artifact, Entry
from sphinx_nbcache.store import Limits, Store
from tests.store.samples import make_entry, make_key, make_outputs

NONE = Limits()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store in a folder that is not there yet."""
    return Store(tmp_path / "cache")


def save(store: Store, name: str, *, seconds: float = 1.0, at: float = 1.0, size: int = 1) -> Entry:
    """Store an entry with outputs of its own."""
    outputs = store.save_outputs(make_outputs(name, size=size))
    entry = replace(make_entry(outputs, key=name, executed_at=at), seconds=seconds)
    store.save_entry(entry, f"question {name}".encode())
    return entry


def names(store: Store) -> list[str]:
    return sorted(stored.entry.key for stored in store.take_inventory().entries)


def test_without_limits_nothing_goes_but_what_no_entry_needs(store: Store) -> None:
    entry = save(store, "a")
    unused = store.save_outputs(make_outputs("unused"))
    pruned = store.prune(NONE)
    # The question is an object under another key here: nobody needs that one either.
    assert (pruned.entries, pruned.objects) == ((), 2)
    assert store.load_outputs(unused) is None
    assert store.load_outputs(entry.outputs) is not None


def test_the_least_seconds_for_a_byte_go_first(store: Store) -> None:
    save(store, "cheap", seconds=0.1)
    save(store, "large", seconds=5.0, size=200_000)
    save(store, "dear", seconds=60.0)
    assert [e.key for e in store.prune(Limits(count=1)).entries] == [
        make_key("cheap"),
        make_key("large"),
    ]
    assert names(store) == [make_key("dear")]


def test_of_equal_ones_those_used_longest_ago_go_first(store: Store) -> None:
    for number, name in enumerate("abc"):
        save(store, name, at=12.0 - number)
    assert [entry.key for entry in store.prune(Limits(count=2)).entries] == [make_key("c")]


def test_what_is_protected_stays_though_the_limit_is_not_kept(store: Store) -> None:
    a, b = save(store, "a"), save(store, "b")
    pruned = store.prune(Limits(count=0), protected={a.name})
    assert pruned.entries == (b,)
    assert names(store) == [a.key]


def test_age_counts_from_the_last_use(store: Store) -> None:
    old, used = save(store, "old", at=1.0), save(store, "used", at=1.0)
    from sphinx_nbcache.store import News

    store.index.note_build(News(uses=(used.name,), has_run=True))
    assert store.prune(Limits(age_s=3600)).entries == (old,)


def test_bytes_are_those_on_the_disk_and_shared_objects_count_once(store: Store) -> None:
    entries = [save(store, name) for name in "abc"]
    digest = store.objects.write(bytes(range(256)) * 4000)
    shared = Artifact(path="x.bin", digest=digest, mode=0o644)
    for entry in entries[:2]:
        store.save_entry(replace(entry, artifacts=(shared,)))
    inventory = store.take_inventory()
    on_disk = [*store.path.glob("objects/??/*"), *store.path.glob("entries/??/*/*.json")]
    assert inventory.size_bytes == sum(path.stat().st_size for path in on_disk)
    pruned = store.prune(Limits(size_bytes=inventory.size_bytes // 2))
    assert digest not in {d for s in store.take_inventory().entries for d in s.entry.objects}
    assert not store.objects.has(digest)
    assert pruned.left_bytes == store.take_inventory().size_bytes
    assert pruned.left_bytes <= inventory.size_bytes // 2


def test_a_dry_run_tells_the_same_and_removes_nothing(store: Store) -> None:
    for name in "abc":
        save(store, name)
    told = store.prune(Limits(count=1), is_dry=True)
    assert len(names(store)) == 3
    assert store.prune(Limits(count=1)) == told


def test_what_another_version_wrote_keeps_objects_from_being_taken_for_unused(
    store: Store,
) -> None:
    entry = save(store, "a")
    (path,) = store.path.glob("entries/??/*/*.json")
    path.write_text('{"format": 99, "seal": ""}')
    assert store.prune(NONE).objects == 0
    assert store.load_outputs(entry.outputs) is not None


def test_the_rest_is_sound_after_pruning(store: Store) -> None:
    for name in "abcdef":
        save(store, name)
    store.prune(Limits(count=3))
    assert store.verify() == []
    assert len(names(store)) == 3


def test_ids_stay_and_are_not_given_again(store: Store) -> None:
    a, b = save(store, "a"), save(store, "b")
    assert store.number_entries() == {a.name: 1, b.name: 2}
    store.remove_entries({b.name})
    c = save(store, "c")
    assert store.number_entries() == {a.name: 1, c.name: 3}
