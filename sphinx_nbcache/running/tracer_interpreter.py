"""The interpreter that a kernel runs in, and the folders of its libraries.

Part of the tracer: standard library only, in the syntax of Python 3.8.
"""

# pathlib is slow, and would show in the kernel.
# ruff: noqa: PTH118, PTH119, PTH120, PTH208
from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing would show in the kernel's modules
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


def describe_interpreter(
    search_path: Iterable[str], complete: Callable[[str], str]
) -> dict[str, Any]:
    """Return what the interpreter is, and the folders of its libraries.

    :param search_path: where modules are searched, besides the present search path.
    :param complete: makes a path absolute.
    """
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    folders = dict.fromkeys(
        complete(item) for item in [*sys.path, *search_path] if isinstance(item, str)
    )
    version = "python%d.%d" % sys.version_info[:2]  # noqa: UP031
    library = getattr(sys, "platlibdir", "lib")
    libraries = [
        os.path.dirname(os.__file__),
        os.path.join(sys.base_exec_prefix, library, version),
        *(name for name in folders if os.path.basename(name) in ("lib-dynload", "DLLs")),
    ]
    return {
        "implementation": sys.implementation.name,
        "version": "%d.%d.%d" % sys.version_info[:3],  # noqa: UP031
        "prefixes": list(dict.fromkeys(map(complete, prefixes))),
        "library_folders": list(dict.fromkeys(map(complete, libraries))),
        "site_folders": [name for name in folders if _has_distributions(name)],
    }


def _has_distributions(folder: str) -> bool:
    if os.path.basename(folder) in ("site-packages", "dist-packages"):
        return True
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:
        return False
