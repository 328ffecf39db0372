"""Builds with a remote: they take what holds, put there what ran, and never depend on it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sphinx_nbcache.model import CellOutputs, Entry, Outputs, Report, Status, Topic
from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.pipeline.sharing import is_code
from sphinx_nbcache.store import Store
from sphinx_nbcache.testing import write_notebook
from tests.pipeline.listening import Warned

KEY = "0123456789abcdef"
CHAIN = {
    "a_reads.ipynb": "print(open('data.csv').read())",
    "b_writes.ipynb": "open('data.csv', 'w').write('1,2')",
}


class Checkouts:
    """Copies of one project, each with a cache of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._variables = monkeypatch
        self.remote = folder / "remote"
        self.set(NBCACHE_REMOTE=self.remote.as_uri(), NBCACHE_REMOTE_MODE="read-write")

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._variables.setenv(name, value)

    def make(self, name: str, notebooks: dict[str, str]) -> Path:
        folder = self._folder / name
        folder.mkdir()
        (folder / "pyproject.toml").touch()
        for file, code in notebooks.items():
            write_notebook(folder / file, code)
        return folder

    def build(self, folder: Path) -> tuple[Report, list[tuple[Topic, str]]]:
        progress = Warned()
        report = NotebookCache(project=folder).execute([folder], progress=progress)
        return report, progress.warnings

    def build_new(
        self, name: str, notebooks: dict[str, str]
    ) -> tuple[Report, list[tuple[Topic, str]]]:
        return self.build(self.make(name, notebooks))


@pytest.fixture
def checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkouts:
    """Return checkouts that share a remote, which is empty."""
    return Checkouts(tmp_path, monkeypatch)


def count(report: Report) -> tuple[int, int, int]:
    totals = report.totals
    return totals.hits, totals.ran, totals.failed


def test_another_checkout_runs_nothing(checkouts: Checkouts) -> None:
    first, _ = checkouts.build_new("one", {"a.ipynb": "print('a')"})
    second, warnings = checkouts.build_new("two", {"a.ipynb": "print('a')"})
    third, _ = checkouts.build(checkouts.remote.parent / "two")
    assert [count(report) for report in (first, second, third)] == [(0, 1, 0), (1, 0, 0), (1, 0, 0)]
    assert second.outcomes[0].reason == "outputs from the remote cache"
    assert third.outcomes[0].reason == "outputs in the cache"
    assert warnings == []


def test_what_holds_only_when_another_is_restored_is_taken_too(checkouts: Checkouts) -> None:
    checkouts.build_new("one", CHAIN)
    report, warnings = checkouts.build_new("two", CHAIN)
    assert (count(report), warnings) == ((2, 0, 0), [])
    assert (checkouts.remote.parent / "two/data.csv").read_text() == "1,2"


def test_what_does_not_hold_here_runs(checkouts: Checkouts) -> None:
    code = {"a.ipynb": "print(open('data.csv').read())"}
    for name, text in (("one", "1"), ("two", "2")):
        (checkouts.make(name, code) / "data.csv").write_text(text)
    folder = checkouts.remote.parent
    assert count(checkouts.build(folder / "one")[0]) == (0, 1, 0)
    assert count(checkouts.build(folder / "two")[0]) == (0, 1, 0)


def test_in_mode_read_nothing_is_put_there(checkouts: Checkouts) -> None:
    checkouts.set(NBCACHE_REMOTE_MODE="read")
    checkouts.build_new("one", {"a.ipynb": "print('a')"})
    assert not checkouts.remote.exists()


def test_without_a_kernel_the_remote_answers(checkouts: Checkouts) -> None:
    checkouts.build_new("one", {"a.ipynb": "print('a')"})
    checkouts.set(NBCACHE_FROZEN="1")
    assert count(checkouts.build_new("two", {"a.ipynb": "print('a')"})[0]) == (1, 0, 0)


def test_a_look_asks_no_remote_and_writes_nothing(checkouts: Checkouts) -> None:
    checkouts.build_new("one", {"a.ipynb": "print('a')"})
    folder = checkouts.make("two", {"a.ipynb": "print('a')"})
    (standing,) = NotebookCache(project=folder).explain()
    assert standing.would_run
    assert not (folder / ".nbcache").exists()


@pytest.mark.parametrize("address", ["nowhere://me:secret@host/x", "file:///proc/nowhere"])
def test_a_remote_that_cannot_be_used_is_one_warning(checkouts: Checkouts, address: str) -> None:
    checkouts.set(NBCACHE_REMOTE=address)
    report, ((topic, text),) = checkouts.build_new("one", {"a.ipynb": "print('a')"})
    assert (count(report), topic) == ((0, 1, 0), Topic.REMOTE)
    assert "secret" not in text


def test_damage_there_is_one_warning_and_is_mended(checkouts: Checkouts) -> None:
    notebooks = {f"{name}.ipynb": f"print('{name}')" for name in "abc"}
    checkouts.build_new("one", notebooks)
    for path in checkouts.remote.glob("entries/*/*/*.json"):
        path.write_bytes(path.read_bytes()[:-20])
    report, ((topic, text),) = checkouts.build_new("two", notebooks)
    assert (count(report), topic) == ((0, 3, 0), Topic.REMOTE)
    assert "torn" in text
    assert text.endswith("; and 2 more")
    assert count(checkouts.build_new("three", notebooks)[0]) == (3, 0, 0)


def forge(checkouts: Checkouts, path: str, code: str = "open('out.csv', 'w').write('x')") -> None:
    """Have the remote's only entry write to another path, as somebody who can write there."""
    checkouts.build_new("one", {"a.ipynb": code})
    (file,) = checkouts.remote.glob("entries/*/*/*.json")
    entry = Entry.from_bytes(file.read_bytes())
    artifact = replace(entry.artifacts[0], path=path)
    file.write_bytes(replace(entry, artifacts=(artifact,)).to_bytes())


@pytest.mark.parametrize(
    "path", ["../evil.csv", "/tmp/evil.csv", ".git/hooks/pre-commit", "evil.py", "Makefile"]
)
def test_files_that_could_do_harm_do_not_come(checkouts: Checkouts, path: str) -> None:
    forge(checkouts, path)
    report, ((topic, text),) = checkouts.build_new(
        "two", {"a.ipynb": "open('out.csv', 'w').write('x')"}
    )
    assert (count(report), topic) == ((0, 1, 0), Topic.REMOTE)
    assert repr(path) in text
    assert sorted(p.name for p in (checkouts.remote.parent / "two").iterdir()) == [
        ".nbcache",
        "a.ipynb",
        "out.csv",
        "pyproject.toml",
    ]


@pytest.mark.parametrize(
    "outputs",
    [
        Outputs((None, None)),
        Outputs(()),
        Outputs((CellOutputs(1, [{"output_type": "nothing"}]),)),
        Outputs((CellOutputs(1, [{"no": "type"}]),)),
    ],
    ids=["too many", "none", "wrong type", "no type"],
)
def test_outputs_that_would_break_a_page_do_not_come(
    checkouts: Checkouts, outputs: Outputs
) -> None:
    checkouts.build_new("one", {"a.ipynb": "print('a')"})
    digest = Store(checkouts.remote).save_outputs(outputs)
    (file,) = checkouts.remote.glob("entries/*/*/*.json")
    file.write_bytes(replace(Entry.from_bytes(file.read_bytes()), outputs=digest).to_bytes())
    report, ((topic, _),) = checkouts.build_new("two", {"a.ipynb": "print('a')"})
    assert (count(report), topic) == ((0, 1, 0), Topic.REMOTE)


def test_a_file_of_the_user_is_not_replaced_though_its_bytes_are_there(
    checkouts: Checkouts,
) -> None:
    code = "open('out.csv', 'w').write('of the notebook')"
    checkouts.build_new("one", {"a.ipynb": code})
    folder = checkouts.make("two", {"a.ipynb": code})
    (folder / "out.csv").write_text("of the user")
    store = Store(folder / ".nbcache")
    store.save_file(folder / "out.csv")
    checkouts.build(folder)
    assert (folder / "out.csv").read_text() == "of the user"


@pytest.mark.parametrize(
    "path", ["x.py", "a/b.SO", "Makefile", ".hidden/x.csv", "n.ipynb", "m.pkl"]
)
def test_what_may_be_run_is_told_by_its_name(path: str) -> None:
    assert is_code(path)


@pytest.mark.parametrize("path", ["x.csv", "figures/a.png", "data/deep.down/t.parquet"])
def test_data_is_no_code(path: str) -> None:
    assert not is_code(path)


def test_with_a_key_code_comes_too(checkouts: Checkouts) -> None:
    checkouts.set(NBCACHE_SIGNING_KEY=KEY)
    code = {"a.ipynb": "open('made.py', 'w').write('x = 1')"}
    checkouts.build_new("one", code)
    assert count(checkouts.build_new("two", code)[0]) == (1, 0, 0)
    assert (checkouts.remote.parent / "two/made.py").exists()


def test_with_a_key_unsigned_entries_there_are_one_warning(checkouts: Checkouts) -> None:
    notebooks = {f"{name}.ipynb": f"print('{name}')" for name in "ab"}
    checkouts.build_new("one", notebooks)
    checkouts.set(NBCACHE_SIGNING_KEY=KEY)
    report, ((topic, text),) = checkouts.build_new("two", notebooks)
    assert (count(report), topic) == ((0, 2, 0), Topic.REMOTE)
    assert text.startswith("2 entries of the remote cache")
    signed = [json.loads(p.read_text()) for p in checkouts.remote.glob("entries/*/*/*.json")]
    assert all("signature" in entry for entry in signed)
    assert count(checkouts.build_new("three", notebooks)[0]) == (2, 0, 0)


def test_with_a_key_unsigned_entries_here_are_one_warning(checkouts: Checkouts) -> None:
    folder = checkouts.make("one", {"a.ipynb": "print('a')", "b.ipynb": "print('b')"})
    checkouts.build(folder)
    shutil.rmtree(checkouts.remote)
    checkouts.set(NBCACHE_SIGNING_KEY=KEY)
    report, ((topic, text),) = checkouts.build(folder)
    assert (count(report), topic) == ((0, 2, 0), Topic.STORE)
    assert text.startswith("2 entries of the cache are not signed")
    assert count(checkouts.build(folder)[0]) == (2, 0, 0)


def test_a_key_that_was_replaced_still_verifies(checkouts: Checkouts) -> None:
    notebooks = {"a.ipynb": "print('a')"}
    checkouts.set(NBCACHE_SIGNING_KEY=KEY)
    checkouts.build_new("one", notebooks)
    checkouts.set(NBCACHE_SIGNING_KEY=f"fedcba9876543210,{KEY}")
    report, warnings = checkouts.build_new("two", notebooks)
    assert (count(report), warnings) == ((1, 0, 0), [])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_kernels_do_not_see_the_key(checkouts: Checkouts, start: str) -> None:
    checkouts.set(NBCACHE_SIGNING_KEY=KEY, NBCACHE_KERNEL_START=start)
    code = "import os\nassert 'NBCACHE_SIGNING_KEY' not in os.environ"
    report, _ = checkouts.build_new("one", {"a.ipynb": code})
    assert report.outcomes[0].status is Status.RAN
