"""Remotes: what goes there comes back, and nothing comes that is not what it says."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from sphinx_nbcache.errors import RemoteError
from sphinx_nbcache.model import Artifact, Entry, Key, digest_bytes, digest_json
from sphinx_nbcache.store import Remote, SigningKeys, Store
from tests.conftest import RunPython
from tests.store.samples import fill, find_damage, make_entry, make_key, make_outputs

KEY, OTHER_KEY, NEW_KEY = "first-key-" + "x" * 16, "other-key-" + "y" * 16, "z" * 16


class Place:
    """A remote in a folder, and stores that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "remote"
        self.address = self.folder.as_uri()
        self._stores = folder

    def make_store(self, name: str, keys: str = "") -> Store:
        return Store(self._stores / name, SigningKeys.from_text(keys))

    def send(self, *names: str, keys: str = "") -> list[Entry]:
        """Put entries there, from a store of their own."""
        store = self.make_store(uuid.uuid4().hex, keys)
        entries = fill(store, *names)
        remote = Remote(self.address, store)
        for entry in entries:
            remote.send(entry)
        assert remote.finish() == len(entries)
        return entries

    def find_object(self, digest: str) -> Path:
        (path,) = self.folder.glob(f"objects/{digest[:2]}/{digest[2:]}*")
        return path

    def find_entry(self, entry: Entry) -> Path:
        return self.folder / f"entries/{entry.key[:2]}/{entry.key}/{entry.inputs.digest}.json"

    def forge(self, entry: Entry, *, path: Path | None = None) -> None:
        """Put an entry there as somebody would who knows the format."""
        path = path or self.find_entry(entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.to_bytes())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return an empty remote."""
    return Place(tmp_path)


def take(remote: Remote, *keys: str) -> list[Entry]:
    """Return the entries of some keys that could be taken."""
    return remote.fetch(remote.find([Key(key) for key in keys]))


def test_what_goes_there_comes_back_and_is_sound(place: Place) -> None:
    entries = place.send("a", "b")
    store = place.make_store("to")
    remote = Remote(place.address, store)
    taken = take(remote, *(entry.key for entry in entries))
    assert {entry.name for entry in taken} == {entry.name for entry in entries}
    assert all(store.load_outputs(entry.outputs) for entry in taken)
    assert (find_damage(store), remote.problems) == ([], [])


def test_any_file_system_will_do(tmp_path: Path) -> None:
    store, address = Store(tmp_path / "from"), f"memory://{uuid.uuid4().hex}/deep"
    (entry,) = fill(store, "a")
    remote = Remote(address, store)
    remote.send(entry)
    remote.finish()
    (taken,) = take(Remote(address, Store(tmp_path / "to")), entry.key)
    assert taken == entry


def test_keys_that_are_not_there_give_nothing(place: Place) -> None:
    place.send("a")
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, make_key("b"), make_key("c")) == []
    assert remote.problems == []


def test_many_keys_are_found_as_few_are(place: Place) -> None:
    names = [f"n{number}" for number in range(40)]
    place.send(*names)
    remote = Remote(place.address, place.make_store("to"))
    assert len(take(remote, *map(make_key, names))) == 40


def test_objects_come_only_with_entries_that_are_wanted(place: Place) -> None:
    wanted, other = place.send("a", "b")
    store = place.make_store("to")
    remote = Remote(place.address, store)
    found = remote.find([wanted.key, other.key])
    assert len(remote.fetch(entry for entry in found if entry.key == wanted.key)) == 1
    assert store.load_outputs(wanted.outputs) is not None
    assert store.load_outputs(other.outputs) is None


def test_an_object_that_is_there_is_not_sent_again(place: Place) -> None:
    (entry,) = place.send("a")
    path = place.find_object(entry.outputs)
    before = path.stat().st_mtime_ns
    place.send("a")
    assert path.stat().st_mtime_ns == before


def test_large_files_travel_in_pieces(place: Place, tmp_path: Path) -> None:
    store = place.make_store("from")
    large = tmp_path / "large"
    large.write_bytes(uuid.uuid4().bytes * 600_000)
    large.write_bytes(b"".join(uuid.uuid4().bytes for _ in range(600_000)))
    digest, _ = store.save_file(large)
    artifact = Artifact(path="large", digest=digest, mode=0o644)
    entry = replace(make_entry(store.save_outputs(make_outputs())), artifacts=(artifact,))
    store.save_entry(entry)
    remote = Remote(place.address, store)
    remote.send(entry)
    remote.finish()
    to = place.make_store("to")
    assert take(Remote(place.address, to), entry.key) == [entry]
    assert to.objects.read(digest) == large.read_bytes()


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_flipped_bits_make_a_miss(place: Place) -> None:
    in_object, in_entry, sound = place.send("a", "b", "c")
    flip(place.find_object(in_object.outputs))
    flip(place.find_entry(in_entry))
    store = place.make_store("to")
    remote = Remote(place.address, store)
    assert take(remote, in_object.key, in_entry.key, sound.key) == [sound]
    assert len(remote.problems) == 2
    assert find_damage(store) == []


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["", KEY], ids=["without a key", "with a key"])
def test_no_flipped_bit_brings_another_entry(place: Place, keys: str) -> None:
    (entry,) = place.send("a", keys=keys)
    for path in (place.find_entry(entry), place.find_object(entry.outputs)):
        data = path.read_bytes()
        for number in range(len(data)):
            changed = bytearray(data)
            changed[number] ^= 1 << number % 8
            path.write_bytes(bytes(changed))
            store = place.make_store(f"to{number}", keys)
            for taken in take(Remote(place.address, store), entry.key):
                # White space of an entry may be another: what it says is the same.
                assert replace(taken, signature="") == entry
                assert store.trust.is_trusted(taken)
        path.write_bytes(data)


def test_what_was_found_damaged_is_replaced(place: Place) -> None:
    (entry,) = place.send("a")
    flip(place.find_object(entry.outputs))
    store = place.make_store("to")
    remote = Remote(place.address, store)
    assert take(remote, entry.key) == []
    fill(store, "a")
    remote.send(entry)
    remote.finish()
    assert take(Remote(place.address, place.make_store("third")), entry.key) == [entry]


def test_swapped_objects_make_a_miss(place: Place) -> None:
    entry, other = place.send("a", "b")
    place.find_object(entry.outputs).write_bytes(place.find_object(other.outputs).read_bytes())
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == []
    assert "damaged" in remote.problems[0]


def test_an_entry_in_the_place_of_another_makes_a_miss(place: Place) -> None:
    entry, other = place.send("a", "b")
    place.find_entry(entry).write_bytes(place.find_entry(other).read_bytes())
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == []
    assert "misplaced" in remote.problems[0]


@pytest.mark.parametrize("name", ["../../../evil", "/etc/passwd", "ab/../../x", "A" * 64, "a" * 63])
def test_an_object_that_is_named_by_a_path_makes_a_miss(place: Place, name: str) -> None:
    place.send("other")
    entry = make_entry(name)
    place.forge(entry)
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == []
    assert "no digest" in remote.problems[0]


def test_a_missing_object_makes_a_miss(place: Place) -> None:
    (entry,) = place.send("a")
    place.find_object(entry.outputs).unlink()
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == []
    assert "is not there" in remote.problems[0]


def put_object(place: Place, content: bytes, stored: bytes) -> Entry:
    """Put a compressed object there, and an entry that wants it."""
    digest = digest_bytes(content)
    path = place.folder / f"objects/{digest[:2]}/{digest[2:]}.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stored)
    entry = make_entry(digest)
    place.forge(entry)
    return entry


def test_a_bomb_is_not_unpacked(place: Place) -> None:
    size, piece = 300 << 20, bytes(1 << 20)
    packer = zstandard.ZstdCompressor().compressobj(size=size)
    stored = b"".join(packer.compress(piece) for _ in range(size >> 20)) + packer.flush()
    entry = put_object(place, bytes(size), stored)
    store = place.make_store("to")
    remote = Remote(place.address, store)
    assert take(remote, entry.key) == []
    assert "it holds more than" in remote.problems[0]
    assert list(store.objects.list_paths()) == []


def test_an_object_without_its_size_is_refused(place: Place) -> None:
    content = b"content " * 1000
    packer = zstandard.ZstdCompressor(write_content_size=False)
    entry = put_object(place, content, packer.compress(content))
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == []
    assert "does not say how large" in remote.problems[0]


def test_bytes_behind_an_object_are_refused(place: Place) -> None:
    content = b"content " * 1000
    entry = put_object(place, content, zstandard.ZstdCompressor().compress(content) + b"more")
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == []
    assert len(remote.problems) == 1


def test_an_entry_that_is_too_large_is_not_read(place: Place) -> None:
    (entry,) = place.send("a")
    with place.find_entry(entry).open("ab") as file:
        file.truncate(33 << 20)
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == []
    assert "larger than" in remote.problems[0]


def test_deeply_nested_json_makes_a_miss(place: Place) -> None:
    (entry,) = place.send("a")
    place.find_entry(entry).write_bytes(b"[" * 500_000)
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == []
    assert "torn" in remote.problems[0]


def test_names_that_are_none_of_ours_are_passed_over(place: Place) -> None:
    (entry,) = place.send("a")
    for name in ("entries/ab/x.json", f"entries/{entry.key[:2]}/{entry.key}/x.json", "objects/y"):
        (place.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (place.folder / name).write_text("x")
    remote = Remote(place.address, place.make_store("to"))
    assert take(remote, entry.key) == [entry]
    assert remote.look().entries.keys() == {entry.name}


def test_an_entry_of_another_version_is_passed_over(place: Place) -> None:
    (entry,) = place.send("a")
    path = place.find_entry(entry)
    value = {**json.loads(path.read_text()), "format": 99}
    path.write_text(json.dumps({**value, "seal": digest_json(value)}))
    remote = Remote(place.address, place.make_store("to"))
    assert (take(remote, entry.key), remote.problems) == ([], [])


def test_a_remote_of_another_format_is_left_alone(place: Place) -> None:
    (entry,) = place.send("a")
    (place.folder / "FORMAT").write_text("9\n")
    with pytest.raises(RemoteError, match="has format 9, this version writes format 1"):
        Remote(place.address, place.make_store("to")).find([entry.key])


def test_an_address_is_shown_without_its_secrets(tmp_path: Path) -> None:
    remote = Remote("nowhere://me:secret@host/x?token=secret", Store(tmp_path))
    with pytest.raises(RemoteError, match="nowhere") as caught:
        remote.begin()
    assert "secret" not in str(caught.value) + remote.shown


def test_a_missing_library_is_named_with_its_extra(run_python: RunPython) -> None:
    code = (
        "import sys; sys.modules['gcsfs'] = None\n"
        "from pathlib import Path\n"
        "from sphinx_nbcache.store import Remote, Store\n"
        "Remote('gs://bucket', Store(Path('x'))).begin()"
    )
    assert "sphinx-nbcache[gcs]" in run_python(code).stderr


def test_nothing_is_imported_for_a_remote_before_it_is_asked(run_python: RunPython) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sphinx_nbcache.store import Remote, Store\n"
        "Remote('s3://bucket', Store(Path('x')))\n"
        "print('fsspec' in sys.modules)"
    )
    assert run_python(code).stdout.strip() == "False"


def test_without_write_access_sending_fails(place: Place, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    store = place.make_store("from")
    (entry,) = fill(store, "a")
    remote = Remote((blocked / "below").as_uri(), store)
    remote.send(entry)
    with pytest.raises(RemoteError, match=r"cannot be (written|read)"):
        remote.finish()


@contextmanager
def refused(remote: Remote, number: int) -> Iterator[None]:
    """Check how many entries are refused in this context for their signatures."""
    yield
    assert (remote.refused, remote.problems) == (number, [])


def test_with_keys_only_what_one_of_them_signed_is_taken(place: Place) -> None:
    place.send("unsigned")
    place.send("other", keys=OTHER_KEY)
    place.send("old", keys=KEY)
    place.send("new", keys=NEW_KEY)
    keys = [make_key(name) for name in ("unsigned", "other", "old", "new")]
    remote = Remote(place.address, place.make_store("to", f"{NEW_KEY},{KEY}"))
    with refused(remote, 2):
        taken = take(remote, *keys)
    assert {entry.source for entry in taken} == {"old.ipynb", "new.ipynb"}


def test_a_signature_is_that_of_one_entry_only(place: Place) -> None:
    (signed,) = place.send("a", keys=KEY)
    signature = json.loads(place.find_entry(signed).read_text())["signature"]
    place.send("b")
    forged = replace(make_entry(signed.outputs, key="b"), signature=signature)
    place.forge(forged)
    remote = Remote(place.address, place.make_store("to", KEY))
    with refused(remote, 1):
        assert take(remote, forged.key) == []


def test_an_altered_signed_entry_is_refused_though_its_seal_fits(place: Place) -> None:
    (entry,) = place.send("a", keys=KEY)
    (other,) = place.send("b", keys=KEY)
    stored = place.make_store("look").entries.parse(
        place.find_entry(entry), place.find_entry(entry).read_bytes()
    )
    assert isinstance(stored, Entry)
    place.forge(replace(stored, outputs=other.outputs))
    remote = Remote(place.address, place.make_store("to", KEY))
    with refused(remote, 1):
        assert take(remote, entry.key) == []


def test_a_version_without_keys_reads_signed_entries(place: Place) -> None:
    (entry,) = place.send("a", keys=KEY)
    (taken,) = take(Remote(place.address, place.make_store("to")), entry.key)
    assert taken.signature
    assert replace(taken, signature="") == entry
