"""Files are hashed once, and again when they were touched."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sphinx_nbcache.model import digest_bytes
from sphinx_nbcache.observing import Digests

OLD_NS = 1_600_000_000_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file that was last changed long ago."""
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n")
    os.utime(path, ns=(OLD_NS, OLD_NS))
    return path


def alter_unseen(path: Path) -> None:
    """Change a file's content, and nothing that can be seen from outside."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_digest_is_that_of_the_content(path: Path) -> None:
    assert Digests({}).find("x", str(path)) == digest_bytes(b"a,b\n")


def test_what_is_remembered_is_not_read_again(path: Path) -> None:
    first = Digests({})
    digest = first.find("x", str(path))
    alter_unseen(path)
    assert Digests(first.take_new()).find("x", str(path)) == digest


def test_a_file_that_was_touched_is_read_again(path: Path) -> None:
    digests = Digests({})
    digests.find("x", str(path))
    alter_unseen(path)
    os.utime(path, ns=(OLD_NS, OLD_NS + 1))
    assert digests.find("x", str(path)) == digest_bytes(b"X,b\n")


def test_a_file_that_was_just_changed_is_not_remembered(path: Path) -> None:
    os.utime(path, ns=(time.time_ns(),) * 2)
    digests = Digests({})
    digests.find("x", str(path))
    assert digests.take_new() == {}
    alter_unseen(path)
    assert digests.find("x", str(path)) == digest_bytes(b"X,b\n")


def test_what_is_new_is_given_once(path: Path) -> None:
    digests = Digests({})
    digests.find("x", str(path))
    assert digests.take_new().keys() == {"x"}
    assert digests.take_new() == {}


@pytest.mark.parametrize("name", ["missing", ".", "with\0null"])
def test_what_is_no_file_has_no_digest(tmp_path: Path, name: str) -> None:
    assert Digests({}).find("x", f"{tmp_path}/{name}") is None


def test_a_large_file_is_told_of_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(300 << 20)
    told: list[tuple[str, int, int]] = []
    Digests({}, lambda *args: told.append(args)).find("large", str(path))
    assert told
    assert all(name == "large" and size == 300 << 20 for name, _, size in told)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
