"""``nbcache remote``: look, push, pull, prune and try, on a remote in a folder."""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sphinx_nbcache import memo
from sphinx_nbcache.model import Artifact
from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.store import Remote, Store
from tests.cli.conftest import Run
from tests.cli.samples import write_executed
from tests.store.samples import make_entry, make_key, make_outputs

NAMES = ("a", "b", "c")


@pytest.fixture
def remote(project_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a remote that the project may write to."""
    folder = project_folder.parent / "remote"
    monkeypatch.setenv("NBCACHE_REMOTE", folder.as_uri())
    monkeypatch.setenv("NBCACHE_REMOTE_MODE", "read-write")
    return folder


@pytest.fixture
def cached(run: Run, project_folder: Path, remote: Path) -> Path:
    """Return the folder of a project with three entries."""
    for name in NAMES:
        write_executed(project_folder / f"{name}.ipynb", [(f"print('{name}')", f"{name}\n")])
        assert run("cache", "add", f"{name}.ipynb").exit_code == 0
    return project_folder


def find_status(run: Run) -> dict[str, int]:
    found: dict[str, int] = json.loads(run("remote", "status", "--json").output)
    return found


def test_what_is_pushed_can_be_pulled(run: Run, cached: Path) -> None:
    assert run("remote", "push").output == "pushed: 3 entries, 0 known already\n"
    assert run("remote", "push").output == "pushed: 0 entries, 3 known already\n"
    run("cache", "clear", "-f")
    assert run("remote", "pull").output == "pulled: 3 entries, 0 known already\n"
    assert run("verify").output.endswith(": sound\n")
    assert len(json.loads(run("cache", "list", "--json").output)) == 3


@pytest.fixture
def memoized(run: Run, project_folder: Path, remote: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a project with two memos, one of them a pickle."""
    with monkeypatch.context() as variables:
        variables.setenv("NBCACHE_REMOTE", "")
        variables.chdir(project_folder)
        memo.call_always(divmod, 7, 2)
        memo.call_always(slice, 1, 2)
    return project_folder


def test_memos_are_pushed_and_pulled_but_for_pickles(run: Run, memoized: Path) -> None:
    assert run("remote", "push").output == "pushed: 0 entries, 2 memos, 0 known already\n"
    assert find_status(run)["memos"] == 2
    assert "Memos there: 2\n" in run("remote", "status").output
    run("cache", "clear", "-f")
    done = run("remote", "pull")
    assert done.exit_code == 1
    assert "(NBCACHE_SIGNING_KEY, or nbcache_trust_remote): 1\n" in done.output
    assert "pulled: 0 entries, 1 memo, 0 known already" in done.output


def test_pickles_are_pulled_where_they_are_trusted(
    run: Run, memoized: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("remote", "push")
    run("cache", "clear", "-f")
    monkeypatch.setenv("NBCACHE_TRUST_REMOTE", "true")
    assert run("remote", "pull").output == "pulled: 0 entries, 2 memos, 0 known already\n"


def test_signed_pickles_are_pulled_with_the_key(
    run: Run, project_folder: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_SIGNING_KEY", "hidden-word-0123456789")
    monkeypatch.chdir(project_folder)
    memo.call_always(slice, 1, 2)  # sent there at once
    run("remote", "push")
    run("cache", "clear", "-f")
    assert run("remote", "pull").output == "pulled: 0 entries, 1 memo, 0 known already\n"


def test_prune_keeps_what_memos_need(run: Run, memoized: Path, remote: Path) -> None:
    run("remote", "push")
    age(remote, days=2)
    assert "removed: 0 entries" in run("remote", "prune", "-f").output
    told = run("remote", "prune", "-f", "--max-size", "1").output
    assert "2 memos" in told
    assert find_status(run)["there"] == 0


def test_status_tells_what_is_where(run: Run, cached: Path) -> None:
    run("remote", "push")
    run("cache", "remove", "1", "-f")
    found = find_status(run)
    numbers = [found[name] for name in ("there", "both", "only_here", "only_there", "objects")]
    assert numbers == [3, 2, 0, 1, 6]
    assert "Only there: 1\n" in run("remote", "status").output


def test_pull_names_what_is_damaged(run: Run, cached: Path, remote: Path) -> None:
    run("remote", "push")
    run("cache", "clear", "-f")
    path = next(remote.glob("entries/*/*/*.json"))
    path.write_bytes(path.read_bytes()[:-9])
    done = run("remote", "pull")
    assert (done.exit_code, "torn" in done.output) == (1, True)
    assert "pulled: 2 entries" in done.output


def add_large(folder: Path) -> None:
    """Store an entry with a file that lies in chunks."""
    store = Store(folder / ".nbcache")
    (folder / "x").write_bytes(random.Random(1).randbytes(9_000_000))
    artifact = Artifact(path="x", digest=store.save_file(folder / "x")[0], mode=0o644)
    entry = make_entry(store.save_outputs(make_outputs("x")), key="x")
    store.save_entry(replace(entry, artifacts=(artifact,)))


def age(remote: Path, days: int) -> None:
    """Have all objects look as if they had been put there some days ago."""
    then = time.time() - days * 24 * 3600
    for path in remote.glob("objects/*/*"):
        os.utime(path, (then, then))


def test_prune_asks_and_keeps_the_limits(run: Run, cached: Path, remote: Path) -> None:
    run("remote", "push")
    age(remote, days=2)
    told = run("remote", "prune", "--max-count", "1", "--dry-run")
    assert told.output.startswith("would go: 2 entries, 4 objects")
    assert run("remote", "prune", "--max-count", "1", input="n\n").exit_code == 1
    assert find_status(run)["there"] == 3
    assert "removed: 2 entries" in run("remote", "prune", "--max-count", "1", input="y\n").output
    found = find_status(run)
    assert (found["there"], found["objects"]) == (1, 2)


def test_prune_leaves_objects_of_the_last_day(run: Run, cached: Path, remote: Path) -> None:
    run("remote", "push")
    told = json.loads(run("remote", "prune", "-f", "--max-count", "0", "--json").output)
    assert (len(told["entries"]), told["objects"]) == (3, 0)


def test_prune_keeps_the_chunks_of_what_is_needed(run: Run, cached: Path, remote: Path) -> None:
    store, data = Store(cached / ".nbcache"), random.Random(1).randbytes(20_000_000)
    for name, content in (("old", data), ("new", data[:9_000_000] + data[9_900_000:])):
        (cached / name).write_bytes(content)
        artifact = Artifact(path=name, digest=store.save_file(cached / name)[0], mode=0o644)
        entry = make_entry(store.save_outputs(make_outputs(name)), key=name)
        store.save_entry(replace(entry, artifacts=(artifact,)))
    run("remote", "push")
    age(remote, days=2)
    assert ", 0 objects" in run("remote", "prune", "-f").output
    next(remote.glob(f"entries/*/{make_key('old')}/*.json")).unlink()
    assert ", 0 objects" not in run("remote", "prune", "-f").output
    run("cache", "clear", "-f")
    run("remote", "pull")
    assert run("verify").output.endswith(": sound\n")
    assert store.objects.read(artifact.digest) == content
    assert not list(remote.glob("objects/*/*.chunks"))[1:]


def test_prune_keeps_all_objects_beside_a_listing_that_it_cannot_read(
    run: Run, cached: Path, remote: Path
) -> None:
    add_large(cached)
    run("remote", "push")
    (listing,) = remote.glob("objects/*/*.chunks")
    listing.write_text("nbcache-chunks 2 as a later version may write it\n")
    age(remote, days=2)
    assert ", 0 objects" in run("remote", "prune", "-f").output


def test_prune_keeps_what_a_memo_needs_that_is_replaced_meanwhile(
    run: Run, memoized: Path, remote: Path
) -> None:
    store = Store(memoized / ".nbcache")
    (stored, *_) = store.take_inventory().memos
    run("remote", "push")
    digest = store.objects.write(b"once needed, and again" * 100)
    (path,) = store.objects.list_files(digest)
    name = path.relative_to(store.path)
    (remote / name).parent.mkdir(parents=True, exist_ok=True)
    (remote / name).write_bytes(path.read_bytes())
    contents = Remote(remote.as_uri(), store).look()
    memo_again = replace(stored.entry, objects=(digest,), executed_at=time.time())
    sending = Remote(remote.as_uri(), store)
    store.memos.write(memo_again)
    sending.send(memo_again)
    sending.finish()
    pruning = NotebookCache(project=memoized).remote
    assert pruning._keep_needed(contents, [], [name]) == []


def test_push_mends_what_was_lost_there(run: Run, cached: Path, remote: Path) -> None:
    add_large(cached)
    run("remote", "push")
    before = sorted(remote.glob("objects/*/*"))
    for path in before[::2]:
        path.unlink()
    run("remote", "push")
    assert sorted(remote.glob("objects/*/*")) == before


def test_prune_by_age_and_size(run: Run, cached: Path, remote: Path) -> None:
    run("remote", "push")
    assert run("remote", "prune", "-f", "--max-age", "1d").output.startswith("removed: 0 entries")
    run("remote", "prune", "-f", "--max-size", "1 kB")
    assert find_status(run)["there"] < 3


@pytest.mark.parametrize("arguments", [["push"], ["prune", "-f", "--max-count", "0"]])
def test_in_mode_read_nothing_is_changed(
    run: Run, cached: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("remote", "push")
    monkeypatch.setenv("NBCACHE_REMOTE_MODE", "read")
    done = run("remote", *arguments)
    assert (done.exit_code, "remote_mode = 'read'" in done.output) == (2, True)


def test_login_test_tries_what_a_build_does(
    run: Run, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line.partition(":")[0] for line in run("remote", "login-test").output.splitlines()]
    assert lines == ["list", "write", "read", "remove"]
    assert list(remote.glob("probe*")) == []
    monkeypatch.setenv("NBCACHE_REMOTE_MODE", "read")
    assert run("remote", "login-test").output == "list: ok, 0 entries\n"


def test_login_test_says_where_credentials_come_from(
    run: Run, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_REMOTE", "file:///proc/nowhere")
    done = run("remote", "login-test")
    assert done.exit_code == 2
    assert "cannot be written" in done.output
    assert "AWS_PROFILE" in done.output


def test_without_a_remote_there_is_nothing_to_look_at(run: Run) -> None:
    done = run("remote", "status")
    assert (done.exit_code, "remote = ''" in done.output) == (2, True)


def test_secrets_of_an_address_are_not_shown(
    run: Run, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_REMOTE", "nowhere://me:hidden-word@host/x?key=hidden-word")
    for arguments in (["remote", "status"], ["remote", "login-test"], ["doctor"]):
        assert "hidden-word" not in run(*arguments).output


def test_a_key_is_not_shown(run: Run, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBCACHE_SIGNING_KEY", "hidden-word-0123456789")
    for arguments in (["doctor"], ["stats"], ["remote", "status"]):
        assert "hidden-word" not in run(*arguments).output


def test_what_is_not_signed_is_not_pushed(
    run: Run, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_SIGNING_KEY", "hidden-word-0123456789")
    done = run("remote", "push")
    assert done.exit_code == 1
    assert done.output.count("not signed") == 3
    assert "pushed: 0 entries" in done.output
