"""Chunked objects: what is alike is stored and moved once, and only what is whole is read."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sphinx_nbcache.model import Artifact, Entry, Memo, digest_bytes
from sphinx_nbcache.store import Limits, Remote, Store, UnreadableError
from sphinx_nbcache.store.chunks import (
    LARGEST_CHUNK_BYTES,
    LARGEST_CHUNKED_BYTES,
    LARGEST_LISTING_BYTES,
    Chunk,
    Listing,
    cut_chunks,
)
from sphinx_nbcache.store.files import Piece
from sphinx_nbcache.store.objects import is_listing, read_digest
from tests.conftest import wait_until
from tests.store.samples import find_damage, make_entry, make_key, make_outputs

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]
Change = Callable[[bytes], bytes]

MIB = 1 << 20
LARGE = random.Random(1).randbytes(32 * MIB)
TEXT = b"".join(b"%d lines of text that compress well\n" % number for number in range(400_000))
NEW = random.Random(2).randbytes(MIB // 3)
"""1 % of it."""


def put(data: bytes, *places: int) -> bytes:
    """Put the new bytes over the old ones, a part of them at each place."""
    changed, step = bytearray(data), len(NEW) // len(places)
    for number, place in enumerate(places):
        changed[place : place + step] = NEW[number * step : (number + 1) * step]
    return bytes(changed)


CHANGES: dict[str, tuple[Change, float]] = {
    "in one place": (lambda data: put(data, 11 * MIB), 0.08),
    "by an insertion": (lambda data: data[: 17 * MIB] + NEW + data[17 * MIB :], 0.08),
    "by a removal": (lambda data: data[: 17 * MIB] + data[17 * MIB + len(NEW) :], 0.08),
    "at its end": (lambda data: data + NEW, 0.08),
    "in ten places": (lambda data: put(data, *range(MIB, 31 * MIB, 3 * MIB)), 0.35),
}
"""What is done to 32 MiB, and how much of them may be new: 1 %, and two chunks for each place."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store that is a cache already."""
    store = Store(tmp_path / "cache")
    store.make()
    return store


def weigh(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def save(store: Store, name: str, data: bytes) -> Entry:
    """Store an entry whose notebook wrote a file."""
    path = store.path.parent / "written.bin"
    path.write_bytes(data)
    digest, _ = store.save_file(path)
    artifact = Artifact(path="written.bin", digest=digest, mode=0o644)
    outputs = store.save_outputs(make_outputs(f"output of {name}"))
    entry = replace(make_entry(outputs, key=name), artifacts=(artifact,))
    store.save_entry(entry)
    return entry


def read_artifact(store: Store, entry: Entry) -> bytes | None:
    """Return what the notebook wrote."""
    return store.objects.read(entry.artifacts[0].digest)


def find_listing(folder: Path, entry: Entry) -> Path:
    """Return the listing of what the notebook wrote."""
    digest = entry.artifacts[0].digest
    return folder / "objects" / digest[:2] / f"{digest[2:]}.chunks"


def list_chunks(folder: Path, entry: Entry) -> list[Path]:
    """Return the files of its chunks, in order."""
    listing = Listing.from_bytes(find_listing(folder, entry).read_bytes())
    places = [folder / "objects" / chunk.digest[:2] for chunk in listing.chunks]
    return [
        next(place.glob(f"{chunk.digest[2:]}*"))
        for place, chunk in zip(places, listing.chunks, strict=True)
    ]


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_is_stored_anew_and_not_the_rest(store: Store, change: str) -> None:
    alter, most = CHANGES[change]
    store.objects.write_pieces([LARGE])
    before = weigh(store.path)
    digest = store.objects.write_pieces([alter(LARGE)])
    assert weigh(store.path) - before < most * len(LARGE)
    assert store.objects.read(digest) == alter(LARGE)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_is_moved_and_not_the_rest(tmp_path: Path, change: str) -> None:
    alter, most = CHANGES[change]
    store, there = Store(tmp_path / "cache"), tmp_path / "remote"
    to = Store(tmp_path / "to")
    moved = []
    for number, data in enumerate((LARGE, alter(LARGE))):
        entry = save(store, f"entry {number}", data)
        before = weigh(there), weigh(to.path)
        send(there, store, entry)
        assert take(there, to, entry) == [entry]
        assert read_artifact(to, entry) == data
        moved.append((weigh(there) - before[0], weigh(to.path) - before[1]))
    assert max(moved[1]) < most * len(LARGE)


def send(there: Path, store: Store, *entries: Entry) -> None:
    """Put entries into a remote in a folder."""
    remote = Remote(there.as_uri(), store)
    for entry in entries:
        remote.send(entry)
    remote.finish()
    assert remote.problems == []


def take(there: Path, store: Store, *entries: Entry) -> list[Entry]:
    """Return which entries could be taken from there."""
    remote = Remote(there.as_uri(), store)
    return remote.fetch(remote.find(entry.key for entry in entries))


def test_files_and_values_share_chunks(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LARGE)
    store.objects.write_file(tmp_path / "file")
    before = weigh(store.path)
    store.objects.write_pieces([NEW[:100], memoryview(LARGE)])
    assert weigh(store.path) - before < 2 * MIB


def test_how_bytes_lie_in_pieces_decides_no_cut() -> None:
    pieces: list[Piece] = [LARGE[:1], memoryview(LARGE)[1 : 5 * MIB], bytearray(LARGE[5 * MIB :])]
    assert list(cut_chunks(pieces)) == list(cut_chunks([LARGE]))


def test_chunks_are_compressed_where_that_pays(store: Store) -> None:
    digest = store.objects.write_pieces([TEXT])
    assert weigh(store.path) < len(TEXT) / 4
    assert store.objects.read(digest) == TEXT


def test_what_is_to_be_mapped_is_not_cut(store: Store) -> None:
    digest = store.objects.write_pieces([LARGE])
    assert store.objects.find_plain(digest) is None
    assert store.objects.write_pieces([LARGE], is_plain=True) == digest
    path = store.objects.find_plain(digest)
    assert path is not None
    assert path.read_bytes() == LARGE


@pytest.mark.parametrize("data", [LARGE, TEXT], ids=["plain", "packed"])
def test_it_is_read_as_one_file_and_copied_out(store: Store, tmp_path: Path, data: bytes) -> None:
    digest = store.objects.write_pieces([data])
    stream = Store(store.path).objects.open_chunked(digest)
    assert stream is not None
    with stream:
        assert stream.read(7) + stream.readall() == data
    assert store.objects.copy_to(digest, tmp_path / "copy", 0o644) is not None
    assert (tmp_path / "copy").read_bytes() == data


@pytest.mark.parametrize("part", ["listing", "chunk"])
@pytest.mark.parametrize("damage", [flip, Path.unlink, lambda path: path.write_bytes(b"")])
class TestDamage:
    """A listing, or one of its chunks, that is not as it was."""

    @pytest.fixture
    def entry(self, store: Store, part: str, damage: Callable[[Path], None]) -> Entry:
        """Return the entry that needs it."""
        entry = save(store, "a", LARGE)
        is_whole = part == "listing"
        damage(find_listing(store.path, entry) if is_whole else list_chunks(store.path, entry)[5])
        return entry

    def test_is_a_miss(self, store: Store, entry: Entry, tmp_path: Path) -> None:
        digest = entry.artifacts[0].digest
        assert not store.objects.has(digest)
        assert store.objects.read(digest) is None
        assert store.objects.open_chunked(digest) is None
        assert store.objects.copy_to(digest, tmp_path / "copy", 0o644) is None
        assert store.find_entries(entry.key)[0] == []

    def test_is_told_and_repaired(self, store: Store, entry: Entry) -> None:
        assert find_damage(store)
        store.verify(repair=True)
        store.verify(repair=True)  # what the first one left is needed by nothing
        assert store.verify() == []
        assert store.entries.list_names() == []

    def test_is_healed_by_storing_it_again(self, store: Store, entry: Entry) -> None:
        assert read_artifact(store, save(store, "a", LARGE)) == LARGE
        assert find_damage(store) == []


def test_a_chunk_that_another_object_shares_stays(store: Store) -> None:
    old, new = save(store, "old", LARGE), save(store, "new", put(LARGE, 11 * MIB))
    before = weigh(store.path)
    pruned = store.remove_entries({old.name})
    assert 0 < pruned.freed_bytes < 0.08 * len(LARGE)
    assert before - weigh(store.path / "objects") > 0
    assert read_artifact(store, new) == put(LARGE, 11 * MIB)
    assert store.verify() == []
    assert store.prune(Limits(count=0)).left_bytes == 0
    assert list(store.objects.list_paths()) == []


def test_what_an_inventory_and_an_entry_weigh_is_what_lies_there(store: Store) -> None:
    entry = save(store, "a", LARGE)
    size = weigh(store.path / "objects") + weigh(store.path / "entries")
    inventory = store.take_inventory()
    assert inventory.size_bytes == inventory.weigh(inventory.entries[0]) == size
    assert store.weigh_entry(entry) == size


def test_chunks_without_a_listing_are_removed(store: Store) -> None:
    """They are what a writer leaves who is killed before the listing."""
    store.objects.write_pieces([LARGE])
    (listing,) = filter(is_listing, store.objects.list_paths())
    listing.unlink()
    assert find_damage(store) == []
    store.verify(repair=True)
    assert list(store.objects.list_paths()) == []


def test_an_object_whose_record_comes_while_it_is_cleared_keeps_its_chunks(store: Store) -> None:
    entry = save(store, "a", LARGE)
    store.entries.get_path(entry).rename(store.path / "later.json")
    unused = list(store.objects.list_paths())
    (store.path / "later.json").rename(store.entries.get_path(entry))
    store._clearing.remove_objects(unused)
    assert read_artifact(store, entry) == LARGE
    assert find_damage(store) == []


def test_a_chunk_that_is_used_again_is_young(store: Store) -> None:
    entry = save(store, "a", LARGE)
    for path in store.objects.list_paths():
        os.utime(path, (0, 0))
    save(store, "a", LARGE)
    files = [find_listing(store.path, entry), *list_chunks(store.path, entry)]
    assert all(path.stat().st_mtime > 1e9 for path in files)


def test_it_goes_out_in_an_archive_and_comes_in(store: Store, tmp_path: Path) -> None:
    entries = [save(store, "a", LARGE), save(store, "b", put(LARGE, 11 * MIB))]
    assert store.export_to(tmp_path / "archive") == 2
    assert (tmp_path / "archive").stat().st_size < 1.1 * len(LARGE)
    to = Store(tmp_path / "to")
    imported = to.import_from(tmp_path / "archive")
    assert (len(imported.entries), imported.problems) == (2, ())
    assert [read_artifact(to, entry) for entry in entries] == [LARGE, put(LARGE, 11 * MIB)]
    assert to.verify() == []


def list_bytes(*chunks: Chunk, head: str = "") -> bytes:
    """Return a listing with a right seal, whatever it says."""
    lines = [head or f"nbcache-chunks 1 {sum(c.size for c in chunks)} {len(chunks)}"]
    body = "\n".join([*lines, *(f"{digest} {size}" for digest, size in chunks), ""]).encode()
    return body + digest_bytes(body).encode() + b"\n"


ONE = Chunk(digest_bytes(NEW), len(NEW))
HOSTILE = {
    "nothing": b"",
    "no listing": b"x" * 500,
    "more than is read": b"x" * (LARGEST_LISTING_BYTES + 1),
    "no seal": list_bytes(ONE)[:-65],
    "an altered seal": list_bytes(ONE)[:-2] + b"x\n",
    "no chunks": list_bytes(),
    "another format": list_bytes(ONE, head="nbcache-chunks 2 349525 1"),
    "another size": list_bytes(ONE, head="nbcache-chunks 1 5 1"),
    "another number": list_bytes(ONE, head="nbcache-chunks 1 349525 2"),
    "a path for a name": list_bytes(Chunk("../" * 20 + "evil", 100)),
    "a name in capitals": list_bytes(Chunk("A" * 64, 100)),
    "a size below nothing": list_bytes(Chunk("a" * 64, -1), ONE),
    "an empty chunk": list_bytes(Chunk("a" * 64, 0)),
    "a huge chunk": list_bytes(Chunk("a" * 64, LARGEST_CHUNK_BYTES + 1)),
    "a chunk that is not there": list_bytes(Chunk("a" * 64, 1000)),
    "a chunk of another size": list_bytes(Chunk(ONE.digest, 1000)),
    "itself": list_bytes(Chunk(digest_bytes(LARGE), 1000)),
    "other bytes": list_bytes(ONE),
    "one chunk a thousand times": list_bytes(*[ONE] * 1000),
    "more than may be": list_bytes(*[Chunk("a" * 64, LARGEST_CHUNK_BYTES)] * 5000),
}


@pytest.fixture
def hostile(store: Store, name: str) -> Entry:
    """Return an entry that needs an object whose listing is a hostile one, and is there."""
    store.objects.write(NEW)
    outputs = store.save_outputs(make_outputs())
    artifact = Artifact(path="x", digest=digest_bytes(LARGE), mode=0o644)
    entry = replace(make_entry(outputs, key=name), artifacts=(artifact,))
    store.save_entry(entry)
    path = find_listing(store.path, entry)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(HOSTILE[name])
    return entry


@pytest.mark.parametrize("name", HOSTILE)
class TestHostile:
    """A listing that is not what it should be."""

    def test_is_no_object_here(self, store: Store, hostile: Entry) -> None:
        assert read_artifact(store, hostile) is None
        assert not store.objects.has(hostile.artifacts[0].digest)

    def test_does_not_come_from_a_remote(
        self, store: Store, hostile: Entry, tmp_path: Path
    ) -> None:
        before = set(tmp_path.iterdir())
        to = Store(tmp_path / "to")
        remote = Remote(store.path.as_uri(), to)
        tracemalloc.start()
        taken = remote.fetch(remote.find([hostile.key]))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert taken == []
        assert remote.problems
        assert peak < 2 * LARGEST_LISTING_BYTES
        assert set(tmp_path.iterdir()) == {*before, to.path}
        assert not any(map(is_listing, to.objects.list_paths()))

    def test_does_not_come_from_an_archive(
        self, store: Store, hostile: Entry, tmp_path: Path
    ) -> None:
        from sphinx_nbcache.store.archive import write_archive

        entry_path = store.entries.get_path(hostile)
        listing = find_listing(store.path, hostile)
        single = [path for path in store.objects.list_paths() if path != listing]
        write_archive(tmp_path / "archive", store.path, [*single, listing, entry_path])
        before = set(tmp_path.iterdir())
        to = Store(tmp_path / "to")
        imported = to.import_from(tmp_path / "archive")
        assert (imported.entries, len(imported.problems)) == ((), 2)
        assert set(tmp_path.iterdir()) == {*before, to.path}
        assert not any(map(is_listing, to.objects.list_paths()))


def test_a_listing_that_joins_a_bomb_is_refused(store: Store) -> None:
    zeros = bytes(LARGEST_CHUNK_BYTES)
    chunk = Chunk(store.objects.store_chunk(zeros, is_packed=True), len(zeros))
    data = Listing((chunk,) * 300).to_bytes()
    with pytest.raises(UnreadableError, match="it holds 314572800 bytes in"):
        store.objects.chunked.take("0" * 64, data)


def test_a_chunk_that_unpacks_to_more_than_it_says_is_not_unpacked(store: Store) -> None:
    zeros = bytes(50 * MIB)
    digest = store.objects.write_pieces([zeros[:MIB]])
    import zstandard

    (path,) = store.objects.list_paths()
    path.write_bytes(zstandard.ZstdCompressor().compress(zeros))
    tracemalloc.start()
    with pytest.raises(UnreadableError, match="is missing or damaged"):
        store.objects.open_chunk(Chunk(digest, MIB))
    assert tracemalloc.get_traced_memory()[1] < MIB
    tracemalloc.stop()


def test_only_chunks_that_lack_are_sent_again(store: Store, tmp_path: Path) -> None:
    entry, there = save(store, "a", LARGE), tmp_path / "remote"
    send(there, store, entry)
    flip(list_chunks(there, entry)[3])
    remote = Remote(there.as_uri(), Store(tmp_path / "to"))
    assert remote.fetch(remote.find([entry.key])) == []
    save(Store(tmp_path / "to"), "a", LARGE)
    written = {path: path.stat().st_mtime_ns for path in list_chunks(there, entry)}
    remote.send(entry)
    remote.finish()
    again = {path: path.stat().st_mtime_ns for path in list_chunks(there, entry)}
    assert [path for path in again if again[path] != written[path]] == [
        list_chunks(there, entry)[3]
    ]
    assert take(there, Store(tmp_path / "third"), entry) == [entry]


def test_memory_for_a_large_file_is_that_of_some_chunks(
    run_python: RunPython, tmp_path: Path
) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from sphinx_nbcache.store import Store\n"
        "from sphinx_nbcache.store.chunks import is_chunkable\n"
        "store = Store(Path(sys.argv[1]))\n"
        "store.make()\n"
        "store.objects.write_file(Path(sys.argv[2]))\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "store.objects.write_file(Path(sys.argv[3]))\n"
        "print(peak() - before)\n"
    )
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(LARGE)
    with large.open("wb") as file:
        for seed in range(200):
            file.write(random.Random(seed).randbytes(MIB))
    result = run_python(code, tmp_path / "cache", small, large)
    assert int(result.stdout) < 20 * 1024, "KiB more for 200 MiB than for 32"


def test_an_array_in_chunks_comes_back_as_it_was(store: Store) -> None:
    import numpy as np

    from sphinx_nbcache.memo import values

    class Part:
        def read(self) -> bytes:
            raise AssertionError("it is read as a stream")

        def find_path(self) -> Path | None:
            return None

        def open(self) -> io.RawIOBase | None:
            return store.objects.open_chunked(memo.objects[0])

    array = np.asfortranarray(np.random.default_rng(1).random((1200, 1100)))
    encoded = values.encode(array)
    memo = Memo(
        key=make_key(), family=make_key("family"), source="f", executed_at=1.0, seconds=1.0,
        tree=encoded.tree,
    )  # fmt: skip
    memo = store.save_value(memo, encoded.parts, is_plain=False)
    again = values.decode(memo.tree, [Part()], is_trusted=False)
    np.testing.assert_array_equal(again, array)
    assert again.flags.f_contiguous
    assert again.flags.owndata
    assert again.flags.writeable


def test_more_than_a_listing_can_hold_is_stored_whole() -> None:
    smallest = min(map(len, list(cut_chunks([LARGE]))[:-1]))
    assert smallest >= 128 << 10
    lines = LARGEST_CHUNKED_BYTES // (128 << 10)
    assert lines * len(f"{'a' * 64} {LARGEST_CHUNK_BYTES}\n") < LARGEST_LISTING_BYTES + MIB
    assert read_digest(Path("ab") / f"{'c' * 62}.chunks") == "ab" + "c" * 62


def _holds(path: Path, entry: Entry, data: bytes) -> bool:
    return read_artifact(Store(path), entry) == data


def test_pruning_does_no_harm_to_those_who_write(tmp_path: Path) -> None:
    store, stop = Store(tmp_path / "cache"), threading.Event()
    store.make()

    def prune() -> None:
        while not stop.is_set():
            Store(store.path).prune(Limits())

    pruner = threading.Thread(target=prune)
    pruner.start()
    try:
        for number in range(8):
            data = put(LARGE[: 10 * MIB], number % 3 * 3 * MIB)
            claim = store.try_claim(make_key("a"))
            assert claim is not None
            entry = save(store, "a", data)  # replaces the one before
            claim.release()
            # What is put aside to be looked at once more is a miss until it is back.
            assert wait_until(partial(_holds, store.path, entry, data))
    finally:
        stop.set()
        pruner.join()
    assert read_artifact(store, entry) == data
    assert find_damage(store) == []


def _has_more(store: Store, number: int) -> bool:
    return len(list(store.objects.list_paths())) > number


def test_a_writer_that_is_killed_leaves_a_sound_store(
    start_python: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from sphinx_nbcache.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "store.make()\n"
        "while True:\n"
        "    store.objects.write_pieces([os.urandom(16 << 20)])\n"
    )
    store = Store(tmp_path / "cache")
    for number in (5, 60):
        child = start_python(code, store.path)
        assert wait_until(partial(_has_more, store, number))
        child.kill()
        child.wait(10)
        assert find_damage(store) == []
    store.verify(repair=True)
    assert list(store.objects.list_paths()) == []


@pytest.mark.slow
def test_a_gigabyte_of_which_one_percent_is_changed(tmp_path: Path) -> None:
    import numpy as np

    store, there = Store(tmp_path / "cache"), tmp_path / "remote"
    array = np.random.default_rng(1).random(125_000_000)
    for name in ("first", "second"):
        before = weigh(store.path), weigh(there)
        np.save(tmp_path / "array.npy", array)
        digest, _ = store.save_file(tmp_path / "array.npy")
        artifact = Artifact(path="array.npy", digest=digest, mode=0o644)
        entry = make_entry(store.save_outputs(make_outputs()), key=name)
        entry = replace(entry, artifacts=(artifact,))
        store.save_entry(entry)
        send(there, store, entry)
        stored, moved = weigh(store.path) - before[0], weigh(there) - before[1]
        sys.stdout.write(f"{name}: {stored / 1e6:.1f} MB stored, {moved / 1e6:.1f} MB moved\n")
        array[60_000_000:61_250_000] += 1
    assert max(stored, moved) < 0.013 * array.nbytes
    assert take(there, Store(tmp_path / "to"), entry) == [entry]


def test_without_the_library_all_is_read_and_new_objects_are_stored_whole(
    store: Store, run_python: RunPython, tmp_path: Path
) -> None:
    digest = store.objects.write_pieces([LARGE])
    code = (
        "import sys\n"
        "sys.modules['pyfastcdc'] = None\n"
        "from pathlib import Path\n"
        "from sphinx_nbcache.store import Store\n"
        "objects = Store(Path(sys.argv[1])).objects\n"
        "data = objects.read(sys.argv[2])\n"
        "print(objects.find_plain(objects.write_pieces([b'more', data])) is not None)\n"
    )
    result = run_python(code, store.path, digest)
    assert result.stdout == "True\n", result.stderr
