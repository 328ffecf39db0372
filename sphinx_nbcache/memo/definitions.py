"""Definitions as content: functions by what they do, classes by their members, modules.

What is the user's own counts with all that it uses of the user's; what is installed counts
by its name.
"""

from __future__ import annotations

import enum
import functools
import types
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx_nbcache.memo.code import (
    Reference,
    describe_code,
    is_own_class,
    is_own_file,
    is_own_module,
)
from sphinx_nbcache.memo.sources import read_sources
from sphinx_nbcache.memo.writer import NoContentError, Writer

BUILT_IN = (
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
_SLOTS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_SETTINGS = (
    int, float, complex, str, bytes, bool, type(None), tuple, frozenset, type,
    types.FunctionType, types.BuiltinFunctionType,
)  # fmt: skip
"""What a wrapper of a library may have been told."""
_CLASS_NOISE = frozenset(
    {
        "__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__slots__",
        "__slotnames__",
        "__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl",
        "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__",
        "__match_args__", "__dataclass_fields__", "__dataclass_params__", "__parameters__",
        "__orig_bases__", "_member_map_", "_value2member_map_", "_member_names_",
        "_unhashable_values_",
    }
)  # fmt: skip


_MOST_DIGESTS = 10_000
_digests: dict[int, tuple[types.CodeType, str]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Called:
    """A function as what is asked: what it does, without its own defaults.

    The arguments of a call have them already.
    """

    function: types.FunctionType
    ignored: AbstractSet[str] = frozenset()
    """Global names that do not count."""


def put_called(writer: Writer, called: Called) -> None:
    """Write what a function does, without its own defaults."""
    function = called.function

    def write(inside: Writer) -> None:
        if hasattr(function, "__wrapped__"):  # a wrapper has others than what it shows
            inside.put((function.__defaults__, function.__kwdefaults__))
        _put_code(inside, function, called.ignored)

    writer.put_definition(called, function.__qualname__, write)


def put_module(writer: Writer, module: types.ModuleType) -> None:
    """Write a module: the whole text of the user's, as nobody sees what of it is used."""
    writer.put_text("m", module.__name__)
    if is_own_module(module):
        _put_file(writer, getattr(module, "__file__", None))


def _put_file(writer: Writer, path: str | None) -> None:
    try:
        data = b"" if path is None else Path(path).read_bytes()
    except OSError:
        data = b""
    writer.put_bytes("t", data)


def put_function(writer: Writer, function: types.FunctionType) -> None:
    """Write a function: what the user's do, and what others are called."""
    if is_own_file(function.__code__.co_filename):
        name = f"{function.__module__}.{function.__qualname__}"
        writer.put_definition(function, name, lambda inside: _put_defined(inside, function))
    else:
        writer.put_inside(function, lambda inside: _put_installed(inside, function))


def _put_installed(writer: Writer, function: types.FunctionType) -> None:
    """Write a function of a library by its name; and what it was made for, if it is a wrapper."""
    writer.put_text("g", f"{function.__module__}.{function.__qualname__}")
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is None:
        _put_closure(writer, function)
        return
    writer.put(wrapped)
    if hasattr(function, "registry") and hasattr(function, "dispatch"):
        writer.put(dict(function.registry))  # functools.singledispatch
        return
    # A wrapper's settings count; its caches and locks do not.
    for name, content in _list_closure(function):
        if isinstance(content, _SETTINGS) and content is not wrapped:
            writer.put((name, content))


def _put_defined(writer: Writer, function: types.FunctionType) -> None:
    writer.put((function.__defaults__, function.__kwdefaults__))
    _put_code(writer, function)


def _put_code(
    writer: Writer, function: types.FunctionType, ignored: AbstractSet[str] = frozenset()
) -> None:
    """Write what a function does, with all that it uses of the user's."""
    facts = describe_code(function.__code__)
    put_compiled(writer, function.__code__)
    _put_closure(writer, function)
    for found in facts.references:
        if found.name not in ignored:
            _put_global(writer, function, found)
    package = function.__globals__.get("__package__") or ""
    for name, data in read_sources(facts.imports, package):
        writer.put_text("i", name)
        writer.put_bytes("t", data)


def put_compiled(writer: Writer, code: types.CodeType) -> None:
    """Write what a code object does, which is worked out once."""
    known = _digests.get(id(code))
    if known is None or known[0] is not code:
        if len(_digests) >= _MOST_DIGESTS:
            _digests.clear()
        digest = writer.digest_alone(describe_code(code).parts)
        known = _digests[id(code)] = code, digest
    writer.put_text("x", known[1])


def _put_closure(writer: Writer, function: types.FunctionType) -> None:
    for name, content in _list_closure(function):
        writer.put_text("k", name)
        try:
            writer.put(content)
        except NoContentError as error:
            raise NoContentError(f"{function.__qualname__} uses {name}: {error}") from error


def _list_closure(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the names and contents of what a function has from around its definition."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not bound yet
            yield name, cell.cell_contents


def _put_global(writer: Writer, function: types.FunctionType, found: Reference) -> None:
    values = function.__globals__
    if found.name not in values:
        return  # a builtin, or an attribute of a class body
    value, rest = values[found.name], list(found.attributes)
    while isinstance(value, types.ModuleType) and rest and hasattr(value, rest[0]):
        if not is_own_module(value):
            break
        value = getattr(value, rest.pop(0))
    writer.put_text("G", ".".join((found.name, *found.attributes)))
    if rest and isinstance(value, types.FunctionType) and rest[0] in vars(value):
        attribute = vars(value)[rest[0]]
        if not isinstance(attribute, types.MethodType):  # cache_info and the like
            writer.put((rest[0], attribute))
    try:
        writer.put(value)
    except NoContentError as error:
        where = f"{function.__qualname__} uses the global {found.name}"
        raise NoContentError(f"{where}: {error}") from error


def put_class(writer: Writer, kind: type) -> None:
    """Write a class: its name, and what the user's own ones do."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    writer.put_text("C", name)
    if is_own_class(kind):
        writer.put_definition(kind, name, lambda inside: _put_members(inside, kind))


def _put_members(writer: Writer, kind: type) -> None:
    for parent in (*kind.__bases__, type(kind)):
        put_class(writer, parent)
    is_enum = issubclass(kind, enum.Enum)
    if issubclass(kind, enum.Enum):
        writer.put({name: member.value for name, member in kind.__members__.items()})
    for name, value in sorted(vars(kind).items()):
        is_noise = name in _CLASS_NOISE or isinstance(value, _SLOTS) or _is_no_init(value)
        if is_noise or (is_enum and isinstance(value, kind)):
            continue
        writer.put_text("A", f"{name} {type(value).__qualname__}")
        parts = (value.fget, value.fset, value.fdel) if isinstance(value, property) else (value,)
        for part in parts:
            plain = getattr(part, "__func__", part)
            if isinstance(plain, functools.cached_property):
                plain = plain.func
            _put_member(writer, plain)


def _is_no_init(value: Any) -> bool:
    """Return whether this stands for having no ``__init__``: protocols swap it when first used."""
    return value is object.__init__ or (
        isinstance(value, types.FunctionType) and value.__name__ == "_no_init_or_replace_init"
    )


def _put_member(writer: Writer, value: Any) -> None:
    if isinstance(value, types.FunctionType | type):
        writer.put(value)
        return
    try:
        digest = writer.digest_alone(value)
    except NoContentError:
        # Shared state of a class, such as a lock, is no part of what an instance is.
        writer.put_text("?", describe_type(type(value)))
    else:
        writer.put_text("D", digest)


def put_method(writer: Writer, value: types.MethodType) -> None:
    """Write a bound method."""
    writer.put_text("M", value.__func__.__name__)
    writer.put(value.__func__)
    writer.put(value.__self__)


def put_named(writer: Writer, value: Any) -> None:
    """Write what is written in C: its name, and what it is bound to."""
    owner = getattr(value, "__self__", None)
    name = getattr(value, "__qualname__", value.__name__)
    writer.put_text("g", f"{getattr(value, '__module__', None) or ''}.{name}")
    if owner is not None and not isinstance(owner, types.ModuleType):
        writer.put(owner)


def describe_type(kind: type) -> str:
    """Return what people call a type."""
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"
