"""The folder of a store: what marks it as one, and how it goes without taking others' files."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from sphinx_nbcache.store.files import write_atomically

STORE_FORMAT = 1
MARK = "FORMAT"
_OWN_FILES = (
    "index.sqlite",
    "index.sqlite-wal",
    "index.sqlite-shm",
    "project.json",
    "CACHEDIR.TAG",
    ".gitignore",
    ".gitattributes",
    MARK,
)
_OWN_FOLDERS = ("entries", "memos", "objects", "locks", "tmp")
# https://bford.info/cachedir/
_CACHEDIR_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This folder is a cache of sphinx-nbcache; it can be deleted at any time.\n"
)


def mark_folder(path: Path, *, tmp: Path) -> None:
    """Make a folder a cache that backup tools and git know as one."""
    write_atomically(path / "CACHEDIR.TAG", _CACHEDIR_TAG, tmp=tmp)
    write_atomically(path / ".gitignore", b"*\n", tmp=tmp)
    write_atomically(path / MARK, b"%d\n" % STORE_FORMAT, tmp=tmp)


def describe_foreign_format(place: str, found: str | None) -> str | None:
    """Return a notice when a place has a format that is not this version's.

    :param place: what it is called.
    :param found: its format; None where there is none yet.
    """
    if found in (None, str(STORE_FORMAT)):
        return None
    return (
        f"{place} has format {found}, this version writes format {STORE_FORMAT}: "
        "what it cannot read counts as not cached"
    )


def remove_folder(path: Path) -> None:
    """Remove a store with its folder, which stays if there is something of others in it."""
    # What says that it is a cache goes last: who is interrupted can go on.
    for name in _OWN_FOLDERS:
        if (path / name).exists():
            shutil.rmtree(path / name)
    for name in _OWN_FILES:
        (path / name).unlink(missing_ok=True)
    with suppress(OSError):
        path.rmdir()
