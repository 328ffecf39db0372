"""Who may import whom, read from the imports themselves; and what every file owes its reader."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sphinx_nbcache

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(sphinx_nbcache.__file__).parent
TOP = "(top)"
TIERS = {
    "errors": 0, "model": 0, "config": 0, "postponing": 0,
    "reading": 1, "keys": 1, "store": 1, "running": 1, "observing": 1,
    "pipeline": 2, "memo": 2,
    "sphinx_ext": 3, "cli": 3, "testing": 3,
    TOP: 4, "__main__": 4,
}  # fmt: skip
SIDEWAYS = {("config", "errors"), ("config", "model")}
"""The only imports between two parts of one tier: everything may raise our errors."""

HOMES = {
    # The package's own door names Sphinx's types, and only for the type checker.
    "sphinx": {"sphinx_ext", TOP},
    "docutils": {"sphinx_ext"},
    "myst_nb": {"sphinx_ext", "reading"},
    "myst_parser": {"sphinx_ext", "reading"},
    "nbclient": {"running"},
    "jupyter_client": {"running"},
    "ipykernel": {"running"},
    "IPython": {"memo"},
    "traitlets": {"running"},
    "zmq": {"running"},
    "loky": {"running"},
    "nbdime": {"pipeline"},
    "distributed": {"running"},
    "nbformat": {"reading", "running", "pipeline", "sphinx_ext"},
    "jupytext": {"reading"},
    "nbstripout": {"reading"},
    "sqlite3": {"store"},
    "zstandard": {"store"},
    "pyfastcdc": {"store"},
    "filelock": {"store"},
    "fsspec": {"store"},
    "click": {"cli", "sphinx_ext"},  # a directive runs click commands of anyone
    "rich": {"cli"},
    "blake3": {"memo"},
    "cloudpickle": {"memo"},
    "numpy": {"memo"},
    "pandas": {"memo"},
    "pyarrow": {"memo"},
    "PIL": {"memo"},
}
LONGEST_FILE = 450


@dataclass(frozen=True)
class Import:
    """One imported module, as seen from the module that imports it."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def _find_imports(name: str) -> Iterator[Import]:
    """Yield all imports of a module, also those inside functions and under TYPE_CHECKING."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative import"
            imported = [_resolve(node.module or "", alias.name) for alias in node.names]
        else:
            continue
        for module in dict.fromkeys(imported):
            yield Import(name, module, node.lineno)


def _resolve(package: str, name: str) -> str:
    """Return the module that ``from package import name`` reaches: itself, or one below."""
    module = f"{package}.{name}"
    is_shown = package in TREES and name in _list_bound(TREES[package])
    return module if module in FILES and not is_shown else package


def _list_bound(tree: ast.Module) -> set[str]:
    """Return the names that a door imports in order to show them."""
    froms = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return {alias.asname or alias.name for node in froms for alias in node.names}


IMPORTS = [found for name in FILES for found in _find_imports(name)]
OURS = [found for found in IMPORTS if found.imported.split(".")[0] == "sphinx_nbcache"]
FOREIGN = [found for found in IMPORTS if found.imported.split(".")[0] != "sphinx_nbcache"]


def _part(module: str) -> str:
    """Return the folder or top-level file that a module belongs to."""
    return ([*module.split("."), TOP])[1]


def _is_allowed(importer: str, imported: str) -> bool:
    if importer == imported or (importer, imported) in SIDEWAYS:
        return True
    return TIERS[importer] > TIERS[imported]


def test_every_part_of_the_package_has_a_tier() -> None:
    assert {_part(name) for name in FILES} <= TIERS.keys()


def test_imports_go_downwards_and_never_sideways() -> None:
    wrong = [i for i in OURS if not _is_allowed(_part(i.importer), _part(i.imported))]
    assert not wrong, "\n".join(map(str, wrong))


def test_the_model_and_the_errors_import_nothing_of_ours_from_outside() -> None:
    outside = [
        found
        for found in OURS
        if _part(found.importer) in {"model", "errors"}
        and _part(found.imported) not in {_part(found.importer), "errors"}
    ]
    assert not outside, "\n".join(map(str, outside))


def test_another_folder_is_imported_only_through_its_door() -> None:
    wrong = [
        found
        for found in OURS
        if _part(found.importer) != _part(found.imported) and found.imported.count(".") > 1
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_no_module_imports_itself_through_others() -> None:
    graph: dict[str, set[str]] = {name: set() for name in FILES}
    for found in OURS:
        graph[found.importer].add(found.imported)
    order = list(TopologicalSorter(graph).static_order())  # CycleError names the cycle
    assert set(order) == FILES.keys()


@pytest.mark.parametrize("library", HOMES)
def test_a_third_party_library_is_imported_only_in_its_home(library: str) -> None:
    wrong = [
        found
        for found in FOREIGN
        if found.imported.split(".")[0] == library and _part(found.importer) not in HOMES[library]
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_every_third_party_library_has_a_home() -> None:
    known = HOMES.keys() | sys.stdlib_module_names
    homeless = [found for found in FOREIGN if found.imported.split(".")[0] not in known]
    assert not homeless, "\n".join(map(str, homeless))


def test_the_package_alone_imports_nothing_heavy(run_python: RunPython) -> None:
    code = (
        "import sys, sphinx_nbcache\n"
        "heavy = {'sphinx', 'docutils', 'nbformat', 'zmq', 'click', 'jupyter_client', 'sqlite3'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    assert run_python(code).stdout.strip() == "[]"


_IMPORT_WITHOUT = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} is blocked")

blocked = sys.argv[1].split(",")
sys.meta_path.insert(0, Blocker())
for name in sys.argv[2].split(","):
    importlib.import_module(name)
assert not set(blocked) & sys.modules.keys()
"""


def _list_modules(*parts: str) -> str:
    return ",".join(name for name in FILES if _part(name) in parts)


def test_all_below_the_front_doors_imports_without_sphinx(run_python: RunPython) -> None:
    parts = [part for part, tier in TIERS.items() if tier < 3]
    blocked = "sphinx,docutils,myst_nb,myst_parser"
    result = run_python(_IMPORT_WITHOUT, blocked, _list_modules(*parts))
    assert result.returncode == 0, result.stderr


def test_keys_and_store_import_without_any_jupyter_package(run_python: RunPython) -> None:
    blocked = (
        "nbformat,nbclient,jupyter_client,jupyter_core,jupytext,ipykernel,IPython,traitlets,"
        "zmq,jupyter_cache,sphinx,docutils,myst_nb,myst_parser"
    )
    result = run_python(_IMPORT_WITHOUT, blocked, _list_modules("keys", "store"))
    assert result.returncode == 0, result.stderr


def test_the_fakes_import_without_sphinx_and_without_jupyter(run_python: RunPython) -> None:
    blocked = "sphinx,docutils,nbformat,nbclient,jupyter_client,jupytext,zmq"
    result = run_python(_IMPORT_WITHOUT, blocked, _list_modules("testing"))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", FILES)
def test_a_module_says_what_it_owns(name: str) -> None:
    assert ast.get_docstring(TREES[name])


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_short(name: str) -> None:
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) < LONGEST_FILE


Named = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _find_public(tree: ast.Module | ast.ClassDef) -> Iterator[Named]:
    for node in tree.body:
        if isinstance(node, Named) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _find_public(node)


@pytest.mark.parametrize("name", FILES)
def test_every_public_class_and_function_has_a_docstring(name: str) -> None:
    bare = [node.name for node in _find_public(TREES[name]) if not ast.get_docstring(node)]
    assert not bare


def test_every_name_that_a_door_shows_is_there() -> None:
    for name, path in FILES.items():
        if path.name == "__init__.py":
            module = importlib.import_module(name)
            assert [n for n in getattr(module, "__all__", ()) if not hasattr(module, n)] == []
