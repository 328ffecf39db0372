"""Sources of the user's modules that a function imports when it runs, with all they import.

Found by their places, without importing anything: a look at what counts runs no code.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import resolve_name
from pathlib import Path

from sphinx_nbcache.memo.code import Import, is_own_file


def read_sources(imports: Iterable[Import], package: str) -> list[tuple[str, bytes]]:
    """Return the names and texts of the user's modules that imports lead to, sorted.

    :param package: from which relative imports count; empty where there is none.
    """
    waiting = [(found, package) for found in imports]
    sources: dict[str, bytes] = {}
    while waiting:
        found, start = waiting.pop()
        for name in _list_names(found, start):
            path = None if name in sources else _find_file(name)
            if path is None or not is_own_file(str(path)):
                continue
            try:
                sources[name] = path.read_bytes()
            except OSError:
                continue
            inner = name if path.name == "__init__.py" else name.rpartition(".")[0]
            waiting += ((again, inner) for again in _read_imports(sources[name]))
    return sorted(sources.items())


def _list_names(found: Import, package: str) -> Iterator[str]:
    """Yield the modules that an import may lead to."""
    name = found.module
    if found.level:
        try:
            name = resolve_name("." * found.level + name, package)
        except ImportError:
            return
    parts = name.split(".") if name else []
    yield from (".".join(parts[: number + 1]) for number in range(len(parts)))
    yield from (f"{name}.{inner}" for inner in found.names)


def _find_file(name: str) -> Path | None:
    """Return the file of a module; None if there is none, or it is not text."""
    first, *rest = name.split(".")
    module = sys.modules.get(first)
    spec = getattr(module, "__spec__", None)
    if module is None:
        try:
            spec = PathFinder.find_spec(first)
        except (ImportError, ValueError):
            return None
    path = getattr(module, "__file__", None) or getattr(spec, "origin", None)
    folders = getattr(module, "__path__", None) or getattr(spec, "submodule_search_locations", None)
    if not rest:
        return Path(path) if path and str(path).endswith(".py") else None
    if path and not is_own_file(str(path)):
        return None  # all of an installed package is
    for folder in map(Path, folders or ()):
        place = folder.joinpath(*rest)
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


@lru_cache(maxsize=1000)
def _read_imports(text: bytes) -> tuple[Import, ...]:
    """Return what a module's text imports, anywhere in it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {Import(0, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.add(Import(node.level, node.module or "", names))
    return tuple(sorted(found))
