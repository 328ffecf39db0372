"""Builds whose cache lives in a git repository: clones start no kernel, and leave git no change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sphinx_nbcache.store import Store
from tests.e2e.build import Result, run_build, write_notebook, write_site
from tests.git import clone, commit, find_changes, git, hide_lfs, needs_lfs, own_git, publish

__all__ = ["own_git"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_git")]
MEMO = """\
from sphinx_nbcache import memo

@memo(always=True)
def compute(n):
    print("computing")
    return bytes(range(256)) * n

len(compute(40000))"""
PAGES = {
    "data": ("print('size', len(open('data.csv').read()))",),
    "made": ("open('made.csv', 'w').write('1,2')\nprint('made ' + 'it')",),
    "memo": (MEMO,),
}
WORDS = {"data": "size 4", "made": "made it", "memo": "10240000"}


@pytest.fixture
def site(own_git: None, tmp_path: Path) -> Path:
    """Return the folder of a site in a repository without a commit."""
    source = write_site(tmp_path / "first", PAGES)
    (source / "data.csv").write_text("1,2\n")
    git(source.parent, "init", "--quiet", "--initial-branch=main")
    (source.parent / ".gitignore").write_text("out*/\nmade.csv\n")
    return source


def build_and_commit(site: Path, *, has_lfs: bool = False) -> str:
    """Build a site whose cache is in git, and push it; return the address."""
    Store(site.parent / ".nbcache").track(has_lfs=has_lfs)
    result = run_build(site, "-W")
    assert (result.status, result.totals["ran"]) == (0, 3), result.stderr
    commit(site.parent)
    return publish(site.parent, site.parent.parent / "remote.git")


def is_right(result: Result) -> bool:
    return all(word in result.read(name) for name, word in WORDS.items())


def list_warnings(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if "WARNING" in line]


def test_a_clone_at_another_path_starts_no_kernel_and_rewrites_nothing(
    site: Path, tmp_path: Path
) -> None:
    address = build_and_commit(site)
    for name in ("second", "deep/er/third"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        folder = clone(address, tmp_path / name)
        for _ in range(2):
            result = run_build(folder / "docs", "-W", "-E")
            assert (result.status, result.totals["hits"]) == (0, 3), result.stderr
            assert is_right(result)
            assert find_changes(folder) == ""
        assert (folder / "docs/made.csv").read_text() == "1,2"


def test_a_memo_answers_in_a_clone_and_is_not_rewritten(site: Path, tmp_path: Path) -> None:
    folder = clone(build_and_commit(site), tmp_path / "second")
    write_notebook(folder / "docs/memo.md", MEMO, "print('a new ' + 'cell')")
    memos = {path: path.read_bytes() for path in folder.glob(".nbcache/memos/*/*/*.json")}
    result = run_build(folder / "docs", "-W")
    assert (result.totals["hits"], result.totals["ran"]) == (2, 1)
    assert "a new cell" in result.read("memo")
    assert "\ncomputing" not in result.read("memo")
    assert len(memos) == 1
    assert all(path.read_bytes() == data for path, data in memos.items())
    changes = find_changes(folder).splitlines()
    assert changes
    assert all(line.startswith("?? ") for line in changes)  # what is new, and nothing else


def test_a_conflict_leaves_one_side_which_answers(site: Path, tmp_path: Path) -> None:
    root = site.parent
    build_and_commit(site)
    for branch, start in (("left", "main"), ("right", "main")):
        git(root, "checkout", "--quiet", "-b", branch, start)
        run_build(site, "-Dnbcache_rerun=data", out=f"out-{branch}")
        commit(root)
    with pytest.raises(AssertionError):  # git ends with a status that says so
        git(root, "merge", "left")
    conflicts = find_changes(root)
    assert "UU .nbcache/entries" in conflicts or "AA .nbcache/entries" in conflicts
    assert run_build(site, "-W", out="out-merge").totals["hits"] == 3
    git(root, "checkout", "--theirs", "--", ".nbcache")
    git(root, "add", ".nbcache")
    assert run_build(site, "-W", out="out-merged").totals["hits"] == 3


def test_marks_of_a_conflict_are_a_miss_with_a_warning(site: Path) -> None:
    build_and_commit(site)
    for path in site.parent.glob(".nbcache/entries/*/*/*.json"):
        if json.loads(path.read_text())["source"] == "docs/data.md":
            path.write_text(f"<<<<<<< HEAD\n{path.read_text()}=======\n>>>>>>> other\n")
    result = run_build(site, out="out-marks")
    assert (result.status, result.totals["ran"]) == (0, 1)
    (warning,) = list_warnings(result)
    assert "data counts as not cached" in warning
    assert is_right(result)


@needs_lfs
class TestLfs:
    """The objects are with git LFS."""

    @pytest.fixture
    def unfetched(self, own_git: None, site: Path, tmp_path: Path) -> Path:
        """Return a clone that has pointers only."""
        git(tmp_path, "lfs", "install", "--skip-repo")
        return clone(build_and_commit(site, has_lfs=True), tmp_path / "second")

    def test_an_ordinary_clone_is_all_hits(self, unfetched: Path, tmp_path: Path) -> None:
        git(tmp_path, "clone", "--quiet", str(tmp_path / "remote.git"), "third")
        result = run_build(tmp_path / "third/docs", "-W")
        assert result.totals["hits"] == 3
        assert find_changes(tmp_path / "third") == ""

    def test_pointers_are_fetched_and_git_sees_no_change(self, unfetched: Path) -> None:
        result = run_build(unfetched / "docs", "-W")
        assert (result.status, result.totals["hits"]) == (0, 3), result.stderr
        assert is_right(result)
        assert find_changes(unfetched) == ""

    def test_a_memo_is_fetched_by_the_kernel(self, unfetched: Path) -> None:
        write_notebook(unfetched / "docs/memo.md", MEMO, "print('a new ' + 'cell')")
        result = run_build(unfetched / "docs", "-W")
        assert (result.totals["hits"], result.totals["ran"]) == (2, 1)
        assert "\ncomputing" not in result.read("memo")
        assert "10240000" in result.read("memo")

    @pytest.mark.parametrize("trouble", ["no git-lfs", "no server"])
    def test_what_cannot_be_fetched_runs_with_one_warning(
        self, unfetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
    ) -> None:
        if trouble == "no server":
            shutil.rmtree(tmp_path / "remote.git")
        else:
            hide_lfs(tmp_path / "bin", monkeypatch)
        result = run_build(unfetched / "docs")
        assert (result.status, result.totals["ran"]) == (0, 3)
        (warning,) = list_warnings(result)
        assert " objects are pointers of git LFS" in warning
        assert "[nbcache.store]" in warning
        assert "git lfs pull" in warning
        assert is_right(result)
        assert "MemoWarning" not in result.read("memo")
        assert run_build(unfetched / "docs", "-W", "-E").totals["hits"] == 3

    def test_with_frozen_the_failure_says_what_is_missing(
        self, unfetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hide_lfs(tmp_path / "bin", monkeypatch)
        result = run_build(unfetched / "docs", "-Dnbcache_frozen=1")
        assert (result.status, result.totals["failed"]) == (1, 3)
        assert "install git-lfs" in result.stderr
