"""A cache that may only be read: as CI restores it, or as another user owns it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import write_notebook
from tests.conftest import DROP_PRIVILEGES

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders are read-only on POSIX only")

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

BUILD = (
    DROP_PRIVILEGES
    + """
import sys
import encodings.utf_8_sig, filelock, loky, nbformat, sqlite3, zstandard
import sphinx_nbcache.pipeline.flight, sphinx_nbcache.running.creation
import sphinx_nbcache.running.notebook
from sphinx_nbcache import NotebookCache
from sphinx_nbcache.errors import StoreError
folder = sys.argv[1]
cache = NotebookCache(project=folder)
loky.cpu_count()
cache.execute([folder], frozen=True)  # these two import the rest
cache.find(f"{folder}/a.ipynb")
drop_privileges()
try:
    print(*(outcome.status for outcome in cache.execute([folder]).outcomes))
except StoreError as error:
    print(error)
"""
)


def test_hits_come_from_a_cache_that_may_only_be_read_and_a_miss_is_one_sentence(
    open_folder: Path, run_python: RunPython
) -> None:
    (open_folder / "pyproject.toml").touch()
    write_notebook(open_folder / "a.ipynb", "print(1)")
    NotebookCache(project=open_folder).execute([open_folder])
    cache = open_folder / ".nbcache"
    folders = [cache, *(path for path in cache.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        hit = run_python(BUILD, open_folder)
        write_notebook(open_folder / "b.ipynb", "print(2)")
        miss = run_python(BUILD, open_folder)
    finally:
        for path in folders:
            path.chmod(0o755)
    assert (hit.stdout, hit.stderr) == ("hit\n", "")
    assert miss.stdout.startswith(f"cache {cache}: cannot be written: ")
    assert "Permission denied" in miss.stdout
