"""Objects: bytes come back as they were, or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.model import digest_bytes
from sphinx_nbcache.store import Index, Objects, Stamps

NOISE = random.Random(1).randbytes(5000)
TEXT = b"the same line again\n" * 500

Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "empty": lambda data: b"",
    "torn": lambda data: data[: len(data) // 2],
    "one byte short": lambda data: data[:-1],
    "a bit flipped": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "first byte altered": lambda data: b"\x00" + data[1:],
    "replaced": lambda data: b"something else",
}


def make_objects(folder: Path) -> Objects:
    """Return objects in a folder, as a process sees them that has just started."""
    return Objects(folder / "objects", folder / "tmp", Stamps(Index(folder / "index.sqlite")))


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """Return objects below an empty folder."""
    return make_objects(tmp_path)


def only_file(objects: Objects) -> Path:
    """Return the one file there is."""
    (path,) = objects.list_paths()
    return path


@pytest.mark.parametrize("data", [b"", b"\n", b"\x00" * 5000, NOISE, TEXT, TEXT + NOISE])
def test_bytes_come_back(objects: Objects, data: bytes) -> None:
    digest = objects.write(data)
    assert digest == digest_bytes(data)
    assert objects.read(digest) == data


@given(data=st.binary(max_size=3000) | st.binary(max_size=50).map(lambda part: part * 100))
def test_any_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("objects")
    objects = make_objects(folder)
    assert objects.read(objects.write(data)) == data


def test_what_compresses_well_is_compressed(objects: Objects) -> None:
    objects.write(TEXT)
    assert only_file(objects).suffix == ".zst"
    assert only_file(objects).stat().st_size < len(TEXT) / 10


@pytest.mark.parametrize("data", [b"short", NOISE])
def test_what_does_not_compress_lies_there_as_it_is(objects: Objects, data: bytes) -> None:
    objects.write(data)
    assert only_file(objects).read_bytes() == data


def test_an_object_is_named_by_the_digest_of_its_plain_bytes(objects: Objects) -> None:
    digest = objects.write(TEXT)
    assert only_file(objects) == objects.folder / digest[:2] / f"{digest[2:]}.zst"


def test_an_object_that_is_there_is_not_written_again(objects: Objects) -> None:
    objects.write(TEXT)
    before = only_file(objects).stat()
    objects.write(TEXT)
    assert only_file(objects).stat() == before


def test_what_was_never_written_is_a_miss(objects: Objects) -> None:
    assert objects.read(digest_bytes(b"x")) is None


@pytest.mark.parametrize("data", [b"short", NOISE, TEXT], ids=["short", "noise", "text"])
@pytest.mark.parametrize("damage", DAMAGES)
class TestDamage:
    """A damaged file."""

    def test_is_a_miss(self, objects: Objects, data: bytes, damage: str) -> None:
        digest = objects.write(data)
        path = only_file(objects)
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        assert objects.read(digest) is None
        assert not objects.is_sound(path)

    def test_is_healed_by_writing_again(self, objects: Objects, data: bytes, damage: str) -> None:
        digest = objects.write(data)
        path = only_file(objects)
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        assert objects.write(data) == digest
        assert objects.read(digest) == data
        assert objects.is_sound(only_file(objects))


def test_a_compressed_object_torn_at_any_length_is_a_miss(objects: Objects) -> None:
    digest = objects.write(TEXT)
    path = only_file(objects)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert objects.read(digest) is None


def test_a_compressed_object_with_any_byte_altered_is_a_miss_or_says_the_same(
    objects: Objects,
) -> None:
    digest = objects.write(TEXT)
    path = only_file(objects)
    data = path.read_bytes()
    for position, byte in enumerate(data):
        for other in range(0, 256, 3) if position < 12 else (byte ^ 1, byte ^ 0x80):
            path.write_bytes(data[:position] + bytes([other]) + data[position + 1 :])
            assert objects.read(digest) in {None, TEXT}


def test_an_object_that_claims_to_be_huge_is_a_miss(objects: Objects) -> None:
    digest = objects.write(TEXT)
    frame = b"\x28\xb5\x2f\xfd" + b"\xe0" + (2**60).to_bytes(8, "little") + b"\x01\x00\x00"
    only_file(objects).write_bytes(frame)
    assert objects.read(digest) is None


def test_an_object_under_another_name_is_a_miss(objects: Objects) -> None:
    digest = objects.write(TEXT)
    wrong = "0" * 64
    (objects.folder / "00").mkdir()
    only_file(objects).rename(objects.folder / "00" / f"{wrong[2:]}.zst")
    assert objects.read(digest) is None
    assert objects.read(wrong) is None
    assert not objects.is_sound(only_file(objects))


def test_of_two_forms_of_one_object_the_sound_one_is_read(objects: Objects) -> None:
    digest = objects.write(TEXT)
    only_file(objects).with_suffix("").write_bytes(b"damaged")
    assert objects.read(digest) == TEXT


def test_a_folder_in_the_place_of_an_object_is_a_miss(objects: Objects) -> None:
    digest = digest_bytes(TEXT)
    (objects.folder / digest[:2] / f"{digest[2:]}.zst").mkdir(parents=True)
    assert objects.read(digest) is None


def test_a_file_is_readable_for_those_whom_the_umask_lets(objects: Objects) -> None:
    """A cache may be shared by several users."""
    objects.write(TEXT)
    plain = objects.folder / "plain"
    plain.touch()
    assert only_file(objects).stat().st_mode == plain.stat().st_mode
