"""Content: one digest for what a value holds, whatever object holds it.

Equal values give equal digests in every process and on every machine: neither the order of
a dict or set, nor how an array lies in memory, nor which objects are shared counts. A
function counts by its code and by what it uses of the user's own code and globals.
"""

from __future__ import annotations

import array
import enum
import functools
import inspect
import io
import math
import pickle
import re
import sys
import types
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from copyreg import dispatch_table
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

from sphinx_nbcache.errors import NotMemoizableError
from sphinx_nbcache.memo.definitions import (
    BUILT_IN,
    Called,
    describe_type,
    put_called,
    put_class,
    put_compiled,
    put_function,
    put_method,
    put_module,
    put_named,
)
from sphinx_nbcache.memo.writer import NoContentError, Write, Writer


def digest_values(values: Mapping[str, Any]) -> str:
    """Return the digest of named values as 64 lower-case hexadecimal digits.

    :param values: name, as people know it, to value; the names count, their order does not.

    Raises NotMemoizableError, with the name, for what has no content that lasts.
    """
    writer = Writer(_WRITERS)
    for name in sorted(values):
        writer.put_text("n", name)
        try:
            writer.put(values[name])
        except NoContentError as error:
            raise NotMemoizableError(name, str(error)) from error.__cause__
        except RecursionError as error:
            raise NotMemoizableError(name, "it is nested too deeply") from error
        except Exception as error:  # an object may raise anything when it is taken apart
            reason = f"its content cannot be read ({type(error).__name__}: {error})"
            raise NotMemoizableError(name, reason) from error
    return writer.finish()


def _put_float(writer: Writer, value: float) -> None:
    writer.put_text("f", "nan" if math.isnan(value) else value.hex())


def _put_complex(writer: Writer, value: complex) -> None:
    writer.put_text("c", "")
    _put_float(writer, value.real)
    _put_float(writer, value.imag)


def _put_dict(writer: Writer, value: dict[Any, Any]) -> None:
    if set(map(type, value)) in _SORTABLE:
        writer.put_inside(value, lambda inside: _put_sorted(inside, value))
    else:
        writer.put_inside(value, lambda inside: inside.put_unordered("d", value.items()))


def _put_sorted(writer: Writer, value: dict[Any, Any]) -> None:
    """Write a dict whose keys have an order of their own: quicker than one hash for each."""
    names = sorted(value)
    writer.put_list("D", names)
    writer.put_list("D", [value[name] for name in names])


def _put_set(writer: Writer, value: set[Any] | frozenset[Any]) -> None:
    tag = "S" if isinstance(value, set) else "Z"
    if set(map(type, value)) in _SORTABLE:
        writer.put_list(tag, sorted(value))
    else:
        parts = ((item,) for item in value)
        writer.put_inside(value, lambda inside: inside.put_unordered(tag, parts))


def _put_as(tag: str, take_apart: Callable[[Any], Any]) -> Write:
    """Return what writes a value as a plainer one, under a name of its own."""

    def write(writer: Writer, value: Any) -> None:
        writer.put_text("as", tag)
        writer.put(take_apart(value))

    return write


def _put_text_as(tag: str, describe: Callable[[Any], str]) -> Write:
    """Return what writes a value as the text that tells it from all others of its type."""
    return lambda writer, value: writer.put_text(tag, describe(value))


def _put_moment(writer: Writer, value: datetime | time) -> None:
    if value.tzinfo is None:
        writer.put_text("dt", f"{value.isoformat()}{value.fold}")
    else:
        _put_inside(writer, value)  # a time zone is an object of its own kind


def _put_path(writer: Writer, value: PurePath) -> None:
    # Path and PosixPath are one on the machine that has them; the text is what counts.
    writer.put_text("p", value.as_posix())


def _put_packed(writer: Writer, value: array.array[Any]) -> None:
    writer.put_text("a", value.typecode)
    writer.put_list("a", value.tolist())


def _put_reduced(writer: Writer, value: Any) -> None:
    """Write an object as pickle would take it apart."""
    kind = type(value)
    _refuse_what_runs(value)
    if kind is _CACHE or (kind.__module__.startswith("numpy") and hasattr(value, "__wrapped__")):
        writer.put(value.__wrapped__)  # a cache around a function, or what finds one by type
        return
    if isinstance(value, set | frozenset):
        put_class(writer, kind)
        writer.put_unordered("S", ((item,) for item in value))
        writer.put(getattr(value, "__dict__", None))
        return
    try:
        reduce = dispatch_table.get(kind)
        parts = reduce(value) if reduce is not None else value.__reduce_ex__(4)
    except Exception as error:
        raise NoContentError(f"{describe_type(kind)} has no content that can be read") from error
    put_class(writer, kind)
    if isinstance(parts, str):
        writer.put_text("g", _find_place(value, parts))
        return
    made: tuple[Any, ...] = (*parts, None, None, None)
    make, arguments, state, items, pairs = made[:5]
    if isinstance(state, dict):
        state = {name: item for name, item in state.items() if not _is_remembered(kind, name)}
    writer.put((make, arguments, state))
    writer.put(None if items is None else list(items))
    if pairs is not None and issubclass(kind, dict) and not issubclass(kind, OrderedDict):
        writer.put_unordered("d", pairs)
    else:
        writer.put(None if pairs is None else list(pairs))


def _is_remembered(kind: type, name: Any) -> bool:
    """Return whether an object's attribute is only kept from an earlier look."""
    found = inspect.getattr_static(kind, name, None) if isinstance(name, str) else None
    return isinstance(found, functools.cached_property)


def _find_place(value: Any, name: str) -> str:
    """Return where pickle would look for an object that says it is known by a name."""
    module = pickle.whichmodule(value, name)  # type: ignore[attr-defined]
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value:
        raise NoContentError(f"{describe_type(type(value))} {name} is not found by its name")
    return f"{module}.{name}"


def _refuse_what_runs(value: Any) -> None:
    if isinstance(value, io.IOBase):
        raise NoContentError(f"{describe_type(type(value))} stands for a file; give its path")
    if isinstance(value, Iterator | AsyncIterator | Awaitable):
        raise NoContentError(f"{describe_type(type(value))} is used up when it is read")


def _put_inside(writer: Writer, value: Any) -> None:
    writer.put_inside(value, lambda inside: _put_reduced(inside, value))


def _put_enum(writer: Writer, value: enum.Enum) -> None:
    put_class(writer, type(value))
    writer.put((value.name, value.value))


class _Writers(dict[type, Write]):
    """Type to what writes its values; found when a type is met for the first time."""

    def __missing__(self, kind: type) -> Write:
        write = _find_table_writer(kind)
        if write is None:
            found = (write for parent, write in _FAMILIES if issubclass(kind, parent))
            write = next(found, _put_inside)
        self[kind] = write
        return write


def _find_table_writer(kind: type) -> Write | None:
    if "numpy" not in sys.modules:
        return None
    from sphinx_nbcache.memo.tables import find_table_writer

    return find_table_writer(kind)


_FAMILIES: tuple[tuple[type, Write], ...] = (
    (PurePath, _put_path),
    (type, put_class),
    (enum.Enum, _put_enum),
)
_CACHE = type(functools.lru_cache(len))
_SORTABLE: tuple[set[type], ...] = ({str}, {int})
_KNOWN: dict[Any, Write] = {
    type(None): lambda writer, _: writer.put_bytes("0", b""),
    type(...): lambda writer, _: writer.put_bytes(".", b""),
    bool: lambda writer, value: writer.put_bytes("b", b"1" if value else b"0"),
    int: lambda writer, value: writer.put_text("I", f"{value:x}"),
    float: _put_float,
    complex: _put_complex,
    str: lambda writer, value: writer.put_text("s", value),
    bytes: lambda writer, value: writer.put_bytes("B", value),
    bytearray: lambda writer, value: writer.put_bytes("Y", value),
    memoryview: lambda writer, value: writer.put_bytes("V", value.tobytes()),
    list: lambda writer, value: writer.put_list("l", value),
    tuple: lambda writer, value: writer.put_list("T", value),
    dict: _put_dict,
    set: _put_set,
    frozenset: _put_set,
    array.array: _put_packed,
    types.FunctionType: put_function,
    types.MethodType: put_method,
    types.ModuleType: put_module,
    types.CodeType: put_compiled,
    re.Pattern: _put_as("pattern", lambda value: (value.pattern, value.flags)),
    types.MappingProxyType: _put_as("mapping proxy", dict),
    slice: _put_as("slice", lambda value: (value.start, value.stop, value.step)),
    date: _put_text_as("dd", date.isoformat),
    datetime: _put_moment,
    time: _put_moment,
    timedelta: _put_text_as(
        "td", lambda value: f"{value.days} {value.seconds} {value.microseconds}"
    ),
    Decimal: _put_text_as("decimal", str),
    Fraction: _put_text_as("fraction", lambda value: f"{value.numerator:x}/{value.denominator:x}"),
    UUID: _put_text_as("uuid", str),
    Called: put_called,
    **dict.fromkeys(BUILT_IN, put_named),
}
_WRITERS = _Writers(_KNOWN)
