"""What a memoized cell asks: its code, and the values that count for it."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from IPython.core.error import UsageError

from sphinx_nbcache.errors import NotMemoizableError
from sphinx_nbcache.memo.cell_body import CellBody
from sphinx_nbcache.memo.cell_files import find_folder
from sphinx_nbcache.memo.cell_imports import find_packages, make_importer
from sphinx_nbcache.memo.cell_line import CellLine
from sphinx_nbcache.memo.cell_reach import find_reach
from sphinx_nbcache.memo.cell_settings import find_environment
from sphinx_nbcache.memo.cell_variables import is_changeable
from sphinx_nbcache.memo.code import describe_code, is_own_module
from sphinx_nbcache.memo.content import digest_values
from sphinx_nbcache.memo.mentions import UNSEEN
from sphinx_nbcache.memo.names import CellNames

_FORMAT = 2
_ABSENT = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellQuestion:
    """What a cell asks, and what may become a part of it."""

    asked: dict[str, Any]
    """Part of the question to its value."""
    doubtful: dict[str, str]
    """The digests of variables that count perhaps, of those that exist."""
    changeable: dict[str, str]
    """The digests of variables whose content the cell may change."""


def make_question(shell: Any, line: CellLine, body: CellBody, names: CellNames) -> CellQuestion:
    """Return what a cell asks now.

    Raises NotMemoizableError for what has no digest, UsageError for inputs that are wrong.
    """
    variables = shell.user_ns
    codes = find_reach(variables, (*names.roots, *names.doubtful)).codes
    if line.inputs is None:
        _refuse_unseen(variables, names, codes)
        values = find_read(variables, names)
        doubtful = digest_variables(variables, (n for n in names.doubtful if n in variables))
    else:
        values = {expression: _evaluate(shell, expression) for expression in line.inputs}
        # Functions belong to the code, whatever the inputs are.
        found = find_read(variables, names).items()
        values |= {path: value for path, value in found if _is_code(value)}
        doubtful = {}
    digests = {name: digest_values({name: value}) for name, value in values.items()}
    if line.inputs is None:
        digests |= _digest_mentioned(variables, names, digests)
    imports = digest_values({"imports": make_importer(body.tree)})
    changeable = {} if line.outputs is not None else _find_changeable(variables, names, digests)
    return CellQuestion(
        asked={
            "format": _FORMAT,
            "code": ast.dump(body.tree),
            "shows": body.shows,
            "outputs": line.outputs,
            "inputs": digests,
            "imports": imports,
            "packages": find_packages(body.tree, values.values()),
            "folder": find_folder(),
            "environment": find_environment([_compile(body), *codes]),
        },
        doubtful=doubtful,
        changeable=changeable,
    )


def _refuse_unseen(
    variables: Mapping[str, Any], names: CellNames, codes: Iterable[types.CodeType]
) -> None:
    """Raise NotMemoizableError where the cell, or a function that it calls, sees all variables."""
    unseen = [name for name in names.unseen if name not in variables]
    if unseen:
        raise NotMemoizableError(unseen[0], "with it the cell may read any variable")
    for code in codes:
        used = {found.name for found in describe_code(code).references} - variables.keys()
        for name in sorted(used & UNSEEN - {"locals"}):
            reason = f"with it the function {code.co_name} may read any variable"
            raise NotMemoizableError(name, reason)


def _digest_mentioned(
    variables: Mapping[str, Any], names: CellNames, known: Mapping[str, str]
) -> dict[str, str]:
    """Return the digests of variables that are named in texts; without what has none."""
    digests = {}
    for name in {*names.mentioned} & variables.keys() - known.keys() - {*names.binds}:
        with suppress(NotMemoizableError):
            digests[name] = digest_values({name: variables[name]})
    return digests


def digest_variables(variables: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Return the digests of some variables. Raises NotMemoizableError."""
    return {
        name: digest_values({name: variables[name]}) if name in variables else _ABSENT
        for name in names
    }


def find_read(variables: Mapping[str, Any], names: CellNames) -> dict[str, Any]:
    """Return the values that a cell looks up; of a module only what is taken of it."""
    found = {}
    for path in names.reads:
        name, *attributes = path.split(".")
        if name not in variables:
            continue  # a builtin, or an error to come
        value = variables[name]
        # An installed module counts by its name; of the user's own only what is used.
        while attributes and _is_own(value) and hasattr(value, attributes[0]):
            attribute = attributes.pop(0)
            value = getattr(value, attribute)
            name = f"{name}.{attribute}"
        found[name] = value
    return found


def _compile(body: CellBody) -> types.CodeType:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code: types.CodeType = compile(body.tree, "<cell>", "exec", flags, dont_inherit=True)
    return code


def _is_own(value: Any) -> bool:
    return isinstance(value, types.ModuleType) and is_own_module(value)


def _is_code(value: Any) -> bool:
    return isinstance(value, types.FunctionType | type | types.ModuleType)


def _evaluate(shell: Any, expression: str) -> Any:
    try:
        return shell.ev(expression)
    except Exception as error:
        kind = type(error).__name__
        raise UsageError(f"input={expression}: {kind}: {error}") from error


def _find_changeable(
    variables: Mapping[str, Any], names: CellNames, known: Mapping[str, str]
) -> dict[str, str]:
    """Return the digests of what a cell reads and might change in place."""
    digests = {}
    for name in names.roots:
        if name in variables and is_changeable(variables[name]):
            try:
                digests[name] = known.get(name) or digest_values({name: variables[name]})
            except NotMemoizableError:
                continue  # not an input: others were named
    return digests
