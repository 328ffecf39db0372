"""The modules that a notebook imported, and the files that they come from.

Part of the tracer: standard library only, in the syntax of Python 3.8.
"""

# pathlib is slow, and would show in the kernel.
# ruff: noqa: PTH110, PTH113, PTH120
from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing would show in the kernel's modules
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def list_modules(
    tracer: Any, interpreter: dict[str, Any]
) -> Iterator[tuple[str, str, str, tuple[int, ...] | None]]:
    """Yield name, file, importer and stamp of what was imported, also if it is gone again.

    What belongs to an installed package has no file of its own: there are many of them.

    :param interpreter: its description, which tells where packages are installed.
    """
    folders = interpreter["library_folders"] + interpreter["site_folders"]
    installed = tuple(name + os.sep for name in folders)
    sources = {
        _find_source(path): known
        for path, known in tracer.sources.items()
        if not path.startswith(installed)
    }
    gone = dict(sources)
    packages: set[str] = set()
    names = {name for name in list(sys.modules) if isinstance(name, str)} - tracer.before
    for name in sorted(names, key=lambda name: "." in name):
        module = sys.modules.get(name)
        if module is None:
            continue
        if name.partition(".")[0] in packages:
            yield name, "", "", None
            continue
        file = _find_file(module)
        file = file and _find_source(tracer.complete(file))
        if file.startswith(installed):
            packages.add(name)
        gone.pop(file, None)
        _, importer, stamp = sources.get(file, ("", "", None))
        importer = tracer.importers.get(name, importer)
        if file and not file.startswith(installed):
            file, stamp = _find_archive(file, stamp, tracer)
        yield name, file, _find_archive(importer, None, tracer)[0], stamp and stamp[:3]
    for file, (name, importer, stamp) in gone.items():
        yield name, file, _find_archive(importer, None, tracer)[0], stamp and stamp[:3]


def _find_archive(
    file: str, stamp: tuple[int, ...] | None, tracer: Any
) -> tuple[str, tuple[int, ...] | None]:
    """Return the archive that a file is in and how that looked; any other file as it is."""
    if os.path.exists(file):
        return file, stamp
    folder, below = os.path.dirname(file), file
    while folder != below and not os.path.exists(folder):
        folder, below = os.path.dirname(folder), folder
    if not os.path.isfile(folder):
        return file, stamp
    found = tracer.reads.get(folder)  # the import system opened it as any other program
    return folder, found[0] if found else None


def _find_source(file: str) -> str:
    """Return the source of a file of the bytecode cache; any other file as it is."""
    if not file.endswith(".pyc"):
        return file
    try:
        return str(sys.modules["_frozen_importlib_external"].source_from_cache(file))
    except (ValueError, NotImplementedError, LookupError):
        return file


def _find_file(module: Any) -> str:
    """Return the file of a module, without waking what loads itself at its first use."""
    try:
        names = object.__getattribute__(module, "__dict__")
        found = (getattr(names.get("__spec__"), "origin", None), names.get("__file__"))
    except Exception:  # noqa: BLE001 - anything can stand among the modules
        return ""
    for file in found:
        if isinstance(file, str) and (os.sep in file or file.endswith(".py")):
            return file
    return ""
