"""The modules that lie beside a notebook, found as an import would find them.

Nothing outside of the notebook's folder is looked at, and nothing is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

_LARGEST_BYTES = 1_000_000
_SUFFIXES = (".py", ".so", ".pyd")


class LocalModules:
    """Finds and reads modules in one folder.

    :param folder: the notebook's working directory; None where it is a temporary one.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder.resolve() if folder is not None else None
        self._written: dict[Path, str] = {}

    def find(self, name: str) -> Path | None:
        """Return the file of a module, or the folder of a package that has no file."""
        if self._folder is None:
            return None
        place = self._folder.joinpath(*name.split("."))
        for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if path in self._written or (path.is_file() and self._is_inside(path)):
                return path
        return place if place.is_dir() and self._is_inside(place) else None

    def find_script(self, name: str) -> Path | None:
        """Return the Python file that ``%run`` would run."""
        if self._folder is None or not name.endswith(".py"):
            return None
        path = self._folder / name
        return path if path in self._written or self._is_inside(path) else None

    def write(self, name: str, text: str) -> None:
        """Take note of a file that the notebook itself writes, perhaps only later on."""
        if self._folder is not None:
            path = self._folder / name
            self._written[path] = self._written.get(path, "") + "\n" + text

    def read(self, path: Path) -> str | None:
        """Return a module's text, and what the notebook writes to it; None if unreadable."""
        written = self._written.get(path)
        try:
            if path.stat().st_size > _LARGEST_BYTES:
                return None
            return path.read_text(encoding="utf-8-sig") + (written or "")
        except (OSError, ValueError):
            return written

    def _is_inside(self, path: Path) -> bool:
        return self._folder is not None and path.resolve().is_relative_to(self._folder)


def find_shadow(folder: Path, names: Iterable[str]) -> str:
    """Return a file that an import of a standard or named module would find before that."""
    hidden = sys.stdlib_module_names.union(names)
    try:
        with os.scandir(folder) as files:  # faster than Path.iterdir, for large folders
            found = sorted(file.name for file in files if file.name.partition(".")[0] in hidden)
    except OSError:
        return ""
    modules = (
        name
        for name in found
        if name.endswith(_SUFFIXES) or (folder / name / "__init__.py").exists()
    )
    return next(modules, "")
