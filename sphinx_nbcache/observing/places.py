"""Which paths are the project's or its data, and what they are called in entries.

A path below the project root is stored relative to it, so that an entry made in one
checkout holds in another; all others are absolute. What belongs to the system, to the
Python installation or to caches is not looked at. Nothing is opened here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from sphinx_nbcache.model import Interpreter
from sphinx_nbcache.observing.exclusions import is_excluded

# Where things of the system lie, and what programs leave for a while; not where we write.
_SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run",
    "/sbin", "/sys", "/usr", "/var/cache", "/var/lib", "/var/run", "/var/tmp", "/tmp",  # noqa: S108
    "/System", "/Library", "/private/etc", "/private/tmp", "/private/var",
)  # fmt: skip
_SYSTEM_VARIABLES = (
    "SYSTEMROOT", "PROGRAMDATA", "PROGRAMFILES", "APPDATA", "LOCALAPPDATA",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
    "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR",
    "MPLCONFIGDIR", "TMPDIR", "TEMP", "TMP",
)  # fmt: skip


class Places:
    """Tells what a path is to a project.

    :param ignored: folders whose content is made by builds: cache, output, doctrees.
    """

    def __init__(self, root: Path, ignored: Iterable[Path] = ()) -> None:
        self.root = root
        self._root = f"{root.as_posix().rstrip('/')}/"
        self._ignored = [_as_prefix(path) for path in ignored]
        named = (os.environ.get(name) for name in _SYSTEM_VARIABLES)
        folders = [*_SYSTEM, tempfile.gettempdir(), *(path for path in named if path)]
        self._system = tuple({_as_prefix(path) for path in folders} - {"/"})
        self._home = _as_prefix(Path.home())
        self._names: dict[str, str | None] = {}
        self._installed: dict[Interpreter, tuple[str, ...]] = {}

    def find_name(self, path: str, interpreter: Interpreter | None = None) -> str | None:
        """Return what a path is called in entries; None for what is not looked at.

        :param path: absolute.
        :param interpreter: the Python that opened it, whose own files do not count.
        """
        if interpreter is not None and self.is_installed(path, interpreter):
            return None
        if path not in self._names:
            self._names[path] = self._find_name(path)
        return self._names[path]

    def is_installed(self, path: str, interpreter: Interpreter) -> bool:
        """Return whether a path belongs to a Python installation."""
        if interpreter not in self._installed:
            self._installed[interpreter] = tuple(self._list_installed(interpreter))
        return _to_posix(path).startswith(self._installed[interpreter])

    def _list_installed(self, interpreter: Interpreter) -> Iterator[str]:
        """Yield the folders of a Python installation."""
        for folder in (*interpreter.library_folders, *interpreter.site_folders):
            yield _as_prefix(folder)
        # A root inside a prefix is a project all the same; a prefix inside a root is a venv.
        prefixes = map(_as_prefix, interpreter.prefixes)
        yield from (prefix for prefix in prefixes if not self._root.startswith(prefix))

    def locate(self, name: str) -> Path:
        """Return the path of a name that stands in an entry."""
        return self.root / name

    def is_ignored(self, path: str) -> bool:
        """Return whether builds make a path, or it holds what they make."""
        text = _as_prefix(path)
        return any(text.startswith(made) or made.startswith(text) for made in self._ignored)

    def _find_name(self, path: str) -> str | None:
        text = _to_posix(path)
        if not f"{text}/".startswith(self._root):
            # The same place, reached through a link: the folder of a kernel is resolved.
            folder, name = os.path.split(path)
            text = _to_posix(os.path.join(os.path.realpath(folder), name))  # noqa: PTH118
        if any(f"{text}/".startswith(made) for made in self._ignored):
            return None
        if f"{text}/" == self._root:
            return "."
        if text.startswith(self._root):
            name = text.removeprefix(self._root)
            return None if is_excluded(name) else name
        return None if self._is_foreign(text) else text

    def _is_foreign(self, text: str) -> bool:
        """Return whether a path outside the root is the system's or a cache."""
        if f"{text}/".startswith(self._system):
            return True
        return text.startswith(self._home) and text.removeprefix(self._home).startswith(".")


def _to_posix(path: str | Path) -> str:
    text = os.fspath(path)
    return text.replace(os.sep, "/") if os.sep != "/" else text


def _as_prefix(path: str | Path) -> str:
    return f"{_to_posix(path).rstrip('/')}/"
