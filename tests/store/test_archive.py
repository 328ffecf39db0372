"""Archives: what comes in is checked, and takes no place that is not its own."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import digest_json
from sphinx_nbcache.store import Store
from sphinx_nbcache.store.pieces import compress_pieces, digest_pieces
from tests.store.samples import fill, find_damage, make_outputs


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return an archive of two entries."""
    store = Store(tmp_path / "from")
    fill(store, "a", "b")
    path = tmp_path / "cache.tar"
    assert store.export_to(path) == 2
    return path


def rewrite(archive: Path, change: dict[str, bytes] | None = None, drop: str = "none") -> None:
    """Write an archive anew with other contents under some names, or without some."""
    with tarfile.open(archive) as old:
        members = {
            member.name: file.read()
            for member in old
            if (file := old.extractfile(member)) is not None
        }
    with tarfile.open(archive, "w") as new:
        for name, data in {**members, **(change or {})}.items():
            if not name.startswith(drop):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                new.addfile(info, io.BytesIO(data))


def test_what_goes_out_comes_in_and_is_sound(tmp_path: Path, archive: Path) -> None:
    store = Store(tmp_path / "to")
    imported = store.import_from(archive)
    assert (len(imported.entries), imported.known, imported.problems) == (2, 0, ())
    assert find_damage(store) == []
    for entry in imported.entries:
        assert store.load_outputs(entry.outputs) is not None
    again = store.import_from(archive)
    assert (again.entries, again.known) == ((), 2)


def test_some_entries_can_be_chosen(tmp_path: Path) -> None:
    store = Store(tmp_path / "from")
    entry, _ = fill(store, "a", "b")
    assert store.export_to(tmp_path / "one.tar", {entry.name}) == 1
    assert Store(tmp_path / "to").import_from(tmp_path / "one.tar").entries == (entry,)


@pytest.mark.parametrize(
    "name",
    ["../evil", "/tmp/evil", "objects/../../evil", "entries/ab/x.json", "index.sqlite", "FORMAT"],
)
def test_a_name_that_no_cache_has_is_not_taken(tmp_path: Path, archive: Path, name: str) -> None:
    rewrite(archive, {name: b"x"})
    before = set(tmp_path.rglob("*"))
    imported = Store(tmp_path / "to").import_from(archive)
    assert [p.split(":")[0] for p in imported.problems] == [name]
    new = {path for path in tmp_path.rglob("*") if path not in before}
    assert all(path.is_relative_to(tmp_path / "to") for path in new)


def test_a_link_is_not_taken(tmp_path: Path, archive: Path) -> None:
    with tarfile.open(archive, "a") as tar:
        info = tarfile.TarInfo("objects/ab/" + "c" * 62)
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    store = Store(tmp_path / "to")
    assert "is nothing that a cache holds" in store.import_from(archive).problems[0]
    assert find_damage(store) == []


def test_an_altered_object_is_not_taken_nor_the_entry_that_needs_it(
    tmp_path: Path, archive: Path
) -> None:
    with tarfile.open(archive) as tar:
        (name, *_) = [member.name for member in tar if member.name.startswith("objects")]
    rewrite(archive, {name: b"altered"})
    store = Store(tmp_path / "to")
    imported = store.import_from(archive)
    assert any(f"{name}: damaged: " in problem for problem in imported.problems)
    assert find_damage(store) == []


def test_an_entry_without_its_objects_is_not_taken(tmp_path: Path, archive: Path) -> None:
    rewrite(archive, drop="objects")
    imported = Store(tmp_path / "to").import_from(archive)
    assert imported.entries == ()
    assert sum("an object of it is missing" in problem for problem in imported.problems) == 2


@pytest.mark.parametrize("data", [b"", b"no tar", b"\0" * 2000])
def test_another_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    with pytest.raises(StoreError, match="is no archive of this tool"):
        Store(tmp_path / "to").import_from(path)


def test_a_newer_archive_is_refused(tmp_path: Path, archive: Path) -> None:
    rewrite(archive, {"sphinx-nbcache": b"2 1\n"})
    with pytest.raises(StoreError, match="has format 2, this version reads 1"):
        Store(tmp_path / "to").import_from(archive)


def test_an_archive_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "from")
    fill(store, "a")
    (tmp_path / "target").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        store.export_to(tmp_path / "target")
    assert not list(tmp_path.glob(".target*"))


def test_an_archive_that_was_cut_anywhere_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "from")
    fill(store, "a", "b", "c")
    store.export_to(tmp_path / "whole.tar")
    data = (tmp_path / "whole.tar").read_bytes()
    path = tmp_path / "cut.tar"
    for length in range(512, len(data) - 2048, 512):
        path.write_bytes(data[:length])
        try:
            problems = Store(tmp_path / str(length)).import_from(path).problems
        except StoreError:
            continue
        is_complete = len(Store(tmp_path / str(length)).entries.list_names()) == 3
        assert problems or is_complete, length


def test_what_comes_in_is_not_taken_for_unused_meanwhile(tmp_path: Path, archive: Path) -> None:
    store = Store(tmp_path / "to")
    with store.hold():
        store.save_outputs(make_outputs("of an entry that is still to come"))
        assert store.verify(repair=True) == []
    assert len(store.verify()) == 1


def test_an_entry_with_a_wrong_kind_of_value_is_not_taken(tmp_path: Path, archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = [member.name for member in tar if member.name.startswith("entries")]
        file = tar.extractfile(names[0])
        assert file is not None
        value = json.loads(file.read())
    value["executed_at"] = "x"
    del value["seal"]
    value["seal"] = digest_json(value)
    rewrite(archive, {names[0]: json.dumps(value).encode()})
    store = Store(tmp_path / "to")
    assert "of the wrong kind" in store.import_from(archive).problems[0]
    assert len(store.entries.list_names()) == 1


@pytest.mark.parametrize(
    "name", ["entries/{0}/{0}{1}/{1}00.json", "objects/{0}/{1}", "objects/{0}/{1}.zst"]
)
def test_what_is_larger_than_it_may_be_is_not_read(
    tmp_path: Path, archive: Path, name: str
) -> None:
    """A sparse file takes no room in an archive, however large it says that it is."""
    rewrite(archive)
    with tarfile.open(archive, "a") as added:
        info = tarfile.TarInfo(name.format("ab", "c" * 62))
        info.size = 512
        info.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": info.name,
            "GNU.sparse.realsize": str(1 << 50),
        }
        added.addfile(info, io.BytesIO(b"0\n".ljust(512, b"\0")))
    store = Store(tmp_path / "to")
    imported = store.import_from(archive)
    assert len(imported.entries) == 2
    assert any("larger than" in problem for problem in imported.problems)


@pytest.mark.parametrize(("kind", "size"), [("entries", 32 << 20), ("memos", 128 << 20)])
def test_a_record_that_is_larger_than_any_is_not_taken(
    tmp_path: Path, archive: Path, kind: str, size: int
) -> None:
    name = f"{kind}/ab/ab{'c' * 62}/{'d' * 64}.json"
    rewrite(archive, {name: b"[" * (size + 1)})
    imported = Store(tmp_path / "to").import_from(archive)
    assert len(imported.entries) == 2
    assert any(f"larger than {size} bytes" in problem for problem in imported.problems)


def test_an_object_that_unpacks_to_more_than_it_may_is_not_kept(
    tmp_path: Path, archive: Path
) -> None:
    size = (256 << 20) + 1
    digest = digest_pieces(bytes(1 << 20) if n else bytes(1) for n in range(257))
    packed = b"".join(
        compress_pieces((bytes(1 << 20) if n else bytes(1) for n in range(257)), size)
    )
    rewrite(archive, {f"objects/{digest[:2]}/{digest[2:]}.zst": packed})
    imported = Store(tmp_path / "to").import_from(archive)
    assert any("it holds more than" in problem for problem in imported.problems)
