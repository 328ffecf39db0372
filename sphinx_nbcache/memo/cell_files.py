"""Files and folders that a memoized cell uses: its result holds while they do.

What is opened or listed is seen by an audit hook, so not what C libraries and other processes
open; of these only the files count that stand in their command.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from sphinx_nbcache.config import find_project_root
from sphinx_nbcache.memo.cell_imports import find_own_sources
from sphinx_nbcache.memo.code import is_own_file
from sphinx_nbcache.memo.opening import get_engine
from sphinx_nbcache.model import digest_json
from sphinx_nbcache.observing import Digests, Places

_ABSENT = ""
_WORD = re.compile(r"[^\s'\"|&;<>()$`]+")
_FOLDER = "/"
_CACHES = frozenset({"__pycache__", ".ipynb_checkpoints", ".nbcache"})
"""Folders that come without anybody's doing."""
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

    @classmethod
    def note_name(cls, path: Any, *, is_writing: bool, is_folder: bool = False) -> None:
        """Note that a folder is listed, or that a file or folder gets or loses its name.

        :param is_folder: only that this folder exists counts, not what is in it.
        """
        if cls._listening and isinstance(path, str | bytes | os.PathLike):
            name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - quick, and links stay
            for files in cls._listening:
                files.note(name + _FOLDER * is_folder, is_writing=is_writing)

    @classmethod
    def note_command(cls, words: Any, folder: Any) -> None:
        """Note the files that stand in a command which another process runs."""
        if not cls._listening:
            return
        texts = [words] if isinstance(words, str | bytes | os.PathLike) else list(words or ())
        start = os.fsdecode(folder or os.curdir)
        for text in map(os.fsdecode, texts):
            for word in {text, *_WORD.findall(text)}:
                path = os.path.join(start, word)  # noqa: PTH118
                if word and os.path.isfile(path):  # noqa: PTH113
                    cls.note_name(path, is_writing=False)

    def note(self, path: str, *, is_writing: bool) -> None:
        """Note a file or folder."""
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
        paths = {*opened, *sources}
        folders = {path for path in paths if path.endswith(_FOLDER)}
        made = (places.find_name(path.removesuffix(_FOLDER)) for path in folders)
        found = (places.find_name(path) for path in paths - folders)
        return find_states(
            sorted({*filter(None, found), *(name + _FOLDER for name in made if name)})
        )

    def find_changed(self) -> str | None:
        """Return a file that was first read and then written: what it held is not known."""
        names = map(_find_places().find_name, sorted(self._changed))
        return next(filter(None, names), None)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    match event:
        case "open":
            CellFiles.note_open(*arguments)
        case "os.listdir" | "os.scandir" if not _is_importing():
            CellFiles.note_name(arguments[0] or os.curdir, is_writing=False)
        case "os.mkdir" | "os.rmdir":
            CellFiles.note_name(arguments[0], is_writing=True, is_folder=True)
        case "os.remove" | "os.truncate":
            CellFiles.note_name(arguments[0], is_writing=True)
        case "os.rename" | "os.link" | "os.symlink":
            for path in arguments[:2]:
                CellFiles.note_name(path, is_writing=True)
        case "subprocess.Popen":
            CellFiles.note_command(arguments[1], arguments[2])
        case "os.system":
            CellFiles.note_command(arguments[0], None)


def _is_importing() -> bool:
    """Return whether Python itself looks into a folder, for modules."""
    caller = sys._getframe(2)  # noqa: SLF001 - there is no other way
    return caller.f_code.co_filename.startswith("<frozen importlib")


def find_states(names: Iterable[str]) -> dict[str, str]:
    """Return what files hold now, as digests."""
    places, digests = _find_places(), Digests({})
    states = {}
    for name in names:
        path = places.locate(name)
        if name.endswith(_FOLDER):
            states[name] = _FOLDER if path.is_dir() else _ABSENT
            continue
        states[name] = digests.find(name, str(path)) or _digest_folder(path)
        if not states[name]:
            # Seen by whoever looks what this notebook reads.
            with suppress(OSError), path.open("rb"):
                pass
    return states


def _digest_folder(path: Path) -> str:
    """Return a digest of the names in a folder; it is read, so whoever looks on sees it."""
    try:
        names = os.listdir(path)  # noqa: PTH208 - audited under this name
    except OSError:
        return _ABSENT
    return digest_json(sorted(set(names) - _CACHES))


def find_difference(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names whose states differ."""
    return sorted(name for name in before if before[name] != now.get(name))


def find_folder() -> str:
    """Return the working directory as seen from the project's root: relative paths begin there."""
    folder = Path.cwd().resolve()
    return folder.relative_to(find_project_root(folder)).as_posix()


def _find_places() -> Places:
    return Places(find_project_root(Path.cwd()), [get_engine().store.path])
