"""Names that a cell uses although they are no names in it: in texts of queries, or at will."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

UNSEEN = frozenset({"eval", "exec", "globals", "locals"})
"""Builtins by which code may use names that do not stand in it."""
_UNSEEN_PLAIN = frozenset({"vars", "dir"})
"""These, too, when they are called with nothing."""
_UNSEEN_PLACES = frozenset({"user_ns", "user_global_ns", "__main__"})
_FORMULAS = frozenset({"query", "eval"})
"""Methods of tables whose texts name variables, as in ``@limit``."""
_SQL = frozenset({"sql", "sqldf", "execute", "query"})
"""Functions whose texts name tables that may be variables."""
_FORMULA_WORD = re.compile(r"@([^\W\d]\w*)")
_WORD = re.compile(r"[^\W\d]\w*")


def list_unseen(tree: ast.Module) -> Iterator[str]:
    """Yield what a cell uses to look at all variables, beside builtins that always do."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in _UNSEEN_PLAIN and not node.args:
                yield node.func.id
        elif isinstance(node, ast.Attribute) and node.attr in _UNSEEN_PLACES:
            yield node.attr
        elif isinstance(node, ast.alias) and node.name in _UNSEEN_PLACES:
            yield node.name


def list_mentioned(tree: ast.Module) -> Iterator[str]:
    """Yield the variables that texts given to queries may name."""
    for call in ast.walk(tree):
        function = call.func if isinstance(call, ast.Call) else None
        name = getattr(function, "attr", None) or getattr(function, "id", None)
        for node in ast.walk(call) if name in _FORMULAS | _SQL else ():
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and name in _FORMULAS:
                yield from _FORMULA_WORD.findall(text)
            if isinstance(text, str) and name in _SQL:
                yield from _WORD.findall(text)


def list_commands(tree: ast.Module) -> Iterator[str]:
    """Yield the texts that magics and shell commands of a cell are given."""
    for call in ast.walk(tree):
        owner = getattr(getattr(call, "func", None), "value", None)
        if isinstance(call, ast.Call) and owner and ast.unparse(owner) == "get_ipython()":
            for argument in call.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value
