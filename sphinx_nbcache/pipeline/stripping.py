"""Notebook files without their outputs, in place: which ones, and that none is ever torn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.errors import NotebookNotFoundError, NotebookReadError
from sphinx_nbcache.pipeline.files import walk
from sphinx_nbcache.reading import StripRules, read_bytes, strip_bytes
from sphinx_nbcache.store import place_atomically, take_stamp

_SUFFIX = ".ipynb"


@dataclass(frozen=True, slots=True)
class Stripped:
    """What became of one file."""

    path: Path
    """As it was named, or below the folder that was named."""
    has_changed: bool = False
    """Whether outputs were taken out, or would be."""
    problem: str = ""
    """Why it was left alone, if so."""


def find_strippable(paths: Iterable[Path]) -> list[Path]:
    """Return the files that paths name, and the ``.ipynb`` files below folders, each once.

    Raises NotebookNotFoundError.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise NotebookNotFoundError(path)
        files = walk(path, suffixes=[_SUFFIX]) if path.is_dir() else [path]
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def strip_files(
    paths: Iterable[Path], rules: StripRules, *, is_dry: bool = False
) -> Iterator[Stripped]:
    """Take outputs out of files, one after another; those that have none are not written.

    :param is_dry: only say what would be done.

    Raises MissingExtraError.
    """
    for path in paths:
        try:
            yield Stripped(path, _strip_file(path.resolve(), rules, is_dry=is_dry))
        except NotebookReadError as error:
            yield Stripped(path, problem=f"cannot be read as a notebook: {error.reason}")
        except _WriteError as error:
            yield Stripped(path, problem=str(error))


class _WriteError(Exception):
    """A file could not be written, and is as it was."""


def _strip_file(path: Path, rules: StripRules, *, is_dry: bool) -> bool:
    """Strip a file; return whether there was something to strip."""
    stamp = take_stamp(str(path))
    data = read_bytes(path)
    stripped = strip_bytes(path, data, rules)
    if stripped != data and not is_dry:
        _write(path, stripped, stamp)
    return stripped != data


def _write(path: Path, data: bytes, stamp: object) -> None:
    def confirm() -> None:
        if take_stamp(str(path)) != stamp:
            raise _WriteError("another program has just changed it; strip it again")

    try:
        mode = path.stat().st_mode
        place_atomically(path, [data], mode=mode, confirm=confirm, is_flushed=True)
    except OSError as error:
        raise _WriteError(f"cannot be written: {error.strerror or error}") from error
