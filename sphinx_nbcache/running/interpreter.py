"""What this Python is, and where its libraries lie.

Imported by us, and run in kernels' interpreters, in which nothing of ours is installed: as a
text or by path, with the standard library only, in the syntax of Python 3.8. The tracer of a
kernel and whoever asks an interpreter without a kernel have to say the same.
"""

# pathlib is slow, and would show in the kernel.
# ruff: noqa: PTH117, PTH119, PTH120, PTH208
from __future__ import annotations

import os
import site
import sys

TYPE_CHECKING = False  # importing typing would show in the kernel's modules
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_SITE_NAMES = ("site-packages", "dist-packages")
_LIBRARY_NAMES = ("lib-dynload", "DLLs")


def describe_interpreter(path: Iterable[str]) -> dict[str, Any]:
    """Return the fields of an Interpreter, and the folders that decide whether they still hold.

    :param path: the module search path.
    """
    path = list(path)
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    libraries = [os.path.dirname(getattr(os, "__file__", ""))]
    libraries += (entry for entry in path if os.path.basename(entry) in _LIBRARY_NAMES)
    site_folders = find_site_folders(path)
    return {
        "implementation": sys.implementation.name,
        "version": sys.version.split()[0],
        "prefixes": _list_once(prefixes),
        "library_folders": _list_once(libraries),
        "site_folders": site_folders,
        "watched": _list_once([*site_folders, *_list_usual_site_folders()]),
    }


def find_site_folders(path: Iterable[str]) -> list[str]:
    """Return those folders of a module search path in which distributions are installed."""
    found = _list_once(entry for entry in path if os.path.isabs(entry) and _is_site_folder(entry))
    # setuptools puts copies of libraries, in a folder of its own, on the path: parts of it.
    return [entry for entry in found if not entry.startswith(tuple(f + os.sep for f in found))]


def _is_site_folder(folder: str) -> bool:
    if os.path.basename(folder) in _SITE_NAMES:
        return True
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:
        return False


def _list_usual_site_folders() -> list[str]:
    """Return where distributions may be installed later, though nothing is there now."""
    try:
        return [*site.getsitepackages(), site.getusersitepackages()]
    except AttributeError:  # environments of old versions of virtualenv
        return []


def _list_once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))


if __name__ == "__main__":
    import json

    sys.stdout.write("\n" + json.dumps(describe_interpreter(sys.path)) + "\n")
