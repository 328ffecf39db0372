"""Reads code for what its imports depend on: a stream of events in the order of execution.

What is not understood becomes an event as well, so that nobody counts on it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.running.preloading import code_words as words
from sphinx_nbcache.running.preloading.cell_code import (
    find_import_lines,
    parse_cell,
    parse_python,
    parse_statement,
)
from sphinx_nbcache.running.preloading.local_modules import LocalModules
from sphinx_nbcache.running.preloading.safe_list import list_prefixes

ANY_MODULE = "a module by a computed name"

_MOST_FILES = 200
_BLOCKS = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda),
    *(ast.If, ast.IfExp, ast.BoolOp, ast.Match, ast.Try, ast.TryStar),
    *(ast.For, ast.AsyncFor, ast.While),
)


@dataclass(frozen=True, slots=True)
class Import:
    """A module is imported that is not one of the standard library."""

    name: str
    is_certain: bool
    """Whether just here; otherwise perhaps, here or at any later time."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something is done after which an import may do something else; ``it`` does that."""

    what: str


@dataclass(frozen=True, slots=True)
class Look:
    """Something is done that shows which modules are there; ``it`` does that."""

    what: str


Event = Import | Change | Look


class CodeReader(ast.NodeVisitor):
    """Collects the events of cells, and of the modules beside the notebook they import."""

    def __init__(self, modules: LocalModules) -> None:
        self.events: list[Event] = []
        self._modules = modules
        self._followed: set[tuple[Path, bool]] = set()
        self._package: tuple[str, ...] = ()
        """The package of the module that is being read."""
        self._bound: dict[str, str] = {}
        """Names to the modules that they stand for."""
        self._depth = 0
        """How many blocks are around that are run later, or perhaps not at all."""

    def read_cell(self, source: str, place: str) -> None:
        """Read a cell; ``place`` says which for messages."""
        self._read(parse_cell(source), source, place)

    def _read(self, tree: ast.Module | None, source: str, place: str) -> None:
        if tree is not None:
            try:
                self.visit(tree)
                return
            except RecursionError:
                pass
        self._note_change(f"has code that cannot be read ({place})")
        with self._enter_block():
            for name in find_import_lines(source):
                self._note_import(name)

    # Imports

    def visit_Import(self, node: ast.Import) -> None:
        """Note ``import a.b as c``."""
        for alias in node.names:
            self._note_import(alias.name)
            top = alias.name.partition(".")[0]
            self._bound[alias.asname or top] = alias.name if alias.asname else top

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Note ``from a import b``."""
        above = self._package[: len(self._package) - node.level + 1] if node.level else ()
        base = ".".join([*above, *([node.module] if node.module else [])])
        self._note_import(base)
        for alias in node.names:
            name = f"{base}.{alias.name}".lstrip(".")
            if alias.name != "*":
                self._note_import(name)
                self._bound[alias.asname or alias.name] = name
            # Whether it is used, and as what, is not looked at: it may have another name.
            self._note_name(alias.name, base)

    def _note_import(self, name: str) -> None:
        top = name.partition(".")[0]
        if not top or top in words.PRESENT:
            return
        path = self._modules.find(top)
        if path is None or path.is_dir():  # a library comes before a folder that is no package
            self.events.append(Import(name, not self._depth))
        for prefix in list_prefixes(name):
            path = self._modules.find(prefix)
            if path is None:
                return
            if not path.is_dir():
                is_package = path.name == "__init__.py"
                self._follow(path, prefix if is_package else prefix.rpartition(".")[0])

    def _follow(self, path: Path, package: str) -> None:
        """Read a file beside the notebook in the place where it is imported."""
        if not self._followed.isdisjoint({(path, False), (path, bool(self._depth))}):
            return
        self._followed.add((path, bool(self._depth)))
        if len(self._followed) > _MOST_FILES:
            self._note_change("imports more modules beside it than can be read")
            return
        around = self._package, self._bound
        self._package, self._bound = tuple(filter(None, package.split("."))), {}
        source = self._modules.read(path)
        tree = None if source is None else parse_python(source)
        self._read(tree, source or "", path.name)
        self._package, self._bound = around

    # Blocks that are run later, or perhaps not at all

    def visit(self, node: ast.AST) -> None:
        """Visit a node, and remember that what is in a block is not certain to happen."""
        if not isinstance(node, _BLOCKS):
            super().visit(node)
            return
        with self._enter_block():
            super().visit(node)

    @contextmanager
    def _enter_block(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    # Names that tell

    def visit_Name(self, node: ast.Name) -> None:
        """Note a name that means something here."""
        self._note_name(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note an attribute that means something here, or imports what it names."""
        owner = self._bound.get(node.value.id, "") if isinstance(node.value, ast.Name) else ""
        self._note_name(node.attr, owner)
        if owner in words.LAZY and not node.attr.startswith("_"):
            self.events.append(Import(f"{owner}.{node.attr}", is_certain=False))
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Note texts such as those in ``patch.dict("os.environ")`` and ``!pip install``."""
        if not isinstance(node.value, str):
            return
        if words.CHANGES.get(node.value.rpartition(".")[2]) == words.ENVIRONMENT:
            self._note_change(words.ENVIRONMENT)
        if words.INSTALLATION.search(node.value):
            self._note_change(words.INSTALLS)

    def _note_name(self, name: str, owner: str = "") -> None:
        if name == "modules" and owner == "sys":
            self.events.append(Look("uses sys.modules"))
        elif name == "filters" and owner == "warnings":
            self.events.append(Look("lists the filters of warnings"))
        elif name in words.LOOKS:
            self.events.append(Look(words.LOOKS[name]))
        elif owner == "random" and name in words.SEEDS:
            self._note_change("seeds random numbers")
        elif name in words.CHANGES:
            self._note_change(words.CHANGES[name])

    def _note_change(self, what: str) -> None:
        self.events.append(Change(what))

    # Reading from what may also be changed

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Pass over ``os.environ["HOME"]`` where it is only read."""
        is_mapping = _get_name(node.value) in words.MAPPINGS
        if is_mapping and isinstance(node.ctx, ast.Load):
            self.visit(node.slice)
        else:
            self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Pass over ``"HOME" in os.environ``."""
        for part in (node.left, *node.comparators):
            if not _is_environment(part):
                self.visit(part)

    def visit_Dict(self, node: ast.Dict) -> None:
        """Pass over ``{**os.environ}``."""
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                self.visit(key)
            if key is not None or not _is_environment(value):
                self.visit(value)

    def visit_keyword(self, node: ast.keyword) -> None:
        """Pass over ``run(..., env=os.environ)``."""
        if node.arg != "env" or not _is_environment(node.value):
            self.visit(node.value)

    # Calls

    def visit_Call(self, node: ast.Call) -> None:
        """Note imports by function and magics; pass over calls that only read."""
        name, texts = _get_name(node.func), _get_texts(node)
        if name in ("__import__", "import_module"):
            self._note_import_call(texts)
        elif name in ("magic", "run_cell_magic", "run_line_magic"):
            self._note_magic_call(texts)
        elif _is_reading(node):
            for part in (*node.args, *node.keywords):
                if not _is_environment(part):
                    self.visit(part)
        else:
            self.generic_visit(node)

    def _note_import_call(self, texts: list[str] | None) -> None:
        if texts and not texts[0].startswith("."):
            self._note_import(texts[0])
        else:
            self.events.append(Import(ANY_MODULE, is_certain=False))

    def _note_magic_call(self, texts: list[str] | None) -> None:
        if not texts:
            self._note_change(words.FOREIGN_CODE)
        elif len(texts) == 3:
            self._note_cell_magic(*texts)
        else:
            name, _, line = " ".join(texts).strip().partition(" ")
            self._note_line_magic(name.lstrip("%"), line.strip())

    def _note_line_magic(self, name: str, line: str) -> None:
        if name in ("matplotlib", "pylab"):
            self._note_import("numpy")
            self._note_import("matplotlib.pyplot")
        elif name in ("env", "set_env"):
            if "=" in line or " " in line:
                self._note_change(words.ENVIRONMENT)
        elif name in ("load_ext", "reload_ext"):
            self._note_import(line)
        elif name in words.STATEMENT_MAGICS:
            self._note_statement(name, line)
        elif name == "run":
            self._note_script(line)
        elif name in words.CHANGING_MAGICS:
            self._note_change(words.CHANGING_MAGICS[name])
        elif words.INSTALLATION.search(line):
            self._note_change(words.INSTALLS)
        elif name not in words.HARMLESS_MAGICS:
            self._note_change(f"uses %{name}, which may do anything,")

    def _note_statement(self, magic: str, line: str) -> None:
        with self._enter_block():
            self._read(parse_statement(line), line, f"%{magic}")

    def _note_script(self, line: str) -> None:
        path = self._modules.find_script(line.rsplit(maxsplit=1)[-1] if line else "")
        if path is None:
            self._note_change(words.FOREIGN_CODE)
        else:
            self._follow(path, "")

    def _note_cell_magic(self, name: str, line: str, body: str) -> None:
        if name in words.PYTHON_CELLS:
            if name == "timeit":
                self._note_statement(name, line)
            self.read_cell(body, f"%%{name}")
        elif name in words.WRITING_CELLS:
            self._modules.write(line.rsplit(maxsplit=1)[-1] if line else "", body)
        elif name not in words.FOREIGN_CELLS:
            self._note_change(f"uses %%{name}, which may do anything,")
        elif words.INSTALLATION.search(body):
            self._note_change(words.INSTALLS)


def _get_name(node: ast.AST) -> str:
    """Return the last part of a dotted name, empty for other expressions."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _get_texts(node: ast.Call) -> list[str] | None:
    """Return the arguments of a call, or None where one of them is no plain text."""
    values = [item.value for item in node.args if isinstance(item, ast.Constant)]
    texts = [value for value in values if isinstance(value, str)]
    return texts if len(texts) == len(node.args) else None


def _is_environment(node: ast.AST) -> bool:
    return _get_name(node) == "environ"


def _is_reading(node: ast.Call) -> bool:
    """Return whether a call only reads: ``os.environ.get("A")``, ``dict(os.environ)``."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in words.READING_METHODS.get(_get_name(node.func.value), ())
    is_function = isinstance(node.func, ast.Name) and node.func.id in words.READING_FUNCTIONS
    return is_function and any(map(_is_environment, node.args))
