"""Variables of a memoized cell: which of them its result holds, and how they are put back."""

from __future__ import annotations

import io
import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sphinx_nbcache.errors import NotMemoizableError
from sphinx_nbcache.memo.cell_reach import digest_inner, find_reach, find_sharing
from sphinx_nbcache.memo.content import digest_values
from sphinx_nbcache.memo.names import CellNames
from sphinx_nbcache.memo.values import NotStorableError, encode

Digests = Mapping[str, str]
_UNCHANGING = (
    type(None), bool, int, float, complex, str, bytes, type, range,
    types.ModuleType, types.FunctionType, types.BuiltinFunctionType,
)  # fmt: skip
_OF_THE_SHELL = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})


@dataclass(frozen=True, slots=True)
class Before:
    """The user's variables before a cell runs."""

    identities: Mapping[str, int]
    """Not the values: what a cell binds anew is to be freed at once."""
    digests: Mapping[str, str]
    """Of those whose content the cell may change."""
    inner: Mapping[str, str] = field(default_factory=dict)
    """Of what functions and classes keep, which cannot be put back."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a cell leaves."""

    values: dict[str, Any] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    problem: str | None = None
    """Why it cannot be kept."""


def collect_variables(
    variables: Mapping[str, Any], outputs: Iterable[str] | None, names: CellNames, before: Before
) -> Found:
    """Return the variables that belong to a cell's result.

    :param outputs: those that its line names; None: all that it has bound or changed.
    """
    if outputs is not None:
        missing = [name for name in outputs if name not in variables]
        if missing:
            return Found(problem=f"output={missing[0]}: the cell leaves no variable of this name")
        wanted: set[str] = {*outputs}
        deleted: set[str] = set()
    else:
        wanted = _find_changed(variables, names, before)
        deleted = before.identities.keys() - variables.keys()
    values = {name: variables[name] for name in sorted(wanted - {*names.repeated})}
    for name, value in values.items():
        if _is_named_definition(value):
            problem = f"{name} is defined with what the cell computes: define it in its own cell"
            return Found(problem=problem)
    # What `with open(...) as file` leaves is of no use to anybody.
    kept = {name: value for name, value in values.items() if not _is_closed_file(value)}
    return Found(kept, tuple(sorted(deleted)))


def _find_changed(variables: Mapping[str, Any], names: CellNames, before: Before) -> set[str]:
    """Return the names of what a cell has bound, or changed in place."""
    bound = {name for name in names.binds if name in variables}
    # Also what %run, exec and `import *` have bound, which stands nowhere in the cell.
    rebound = {name for name, value in variables.items() if not _is_same(before, name, value)}
    changed = {name for name in before.digests if _is_changed(variables, name, before)}
    own = {name: value for name, value in variables.items() if not _is_of_the_shell(name)}
    # Other variables with the same object are to show the change, too.
    again = find_sharing(own, changed & own.keys())
    objects = {id(own[name]) for name in rebound & own.keys() if is_changeable(own[name])}
    again |= {name for name, value in own.items() if id(value) in objects}
    return bound | again | (rebound & own.keys())


def make_before(variables: Mapping[str, Any], roots: Iterable[str], known: Digests) -> Before:
    """Return what is to be known of the variables before a cell runs.

    :param roots: the variables that the cell reads.
    :param known: the digests of those that it may change, as far as they are known.
    """
    reach = find_reach(variables, roots)
    digests = dict(known)
    for name in reach.names - known.keys():
        if is_changeable(variables[name]):
            with suppress(NotMemoizableError):
                digests[name] = digest_values({name: variables[name]})
    return Before(find_identities(variables), digests, digest_inner(reach))


def find_identities(variables: Mapping[str, Any]) -> dict[str, int]:
    """Return which objects the variables are."""
    return {name: id(value) for name, value in variables.items()}


def find_inner_change(
    variables: Mapping[str, Any], roots: Iterable[str], before: Before
) -> str | None:
    """Return what the cell has changed inside functions or classes, for people."""
    now = digest_inner(find_reach(variables, roots)) if before.inner else {}
    changed = [label for label in before.inner if now.get(label) not in {before.inner[label], None}]
    return f"it changes {min(changed)}, which cannot be put back" if changed else None


def is_changeable(value: Any) -> bool:
    """Return whether a value may change while it stays the same object."""
    return not isinstance(value, _UNCHANGING)


def _is_same(before: Before, name: str, value: Any) -> bool:
    return before.identities.get(name) == id(value)


def _is_changed(variables: Mapping[str, Any], name: str, before: Before) -> bool:
    if name not in variables or not _is_same(before, name, variables[name]):
        return False
    try:
        return digest_values({name: variables[name]}) != before.digests[name]
    except NotMemoizableError:
        return True


def _is_of_the_shell(name: str) -> bool:
    return name.startswith("_") or name in _OF_THE_SHELL


def _is_named_definition(value: Any) -> bool:
    """Return whether a value would be kept only as a name, which stands for nothing later."""
    is_definition = isinstance(value, types.FunctionType | type)
    return is_definition and value.__module__ == "__main__" and "<" not in value.__qualname__


def _is_closed_file(value: Any) -> bool:
    return isinstance(value, io.IOBase) and value.closed


def find_unstorable(values: Mapping[str, Any]) -> str | None:
    """Return which of some variables cannot be stored, and why; None if all can."""
    for name, value in values.items():
        try:
            encode(value)
        except NotStorableError as error:
            return f"{name}: {error}"
    return None


def put_back(variables: dict[str, Any], values: Mapping[str, Any], deleted: Iterable[str]) -> None:
    """Give the user's variables what a cell left."""
    for name in deleted:
        variables.pop(name, None)
    variables.update({name: _bring_home(value, variables) for name, value in values.items()})


def _bring_home(value: Any, variables: dict[str, Any]) -> Any:
    """Return a function that looks up the user's variables, not copies that were stored."""
    if not isinstance(value, types.FunctionType) or value.__module__ != "__main__":
        return value
    home = types.FunctionType(
        value.__code__, variables, value.__name__, value.__defaults__, value.__closure__
    )
    home.__kwdefaults__, home.__qualname__ = value.__kwdefaults__, value.__qualname__
    home.__doc__, home.__annotations__ = value.__doc__, value.__annotations__
    vars(home).update(vars(value))
    return home
