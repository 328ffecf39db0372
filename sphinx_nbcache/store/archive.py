"""An archive: entries and their objects in one file, for another machine's cache.

A tar file (POSIX.1-2001) of files with the names that they have in a store. Nothing that
comes in is believed: names are checked before they become paths, objects against their
digests, entries against their seals.
"""

from __future__ import annotations

import io
import re
import secrets
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Entry
from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.files import write_atomically
from sphinx_nbcache.store.objects import Objects

ARCHIVE_FORMAT = 1
_FORMAT_NAME = "sphinx-nbcache"
_OBJECT = re.compile(r"objects/[0-9a-f]{2}/[0-9a-f]{62}(\.zst)?")
_ENTRY = re.compile(r"entries/[0-9a-f]{2}/[0-9a-f]{64}/[0-9a-f]{64}\.json")
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an archive brought."""

    entries: tuple[Entry, ...] = ()
    """Those that were not there before."""
    known: int = 0
    """Number of entries that were there already."""
    problems: tuple[str, ...] = ()
    """What was not taken, and why; sentences for people."""


def write_archive(target: Path, root: Path, paths: Iterable[Path]) -> None:
    """Write files of a store into an archive, whole or not at all.

    :param root: the store's folder.
    :param paths: files of objects and entries below it.

    Raises StoreError when the archive cannot be written.
    """
    draft = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    paths = list(paths)
    try:
        with tarfile.open(draft, "x", format=tarfile.PAX_FORMAT) as archive:
            _add_mark(archive, len(paths))
            for path in paths:
                name = path.relative_to(root).as_posix()
                archive.add(path, name, recursive=False, filter=_make_anonymous)
        draft.replace(target)
    except OSError as error:
        raise StoreError(target, f"cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _make_anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who made a file."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _add_mark(archive: tarfile.TarFile, number: int) -> None:
    """Begin with the format, and how many files follow: a tar file does not tell its end."""
    data = b"%d %d\n" % (ARCHIVE_FORMAT, number)
    info = tarfile.TarInfo(_FORMAT_NAME)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def read_archive(path: Path, *, entries: Entries, objects: Objects, tmp: Path) -> Imported:
    """Take the entries of an archive, and the objects that they need.

    Raises StoreError when the file is no archive of ours, or the store cannot be written.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            number = _require_mark(path, archive)
            return _take(archive, number, entries, objects, tmp)
    except tarfile.TarError as error:
        raise StoreError(path, f"is no archive of this tool: {error}") from error
    except OSError as error:
        raise StoreError(path, f"cannot be taken over: {error}") from error


def _require_mark(path: Path, archive: tarfile.TarFile) -> int:
    """Return how many files an archive has to have."""
    first = archive.next()
    file = None if first is None or first.name != _FORMAT_NAME else archive.extractfile(first)
    if file is None:
        raise StoreError(path, "is no archive of this tool")
    found, _, number = file.read(40).strip().decode("ascii", "replace").partition(" ")
    if found != str(ARCHIVE_FORMAT) or not number.isdecimal():
        raise StoreError(path, f"has format {found}, this version reads {ARCHIVE_FORMAT}")
    return int(number)


def _take(
    archive: tarfile.TarFile, number: int, entries: Entries, objects: Objects, tmp: Path
) -> Imported:
    """Take objects at once, and entries when all objects are there."""
    problems: list[str] = []
    waiting: list[Entry] = []
    seen = 0
    while (member := archive.next()) is not None:
        seen += 1
        file = archive.extractfile(member) if member.isfile() else None
        if file is not None and _OBJECT.fullmatch(member.name):
            problems += _take_object(member.name, file, objects, tmp)
        elif file is not None and _ENTRY.fullmatch(member.name):
            found = entries.parse(Path(member.name), file.read())
            if isinstance(found, Problem):
                problems.append(str(found))
            else:
                waiting.append(found)
        else:
            problems.append(f"{member.name}: is nothing that a cache holds; not taken")
    if seen < number:
        problems.append(f"the archive is damaged: it has {seen} of {number} files")
    new = [entry for entry in waiting if not entries.has(entry)]
    complete = [entry for entry in new if all(map(objects.has, entry.objects))]
    for entry in complete:
        entries.write(entry)
    lost = (entry for entry in new if entry not in complete)
    problems += (f"{entry.source}: an object of it is missing in the archive" for entry in lost)
    return Imported(
        entries=tuple(complete), known=len(waiting) - len(new), problems=tuple(problems)
    )


def _take_object(name: str, file: IO[bytes], objects: Objects, tmp: Path) -> Iterator[str]:
    """Put an object in its place unless it is there; yield what is wrong with it."""
    path = objects.folder.parent / name
    if objects.has(objects.get_digest(path)):
        return
    write_atomically(path, iter(lambda: file.read(_PIECE_BYTES), b""), tmp=tmp)
    if not objects.is_sound(path):
        path.unlink()
        yield f"{name}: damaged: its content does not fit its name; not taken"
