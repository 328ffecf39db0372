"""Objects: bytes come back as they were, or not at all."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.model import digest_bytes
from sphinx_nbcache.store import Index, Objects, Stamps, Store, UnreadableError
from tests.store.samples import find_damage
from tests.store.test_crash import crash

NOISE = random.Random(1).randbytes(5000)
TEXT = b"the same line again\n" * 500

MIB = 1 << 20
LARGE_NOISE = random.Random(2).randbytes(2 * MIB + 12345)
LARGE_TEXT = TEXT * 120
CONTENTS = {
    "empty": b"",
    "small": b"short",
    "text": TEXT,
    "noise": NOISE,
    "a piece": b"x" * MIB,
    "large text": LARGE_TEXT,
    "large noise": LARGE_NOISE,
}

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]
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


@pytest.mark.parametrize("content", CONTENTS)
class TestFiles:
    """A file of any size."""

    @pytest.fixture
    def source(self, tmp_path: Path, content: str) -> Path:
        """Return the file."""
        path = tmp_path / "source"
        path.write_bytes(CONTENTS[content])
        return path

    def test_is_the_object_that_its_bytes_are(
        self, objects: Objects, source: Path, content: str
    ) -> None:
        digest, stamp = objects.write_file(source)
        found = source.stat()
        assert stamp == (found.st_size, found.st_mtime_ns, found.st_ino)
        assert digest == digest_bytes(CONTENTS[content])
        assert objects.read(digest) == CONTENTS[content]
        assert objects.is_sound(only_file(objects))

    def test_comes_back_with_the_mode_that_is_asked_for(
        self, objects: Objects, source: Path, content: str, tmp_path: Path
    ) -> None:
        digest, _ = objects.write_file(source)
        target = tmp_path / "some" / "folder" / "target"
        stamp = objects.copy_to(digest, target, 0o100640)
        found = target.stat()
        assert stamp == (found.st_size, found.st_mtime_ns, found.st_ino)
        assert target.read_bytes() == CONTENTS[content]
        assert list(target.parent.iterdir()) == [target]
        if os.name == "posix":
            assert found.st_mode == 0o100640

    def test_is_not_written_again_when_it_is_there(
        self, objects: Objects, source: Path, content: str
    ) -> None:
        objects.write_file(source)
        before = only_file(objects)
        inode = before.stat().st_ino  # a file that is written is a new one, put in its place
        os.utime(before, (0, 0))
        objects.write_file(source)
        assert only_file(objects).stat().st_ino == inode
        assert before.stat().st_mtime > 0, "it is not young, though it is needed again"

    @pytest.mark.parametrize("damage", DAMAGES)
    def test_whose_object_is_damaged_is_not_copied_and_is_healed_by_storing_it_again(
        self, objects: Objects, source: Path, content: str, damage: str, tmp_path: Path
    ) -> None:
        if content == "empty":
            pytest.skip("nothing can be torn")
        digest, _ = objects.write_file(source)
        path = only_file(objects)
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        target = tmp_path / "target"
        target.write_bytes(b"before")
        assert objects.copy_to(digest, target, 0o644) is None
        assert target.read_bytes() == b"before"
        assert not objects.has(digest)
        objects.write_file(source)
        assert objects.copy_to(digest, target, 0o644) is not None
        assert target.read_bytes() == CONTENTS[content]
        assert list(tmp_path.glob(".nbcache-*")) == []


@pytest.mark.parametrize(("content", "ending"), [("large text", ".zst"), ("large noise", "")])
def test_a_large_file_is_compressed_where_that_pays(
    objects: Objects, tmp_path: Path, content: str, ending: str
) -> None:
    (tmp_path / "source").write_bytes(CONTENTS[content])
    objects.write_file(tmp_path / "source")
    assert only_file(objects).suffix == ending


def test_a_compressed_object_of_unknown_length_is_read(objects: Objects, tmp_path: Path) -> None:
    import zstandard

    digest = objects.write(TEXT)
    packer = zstandard.ZstdCompressor().compressobj()
    only_file(objects).write_bytes(packer.compress(TEXT) + packer.flush())
    assert objects.read(digest) == TEXT
    assert objects.copy_to(digest, tmp_path / "target", 0o644) is not None


def test_a_copy_of_what_was_never_written_makes_not_even_a_folder(
    objects: Objects, tmp_path: Path
) -> None:
    assert objects.copy_to("0" * 64, tmp_path / "new" / "target", 0o644) is None
    assert not (tmp_path / "new").exists()


def test_a_copy_that_is_not_confirmed_leaves_the_target(objects: Objects, tmp_path: Path) -> None:
    digest = objects.write(TEXT)
    target = tmp_path / "copies" / "target"
    target.parent.mkdir()
    target.write_bytes(b"the user's")

    def confirm() -> None:
        raise FileExistsError

    with pytest.raises(FileExistsError):
        objects.copy_to(digest, target, 0o644, confirm=confirm)
    assert target.read_bytes() == b"the user's"
    assert list(target.parent.iterdir()) == [target]


class GrowingFile(io.FileIO):
    """A file to which something is added each time it is read."""

    def read(self, size: int | None = -1, /) -> bytes:
        with Path(str(self.name)).open("ab") as file:
            file.write(b"more")
        return super().read(-1 if size is None else size) or b""


class GrowingPath(PosixPath):
    """The path of such a file."""

    def open(self, *_: Any, **__: Any) -> Any:
        return GrowingFile(str(self))


@pytest.mark.skipif(os.name == "nt", reason="the path is POSIX's")
def test_a_file_that_changes_all_the_time_is_not_stored(objects: Objects, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(LARGE_NOISE)
    with pytest.raises(UnreadableError, match="changed while it was read"):
        objects.write_file(GrowingPath(source))
    assert list(objects.list_paths()) == []
    assert list(tmp_path.glob("tmp/*")) == []


def test_a_file_that_is_not_there_is_told_from_a_store_that_cannot_be_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(UnreadableError, match="No such file"):
        Store(tmp_path / "cache").save_file(tmp_path / "missing")


def test_a_file_that_does_not_fit_into_memory_is_stored_and_copied(
    objects: Objects, tmp_path: Path
) -> None:
    """Measured with 50 MB of zeros, of which a compressed piece alone would unfold to all."""
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.truncate(50 * MIB)
    objects.write(TEXT)  # loads the library
    tracemalloc.start()
    digest, _ = objects.write_file(source)
    assert objects.is_sound(objects.folder / digest[:2] / f"{digest[2:]}.chunks")
    assert objects.copy_to(digest, target, 0o644) is not None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert target.stat().st_size == 50 * MIB
    assert peak < 24 * MIB


def test_a_file_is_copied_to_one_place_by_many_at_once(objects: Objects, tmp_path: Path) -> None:
    digest = objects.write(LARGE_TEXT)
    target = tmp_path / "copies" / "target"
    with ThreadPoolExecutor(4) as executor:
        copies = [executor.submit(objects.copy_to, digest, target, 0o644) for _ in range(20)]
        assert all(copy.result(60) is not None for copy in copies)
    assert target.read_bytes() == LARGE_TEXT
    assert list(target.parent.iterdir()) == [target]


def store_file(store: Store) -> None:
    """Store the file beside the store."""
    store.save_file(store.path.parent / "source")


def copy_file(store: Store) -> None:
    """Copy what is stored over the file beside the store."""
    digest = digest_bytes(LARGE_TEXT)
    assert store.objects.copy_to(digest, store.path.parent / "target", 0o600) is not None


def drive(folder: Path, name: str) -> None:
    """Crash at step 1, 2, 3... until the work gets through; print how many there were."""
    import zstandard  # noqa: F401 - once, not in each child

    template = folder / "template"
    template.mkdir(parents=True)
    (template / "source").write_bytes(LARGE_TEXT)
    (template / "target").write_bytes(b"before")
    if name == "copy_file":
        store_file(Store(template / "cache"))
    works: dict[str, Callable[[Store], None]] = {
        "store_file": store_file,
        "copy_file": copy_file,
    }
    step = 0
    came_so_far = True
    while came_so_far:
        step += 1
        place = folder / str(step)
        shutil.copytree(template, place)
        came_so_far = crash(works[name], place / "cache", step)
        check(place, name)
        shutil.rmtree(place)
    sys.stdout.write(str(step))


def check(place: Path, name: str) -> None:
    """See that store and target are as before or as they should be, and can be mended."""
    store = Store(place / "cache")
    assert find_damage(store) == []
    if name == "copy_file":
        assert (place / "target").read_bytes() in {b"before", LARGE_TEXT}
    store_file(store)
    copy_file(store)
    assert (place / "target").read_bytes() == LARGE_TEXT


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks a process for each step")
@pytest.mark.parametrize("name", ["store_file", "copy_file"])
def test_who_stores_or_copies_a_large_file_may_be_killed_at_every_step(
    tmp_path: Path, run_python: RunPython, name: str
) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.store.test_objects import drive\n"
        "drive(Path(sys.argv[1]), sys.argv[2])"
    )
    result = run_python(code, tmp_path / "crashes", name)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 30
