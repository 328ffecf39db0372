"""What a memoized cell imports: the user's modules with all they import, and packages."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from sphinx_nbcache.memo.code import is_own_module
from sphinx_nbcache.observing import Packages

_SITE_FOLDERS = frozenset({"site-packages", "dist-packages"})


def make_importer(tree: ast.Module) -> types.FunctionType:
    """Return a function that would do a cell's imports: its digest knows the user's modules."""
    code = compile(ast.Module(_list_imports(tree), []), "<cell>", "exec", dont_inherit=True)
    return types.FunctionType(code, {})


def find_packages(tree: ast.Module, values: Iterable[Any]) -> dict[str, str]:
    """Return the versions of the distributions that a cell imports or has values of."""
    modules = {*list_imported(tree), *map(_find_module, values)}
    folders = tuple(path for path in sys.path if Path(path).name in _SITE_FOLDERS)
    packages = _open_packages(folders)
    owners = (packages.find_owner(name, "") for name in modules)
    return dict(sorted(filter(None, owners)))


def list_imported(tree: ast.Module) -> set[str]:
    """Return the modules that a cell may import; some of them may be no modules."""
    found = set()
    for node in _list_imports(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found - {""}


def find_own_sources(names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yield the files of the user's modules of these names, and of all that they use in turn.

    :param known: modules that were there before the cell ran; later ones count in any case.
    """
    todo = {*names, *(sys.modules.keys() - {*known})}
    done: set[str] = set()
    while todo:
        name = todo.pop()
        module = sys.modules.get(name)
        if name in done or not isinstance(module, types.ModuleType) or not is_own_module(module):
            continue
        done.add(name)
        path = getattr(module, "__file__", None)
        if path and name != "__main__":
            yield path
        todo |= {*map(_find_module, list(vars(module).values()))}
        todo |= {name.rpartition(".")[0]} - {""}


def _list_imports(tree: ast.Module) -> list[ast.stmt]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and getattr(node, "module", None) != "__future__"
    ]


def _find_module(value: Any) -> str:
    """Return the module that a value is, or comes from."""
    is_module = isinstance(value, types.ModuleType)
    name = value.__name__ if is_module else getattr(value, "__module__", None)
    return name if isinstance(name, str) else type(value).__module__


@lru_cache(maxsize=4)
def _open_packages(folders: tuple[str, ...]) -> Packages:
    return Packages(folders)
