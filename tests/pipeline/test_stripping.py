"""Files without their outputs: which ones, and that they are never torn or lost."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from sphinx_nbcache.errors import NotebookNotFoundError
from sphinx_nbcache.pipeline import NotebookCache, find_strippable, strip_files
from sphinx_nbcache.reading import StripRules
from sphinx_nbcache.testing import code_cell, write_notebook

OUTPUT = {"output_type": "stream", "name": "stdout", "text": "1\n"}


def write_executed(path: Path) -> Path:
    """Write a notebook with an output."""
    return write_notebook(path, code_cell("print(1)", outputs=[OUTPUT]))


def test_folders_are_searched_and_hidden_and_built_ones_passed_over(project_folder: Path) -> None:
    wanted = [project_folder / "a.ipynb", project_folder / "deep/b.ipynb"]
    others = [".hidden/c.ipynb", "_build/d.ipynb", ".ipynb_checkpoints/e.ipynb", "f.md"]
    for path in (*wanted, *(project_folder / name for name in others)):
        write_executed(path)
    assert find_strippable([project_folder, wanted[0]]) == wanted


def test_a_path_that_is_not_there_is_an_error(project_folder: Path) -> None:
    with pytest.raises(NotebookNotFoundError, match=r"gone\.ipynb"):
        find_strippable([project_folder / "gone.ipynb"])


def test_a_clean_file_is_not_written(project_folder: Path) -> None:
    path = write_notebook(project_folder / "a.ipynb", "print(1)")
    os.utime(path, (1, 1))
    before = path.stat()
    (item,) = strip_files([path], StripRules())
    assert (item.has_changed, item.problem) == (False, "")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_stripped_file_keeps_its_mode_and_a_link_stays_a_link(project_folder: Path) -> None:
    path = write_executed(project_folder / "real" / "a.ipynb")
    path.chmod(0o640)
    link = project_folder / "link.ipynb"
    link.symlink_to(path)
    (item,) = strip_files([link], StripRules())
    assert item.has_changed
    assert link.is_symlink()
    assert b"stdout" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [found.name for found in path.parent.iterdir()] == ["a.ipynb"]


def test_a_dry_run_writes_nothing(project_folder: Path) -> None:
    path = write_executed(project_folder / "a.ipynb")
    before = path.read_bytes()
    (item,) = strip_files([path], StripRules(), is_dry=True)
    assert item.has_changed
    assert path.read_bytes() == before


def test_what_is_no_notebook_is_left_alone_and_the_others_are_done(project_folder: Path) -> None:
    broken, good = project_folder / "a.ipynb", write_executed(project_folder / "b.ipynb")
    broken.write_text('{"cells": [')
    first, second = strip_files([broken, good], StripRules())
    assert first.problem.startswith("cannot be read as a notebook: it is not JSON")
    assert broken.read_text() == '{"cells": ['
    assert second.has_changed


def test_stripping_makes_nothing_stale(project_folder: Path) -> None:
    path = write_executed(project_folder / "a.ipynb")
    cache = NotebookCache(project=project_folder)
    (stale,) = cache.explain([path])
    cache.execute([path])
    (before,) = cache.explain([path])
    assert all(item.has_changed for item in strip_files([path], StripRules()))
    (after,) = cache.explain([path])
    assert before.is_fresh
    assert (after, after.key) == (before, stale.key)
