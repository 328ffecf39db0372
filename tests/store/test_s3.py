"""A remote on a server of the S3 protocol: in few requests, and whatever the server does."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from sphinx_nbcache.errors import RemoteError
from sphinx_nbcache.model import Artifact, Entry, Key
from sphinx_nbcache.store import Remote, Store
from tests.s3 import S3Server, s3
from tests.store.samples import fill, find_damage, make_entry, make_key, make_outputs

__all__ = ["s3"]


def send(address: str, store: Store, entries: list[Entry]) -> None:
    remote = Remote(address, store)
    for entry in entries:
        remote.send(entry)
    remote.finish()


def take(address: str, store: Store, entries: list[Entry]) -> tuple[list[Entry], Remote]:
    remote = Remote(address, store)
    return remote.fetch(remote.find(entry.key for entry in entries)), remote


def test_what_goes_there_comes_back(s3: S3Server, tmp_path: Path) -> None:
    address, store = f"{s3.make_bucket()}/deep/prefix", Store(tmp_path / "to")
    entries = fill(Store(tmp_path / "from"), "a", "b")
    send(address, Store(tmp_path / "from"), entries)
    taken, remote = take(address, store, entries)
    assert {entry.name for entry in taken} == {entry.name for entry in entries}
    assert (find_damage(store), remote.problems) == ([], [])


def test_large_and_empty_files_travel(s3: S3Server, tmp_path: Path) -> None:
    store, address = Store(tmp_path / "from"), s3.make_bucket()
    files = {"large": b"".join(uuid.uuid4().bytes for _ in range(600_000)), "empty": b""}
    artifacts = []
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        digest, _ = store.save_file(tmp_path / name)
        artifacts.append(Artifact(path=name, digest=digest, mode=0o644))
    outputs = store.save_outputs(make_outputs())
    entry = replace(make_entry(outputs), artifacts=tuple(artifacts))
    store.save_entry(entry)
    send(address, store, [entry])
    to = Store(tmp_path / "to")
    assert take(address, to, [entry])[0] == [entry]
    assert [to.objects.read(artifact.digest) for artifact in artifacts] == list(files.values())


def test_a_thousand_keys_are_looked_up_in_few_requests(s3: S3Server, tmp_path: Path) -> None:
    store, address = Store(tmp_path / "from"), s3.make_bucket()
    send(address, store, fill(store, "a"))
    s3.take_requests()
    remote = Remote(address, Store(tmp_path / "to"))
    assert remote.find(Key(make_key(f"n{number}")) for number in range(1000)) == []
    assert len(s3.take_requests()) <= 3
    assert remote.find(Key(make_key(f"n{number}")) for number in range(1000)) == []
    assert s3.take_requests() == []


@pytest.mark.slow
def test_a_thousand_entries_are_compared_in_few_requests(s3: S3Server, tmp_path: Path) -> None:
    store, address = Store(tmp_path / "from"), s3.make_bucket()
    entries = fill(store, *(f"n{number}" for number in range(1000)))
    send(address, store, entries)
    s3.take_requests()
    assert len(Remote(address, store).look().entries) == 1000
    assert len(s3.take_requests()) <= 6  # pages of a thousand names
    s3.take_requests()
    taken, _ = take(address, Store(tmp_path / "to"), entries)
    # One for each entry and each of its outputs, and few to find out where they are.
    assert len(taken) == 1000
    assert len(s3.take_requests()) <= 2000 + 8


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["flaky", "slow 0.1"])
def test_errors_that_pass_are_overcome(s3: S3Server, tmp_path: Path, fault: str) -> None:
    store, address = Store(tmp_path / "from"), s3.make_bucket()
    entries = fill(store, "a", "b")
    s3.set_fault(fault)
    send(address, store, entries)
    assert len(take(address, Store(tmp_path / "to"), entries)[0]) == 2


@pytest.mark.parametrize("fault", ["errors", "silent 0", "deny GET"])
def test_a_server_that_does_not_serve_is_an_error(s3: S3Server, tmp_path: Path, fault: str) -> None:
    address = s3.make_bucket()
    s3.set_fault(fault)
    remote = Remote(address, Store(tmp_path), silence_s=2)
    with pytest.raises(RemoteError) as caught:
        remote.find([make_key()])
    assert "dummy" not in str(caught.value)


def test_a_server_that_dies_leaves_what_came_before(s3: S3Server, tmp_path: Path) -> None:
    store, address, to = Store(tmp_path / "from"), s3.make_bucket(), Store(tmp_path / "to")
    entries = fill(store, *(f"n{number}" for number in range(20)))
    send(address, store, entries)
    s3.set_fault(f"die {s3.count_requests() + 50}")
    with pytest.raises(RemoteError):
        take(address, to, entries)
    assert find_damage(to) == []


@pytest.mark.parametrize("where", ["/objects/", "/entries/"])
def test_corrupted_bytes_make_a_miss(s3: S3Server, tmp_path: Path, where: str) -> None:
    store, address, to = Store(tmp_path / "from"), s3.make_bucket(), Store(tmp_path / "to")
    entries = fill(store, "a")
    send(address, store, entries)
    s3.set_fault(f"corrupt {where}")
    taken, remote = take(address, to, entries)
    assert taken == []
    assert remote.problems
    assert find_damage(to) == []


def test_a_bucket_that_is_not_there_is_named(s3: S3Server, tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="there is no 'no-such-bucket'"):
        Remote("s3://no-such-bucket/x", Store(tmp_path)).begin()


def test_sending_goes_on_where_it_was_interrupted(s3: S3Server, tmp_path: Path) -> None:
    store, address = Store(tmp_path / "from"), s3.make_bucket()
    first, second = fill(store, "a", "b")
    send(address, store, [first])
    s3.take_requests()
    send(address, store, [first, second])
    sent = [line for line in s3.take_requests() if line.startswith("PUT") and "/objects/" in line]
    assert len(sent) == 1
