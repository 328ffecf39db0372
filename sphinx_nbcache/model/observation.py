"""An observation: what a kernel's tracer saw, as it saw it.

Paths are absolute paths of the machine that ran the notebook. What of it becomes an
input, under which name, is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

FileStamp = tuple[int, int, int]
"""Size, mtime in nanoseconds, and inode of a file."""


class Read(NamedTuple):
    """A file that was opened for reading before anything was written to it."""

    path: str
    stamp: FileStamp | None
    """How it looked when it was first opened; None where there was nothing."""
    digest: str | None = None
    """sha256 of what it held before the notebook itself changed it, where it did."""


class Listing(NamedTuple):
    """A folder whose names were read."""

    path: str
    names: tuple[str, ...] | None
    """What it held when it was first listed, sorted; None where there was no such folder."""


class Module(NamedTuple):
    """A module that was imported, its kernel's own not counted."""

    name: str
    file: str
    """Its source, or the library it is; empty where it has none."""
    importer: str
    """The source of the module that imported it first; empty for a cell and if unknown."""
    stamp: FileStamp | None = None
    """How its file looked when it was loaded; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python that a kernel runs in."""

    implementation: str
    """``sys.implementation.name``, such as ``cpython``."""
    version: str
    """Such as ``3.13.1``."""
    prefixes: tuple[str, ...] = ()
    """Where it is installed, and the virtual environment if it is one."""
    library_folders: tuple[str, ...] = ()
    """Where the standard library lies."""
    site_folders: tuple[str, ...] = ()
    """Where distributions are installed, in the order in which they are searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one run read, wrote and imported, up to its last cell."""

    interpreter: Interpreter
    reads: tuple[Read, ...] = ()
    writes: tuple[str, ...] = ()
    """Files that were opened for writing, renamed, linked or removed."""
    listings: tuple[Listing, ...] = ()
    modules: tuple[Module, ...] = ()
    notes: tuple[str, ...] = ()
    """What makes it more than its inputs: ``network``, ``processes``."""
