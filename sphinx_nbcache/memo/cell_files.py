"""Files that a memoized cell reads, writes or imports from: its result holds while they do.

What is opened is seen by an audit hook, so not what C libraries and other processes open.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from sphinx_nbcache.config import find_project_root
from sphinx_nbcache.memo.cell_imports import find_own_sources
from sphinx_nbcache.memo.code import is_own_file
from sphinx_nbcache.memo.opening import get_engine
from sphinx_nbcache.observing import Digests, Places

_ABSENT = ""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


class CellFiles:
    """The project's files that were opened while it listened."""

    _listening: ClassVar[list[CellFiles]] = []
    """Audit hooks stay for ever, so there is one for all."""
    _is_hooked: ClassVar[bool] = False

    def __init__(self) -> None:
        self._opened: dict[str, bool] = {}
        """Path to whether it was to be written when it was opened first."""
        self._changed: set[str] = set()
        """What was read before it was written."""
        self._modules = frozenset(sys.modules)

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Note which files are opened, to the end of the block."""
        if not CellFiles._is_hooked:
            CellFiles._is_hooked = True
            sys.addaudithook(_on_event)
        CellFiles._listening.append(self)
        try:
            yield
        finally:
            CellFiles._listening.remove(self)

    @classmethod
    def note_open(cls, path: Any, mode: Any, flags: Any) -> None:
        """Note that a file is being opened."""
        if cls._listening and isinstance(path, str | bytes | os.PathLike):
            name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - quick, and links stay
            is_writing = set(mode) & set("wax+") if isinstance(mode, str) else flags & _WRITING
            for files in cls._listening:
                files.note(name, is_writing=bool(is_writing))

    def note(self, path: str, *, is_writing: bool) -> None:
        """Note a file."""
        was_writing = self._opened.setdefault(path, is_writing)
        if is_writing and not was_writing:
            self._changed.add(path)

    def find_states(self, imported: Iterable[str]) -> dict[str, str]:
        """Return the names of the files with what they hold now.

        :param imported: names of modules whose files count, too.
        """
        places = _find_places()
        opened = [path for path in self._opened if is_own_file(path)]
        sources = find_own_sources(imported, self._modules)
        found = (places.find_name(path) for path in (*opened, *sources))
        return find_states(sorted({name for name in found if name}))

    def find_changed(self) -> str | None:
        """Return a file that was first read and then written: what it held is not known."""
        names = map(_find_places().find_name, sorted(self._changed))
        return next(filter(None, names), None)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        CellFiles.note_open(*arguments)


def find_states(names: Iterable[str]) -> dict[str, str]:
    """Return what files hold now, as digests."""
    places, digests = _find_places(), Digests({})
    states = {}
    for name in names:
        path = places.locate(name)
        states[name] = digests.find(name, str(path)) or _ABSENT
        if not states[name]:
            # Seen by whoever looks what this notebook reads.
            with suppress(OSError), path.open("rb"):
                pass
    return states


def find_difference(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names whose states differ."""
    return sorted(name for name in before if before[name] != now.get(name))


def find_folder() -> str:
    """Return the working directory as seen from the project's root: relative paths begin there."""
    folder = Path.cwd().resolve()
    return folder.relative_to(find_project_root(folder)).as_posix()


def _find_places() -> Places:
    return Places(find_project_root(Path.cwd()), [get_engine().store.path])
