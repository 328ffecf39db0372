"""What a cell may change without naming it.

These are variables that its functions use, what functions and classes keep inside themselves,
and other variables that hold the same object.
"""

from __future__ import annotations

import functools
import gc
import logging
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sphinx_nbcache.errors import NotMemoizableError
from sphinx_nbcache.memo.code import describe_code
from sphinx_nbcache.memo.content import digest_values

_CODE = (types.FunctionType, types.BuiltinFunctionType, type, property, staticmethod, classmethod)
_NOT_ENTERED = (types.ModuleType, type, logging.Logger, logging.Manager, types.FrameType)
_NO_STATE = frozenset({"__wrapped__", "__dict__", "__weakref__", "__doc__", "__module__"})


@dataclass(slots=True)
class Reach:
    """What code of the notebook uses that a cell's text does not show."""

    names: set[str] = field(default_factory=set)
    """Variables of the notebook."""
    inner: dict[str, list[Callable[[], Any]]] = field(default_factory=dict)
    """What functions and classes keep inside, as people call it, to what reads it."""
    codes: list[types.CodeType] = field(default_factory=list)
    """Of the functions."""


def find_reach(variables: Mapping[str, Any], names: Iterable[str]) -> Reach:
    """Return what the functions and classes in some variables use in turn."""
    reach, done = Reach(), set[int]()
    todo = [(name, variables[name]) for name in names if name in variables]
    while todo:
        label, value = todo.pop()
        if id(value) in done:
            continue
        done.add(id(value))
        todo += _follow(reach, variables, label, value)
    return reach


def _follow(
    reach: Reach, variables: Mapping[str, Any], label: str, value: Any
) -> Iterator[tuple[str, Any]]:
    """Note what one value uses, and yield what is to be looked at in turn."""
    if isinstance(value, types.FunctionType):
        if value.__globals__ is variables:
            reach.codes.append(value.__code__)
            _note_inner(reach, label, functools.partial(_read_function, value))
            used = {found.name for found in describe_code(value.__code__).references}
            reach.names |= used & variables.keys()
            yield from ((name, variables[name]) for name in used & variables.keys())
            yield from ((label, content) for content in _list_contents(value))
    elif isinstance(value, type):
        if value.__module__ == "__main__":
            _note_inner(reach, label, functools.partial(_read_class, value))
            for part in vars(value).values():
                yield from ((label, inner) for inner in _list_functions(part))
            yield from ((kind.__name__, kind) for kind in value.__bases__)
    elif isinstance(value, types.MethodType | functools.partial):
        owner = value.__self__ if isinstance(value, types.MethodType) else None
        function = value.__func__ if isinstance(value, types.MethodType) else value.func
        yield from ((label, owner), (label, function))
    else:
        yield type(value).__name__, type(value)
        wrapped = getattr(value, "__wrapped__", None)
        if isinstance(wrapped, types.FunctionType):
            yield label, wrapped


def _note_inner(reach: Reach, label: str, read: Callable[[], Any]) -> None:
    reach.inner.setdefault(f"what {label} keeps", []).append(read)


def _list_functions(part: Any) -> list[Any]:
    found = getattr(part, "__func__", part)
    if isinstance(found, property):
        return [found.fget, found.fset]
    return [getattr(found, "func", found)] if callable(getattr(found, "func", found)) else []


def _list_contents(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # not bound yet
            yield cell.cell_contents


def _read_function(function: types.FunctionType) -> Any:
    attributes = {name: item for name, item in vars(function).items() if name not in _NO_STATE}
    contents = [item for item in _list_contents(function) if not isinstance(item, _CODE)]
    return function.__defaults__, function.__kwdefaults__, contents, attributes


def _read_class(kind: type) -> Any:
    return {
        name: item
        for name, item in vars(kind).items()
        if not isinstance(item, _CODE) and not name.startswith(("__", "_abc_"))
    }


def digest_inner(reach: Reach) -> dict[str, str]:
    """Return the digests of what functions and classes keep now; without what has none."""
    digests = {}
    for label, reads in reach.inner.items():
        with suppress(NotMemoizableError):
            digests[label] = digest_values({label: [read() for read in reads]})
    return digests


def find_sharing(variables: Mapping[str, Any], changed: Iterable[str]) -> set[str]:
    """Return the variables that hold an object which one of the changed ones is or holds."""
    objects: set[int] = set()
    for name in changed:
        objects |= _find_objects(variables[name], variables)
    if not objects:
        return set()
    return {name for name, value in variables.items() if objects & _find_objects(value, variables)}


def _find_objects(value: Any, variables: Mapping[str, Any]) -> set[int]:
    """Return the identities of the objects in a value that can be changed, perhaps."""
    found, todo = {id(variables)}, [value]
    while todo:
        item = todo.pop()
        if id(item) in found or not _is_entered(item):
            continue
        found.add(id(item))
        if isinstance(item, types.FunctionType):
            inside = [*_list_contents(item), item.__defaults__, vars(item)]
        elif _is_array(item):
            inside = [getattr(item, "base", None)]  # a view of another one
        else:
            inside = gc.get_referents(item)
        todo += [part for part in inside if gc.is_tracked(part) or _is_array(part)]
    return found - {id(variables)}


def _is_array(item: Any) -> bool:
    return type(item).__module__ == "numpy"


def _is_entered(item: Any) -> bool:
    is_of_the_shell = type(item).__module__.startswith(("IPython", "ipykernel"))
    is_plain = isinstance(item, int | float | str | bytes | types.NoneType)
    return not (is_of_the_shell or is_plain or isinstance(item, _NOT_ENTERED))
