"""Code: what a compiled function does, and which global names it looks up.

Looks at compiled code, not at its text: comments, positions and doc strings are no part of
it, a function of a notebook or a shell has it, and it is what runs, even when the file has
been edited since. It differs between minor versions of Python.
"""

from __future__ import annotations

import dis
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_LOADS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_FILLING = frozenset({"CACHE", "PUSH_NULL", "PRECALL", "NOP", "EXTENDED_ARG"})
_INSTALLED = tuple(
    dict.fromkeys(
        str(Path(sysconfig.get_path(name)).resolve()) + "/"
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
    )
)
_OURS = str(Path(__file__).resolve().parents[1]) + "/"
_SITE_FOLDERS = ("/site-packages/", "/dist-packages/")
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Reference:
    """A global name, and the attributes that are taken of it one after another."""

    name: str
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """An import statement: how many packages upwards, the module, and what is taken of it."""

    level: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What a code object and those inside it do."""

    parts: tuple[Any, ...]
    """What tells it from others: numbers, texts, bytes and constants."""
    references: tuple[Reference, ...]
    """Sorted."""
    imports: tuple[Import, ...]
    """What is imported when it runs, sorted."""


_known: dict[int, tuple[CodeType, CodeFacts]] = {}


def describe_code(code: CodeType) -> CodeFacts:
    """Return what a code object does; remembered as long as the process lives."""
    known = _known.get(id(code))
    if known is None or known[0] is not code:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        known = _known[id(code)] = code, _describe(code)
    return known[1]


def _describe(code: CodeType) -> CodeFacts:
    references: set[Reference] = set()
    imports: set[Import] = set()
    for inner in _walk(code):
        references.update(_find_references(inner))
        imports.update(_find_imports(inner))
    order = sorted(references, key=lambda found: (found.name, found.attributes))
    return CodeFacts(_list_parts(code), tuple(order), tuple(sorted(imports)))


def _walk(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk(constant)


def _list_parts(code: CodeType) -> tuple[Any, ...]:
    constants: list[Any] = list(code.co_consts)
    if constants and isinstance(constants[0], str) and not _is_loaded(code, 0):
        constants[0] = None  # the doc string
    for number in _find_line_numbers(code):
        constants[number] = None
    return (
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & ~_DOCSTRING_FLAG,
        code.co_exceptiontable,
        tuple(_list_parts(c) if isinstance(c, CodeType) else c for c in constants),
    )


def _find_line_numbers(code: CodeType) -> Iterator[int]:
    """Yield the constants that tell where a class stands, from Python 3.13 on."""
    steps = list(dis.get_instructions(code))
    for before, step in pairwise(steps):
        if step.argval == "__firstlineno__" and before.opname == "LOAD_CONST":
            assert before.arg is not None
            yield before.arg


_DOCSTRING_FLAG = 0x4000000  # CO_HAS_DOCSTRING, from Python 3.13


def _is_loaded(code: CodeType, number: int) -> bool:
    """Return whether a constant is used by the code, not only kept as its doc string."""
    return any(
        step.opcode in dis.hasconst and step.arg == number for step in dis.get_instructions(code)
    )


def _find_references(code: CodeType) -> Iterator[Reference]:
    name: str | None = None
    attributes: list[str] = []
    for step in dis.get_instructions(code):
        if step.opname in _FILLING:
            continue
        if name is not None and step.opname in _ATTRIBUTES:
            attributes.append(str(step.argval))
            continue
        if name is not None:
            yield Reference(name, tuple(attributes))
        name = str(step.argval) if step.opname in _LOADS else None
        attributes = []
    if name is not None:
        yield Reference(name, tuple(attributes))


def _find_imports(code: CodeType) -> Iterator[Import]:
    steps = [step for step in dis.get_instructions(code) if step.opname not in _FILLING]
    for number, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level, names = (before.argval for before in steps[number - 2 : number])
            yield Import(int(level or 0), str(step.argval), tuple(names or ()))


@lru_cache(maxsize=_MOST_KNOWN)
def is_own_file(name: str | None) -> bool:
    """Return whether code of this file is the user's: neither Python's, nor installed, nor ours."""
    if not name or name.startswith("<frozen"):
        return False
    if name.startswith("<"):
        return True  # a shell, or text that was compiled
    path = str(Path(name).resolve())
    # An environment's folder may lie inside the standard library's, or the other way round.
    return not path.startswith((*_INSTALLED, _OURS)) and not any(
        folder in path for folder in _SITE_FOLDERS
    )


def is_own_module(module: ModuleType) -> bool:
    """Return whether a module is the user's."""
    if module.__name__ == "__main__":
        return True
    path = getattr(module, "__file__", None)
    if path is not None:
        return is_own_file(path)
    folders = list(getattr(module, "__path__", ()))
    return bool(folders) and all(is_own_file(f"{folder}/__init__.py") for folder in folders)


def is_own_class(kind: type) -> bool:
    """Return whether a class is the user's, or was made by a library at the user's request."""
    module = sys.modules.get(kind.__module__)
    if module is None or is_own_module(module):
        return True
    found: Any = module
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is not kind and not kind.__module__.startswith("builtins")
