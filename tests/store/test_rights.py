"""A store in a folder that may only be read, or not even that."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sphinx_nbcache.store import Store
from tests.conftest import DROP_PRIVILEGES
from tests.store.samples import fill

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders are read-only on POSIX only")

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

PREPARE = (
    DROP_PRIVILEGES
    + """
import sys
from pathlib import Path
import filelock, sqlite3, zstandard
from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.store import News, Store
from tests.store.samples import make_entry, make_key, make_outputs
store = Store(Path(sys.argv[1]))
drop_privileges()
"""
)


@pytest.fixture
def folder(open_folder: Path) -> Iterator[Path]:
    """Return a store's folder with one entry, which only its owner may write."""
    store = Store(open_folder / "cache")
    (entry,) = fill(store, "a")
    store.index.note_run(entry)
    with read_only(store.path, 0o555):
        yield store.path


class read_only:  # noqa: N801 - used like a function
    """Take rights on all folders below one away for a while."""

    def __init__(self, folder: Path, mode: int) -> None:
        self.folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        self.mode = mode

    def __enter__(self) -> None:
        """Take them."""
        for path in reversed(self.folders):
            path.chmod(self.mode)

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for path in self.folders:
            path.chmod(0o755)


def test_what_is_stored_can_be_read(folder: Path, run_python: RunPython) -> None:
    code = PREPARE + (
        "(entry,), problems = store.find_entries(make_key('a'))\n"
        "assert not problems\n"
        "assert store.load_outputs(entry.outputs)\n"
        "assert store.verify() == []\n"
        "assert store.index.find_seconds() == {'a.ipynb': 2.0}\n"
    )
    result = run_python(code, folder)
    assert result.returncode == 0, result.stderr


def test_writing_is_a_store_error_that_says_why(folder: Path, run_python: RunPython) -> None:
    code = PREPARE + (
        "for write in (lambda: store.save_outputs(make_outputs()),\n"
        "              lambda: store.save_entry(make_entry('1' * 64)),\n"
        "              lambda: store.try_claim(make_key())):\n"
        "    try:\n"
        "        write()\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
    )
    result = run_python(code, folder)
    lines = result.stdout.splitlines()
    assert len(lines) == 3, result.stderr
    assert all(line.startswith(f"cache {folder}: cannot be written: ") for line in lines)
    assert all("Permission denied" in line for line in lines)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100], ids=["empty", "garbage"])
def test_an_index_that_can_be_neither_read_nor_removed_is_no_error(
    open_folder: Path, run_python: RunPython, content: bytes
) -> None:
    store = Store(open_folder / "cache")
    fill(store, "a")
    (store.path / "index.sqlite").write_bytes(content)
    code = PREPARE + (
        "store.index.note_run(make_entry('1' * 64))\n"
        "news = News(uses=(make_key(),), findings={'text': 'finding'}, has_run=True)\n"
        "store.note_build(news)\n"
        "assert store.index.find_seconds() == {}\n"
    )
    with read_only(store.path, 0o555):
        result = run_python(code, store.path)
    assert result.returncode == 0, result.stderr


def test_a_folder_that_may_not_be_read_is_a_store_error(
    open_folder: Path, run_python: RunPython
) -> None:
    store = Store(open_folder / "cache")
    fill(store, "a")
    code = PREPARE + (
        "try:\n    store.describe_foreign_format()\nexcept StoreError as error:\n    print(error)"
    )
    with read_only(store.path, 0o700 if os.geteuid() == 0 else 0):
        result = run_python(code, store.path)
    assert "cannot be read" in result.stdout, result.stderr
