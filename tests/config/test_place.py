"""Where the root is, and the cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sphinx_nbcache.config import CACHE_FOLDER, find_cache_path, find_project_root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return the resolved folder ``a`` of ``a/b/c``, without any mark of a root."""
    (tmp_path / "a/b/c").mkdir(parents=True)
    return (tmp_path / "a").resolve()


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_the_root_is_the_nearest_folder_above_with_a_mark(tree: Path, mark: str) -> None:
    (tree / mark).mkdir()
    assert find_project_root(tree / "b/c") == tree
    (tree / "b" / mark).touch()
    assert find_project_root(tree / "b/c") == tree / "b"
    assert find_project_root(tree / "b") == tree / "b"


def test_a_work_tree_whose_git_is_a_file_is_a_root(tree: Path) -> None:
    (tree / ".git").write_text("gitdir: elsewhere")
    assert find_project_root(tree / "b") == tree


def test_without_a_mark_the_folder_itself_is_the_root(tree: Path) -> None:
    assert find_project_root(tree / "b") == tree / "b"


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_has_the_root_of_what_it_leads_to(tree: Path, tmp_path: Path) -> None:
    (tree / ".git").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tree / "b/c")
    assert find_project_root(link) == tree


def test_the_cache_lies_in_the_root_by_default(tree: Path) -> None:
    assert find_cache_path(None, start=tree / "b", root=tree) == tree / CACHE_FOLDER


def test_a_relative_cache_counts_from_the_start(tree: Path) -> None:
    path = find_cache_path(Path("../cache"), start=tree / "b", root=tree)
    assert path == tree / "cache"


def test_an_absolute_cache_is_taken_as_it_is(tree: Path) -> None:
    assert find_cache_path(tree / "x", start=tree / "b", root=tree) == tree / "x"


def test_a_tilde_is_the_home_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tree))
    monkeypatch.setenv("USERPROFILE", str(tree))
    assert find_cache_path(Path("~/cache"), start=tree / "b", root=tree) == tree / "cache"
