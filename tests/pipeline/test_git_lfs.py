"""Notebooks whose outputs git LFS keeps: fetched when they are needed, not for a look."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from sphinx_nbcache import NotebookCache, memo
from sphinx_nbcache.errors import NotCachedError
from sphinx_nbcache.testing import RecordingProgress, write_notebook
from tests.git import clone, commit, find_changes, git, hide_lfs, needs_lfs, own_git, publish

__all__ = ["own_git"]
pytestmark = needs_lfs
CODE = {"a": "print('first')", "b": "print('second')"}


@pytest.fixture
def unfetched(own_git: None, tmp_path: Path) -> NotebookCache:
    """Return the cache of a clone that has pointers only."""
    git(tmp_path, "lfs", "install", "--skip-repo")
    folder = tmp_path / "first"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    cache = NotebookCache(project=folder)
    cache.track(lfs=True)
    paths = [write_notebook(folder / f"{name}.ipynb", code) for name, code in CODE.items()]
    assert not cache.execute(paths).failures
    commit(folder)
    return NotebookCache(project=clone(publish(folder, tmp_path / "remote.git"), tmp_path / "two"))


def test_a_look_fetches_nothing_and_tells_why_a_notebook_is_stale(
    unfetched: NotebookCache,
) -> None:
    before = {path: path.stat().st_size for path in unfetched.path.glob("objects/*/*")}
    found = unfetched.explain()
    assert [item.reason for item in found] == ["its outputs are not fetched from git LFS"] * 2
    assert before == {path: path.stat().st_size for path in before}


def test_a_notebook_is_merged_with_what_is_fetched(unfetched: NotebookCache) -> None:
    (cell,) = unfetched.merge(unfetched.root / "a.ipynb").cells
    assert cell.outputs[0].text == "first\n"
    assert [item.is_fresh for item in unfetched.explain()] == [True, False]
    assert find_changes(unfetched.root) == ""


def test_stale_outputs_are_not_fetched(unfetched: NotebookCache) -> None:
    write_notebook(unfetched.root / "a.ipynb", "print('changed')")
    report = unfetched.execute([unfetched.root / "a.ipynb"])
    assert [str(outcome.status) for outcome in report.outcomes] == ["ran"]
    assert not [p for p in (unfetched.root / ".git/lfs/objects").rglob("*") if p.is_file()]


def test_without_git_lfs_there_is_one_warning_for_all(
    unfetched: NotebookCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_lfs(tmp_path / "bin", monkeypatch)
    with pytest.raises(NotCachedError):
        unfetched.merge(unfetched.root / "a.ipynb")
    progress = RecordingProgress()
    unfetched.execute([unfetched.root], progress=progress)
    (text,) = (warning for warning in progress.warnings if "git LFS" in str(warning))
    assert "install git-lfs and run `git lfs pull`" in str(text)


@pytest.mark.parametrize("has_lfs", [True, False])
def test_a_memo_is_fetched_or_computed_with_one_warning(
    unfetched: NotebookCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_lfs: bool
) -> None:
    root = tmp_path / "first"

    @memo(always=True)
    def compute(n: int) -> bytes:
        return bytes(range(256)) * 4000 * n

    monkeypatch.chdir(root)
    values = [compute(1), compute(2)]
    commit(root)
    git(root, "push", "--quiet", "origin", "main")
    git(unfetched.root, "pull", "--quiet", "origin", "main", GIT_LFS_SKIP_SMUDGE="1")
    monkeypatch.chdir(unfetched.root)
    if not has_lfs:
        hide_lfs(tmp_path / "bin", monkeypatch)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert [compute(1), compute(2)] == values
    assert compute.cache_info()[:2] == ((2, 2) if has_lfs else (0, 4))
    assert ["git LFS" in str(item.message) for item in told] == ([] if has_lfs else [True])
