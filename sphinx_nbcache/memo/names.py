"""Names in a cell: what it reads before it binds it, what it binds, what it imports.

Decides by the text alone and knows no values. In doubt a name is asked about too often, which
costs a run, rather than too seldom, which would show a wrong result.
"""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType

from sphinx_nbcache.memo.code import describe_code
from sphinx_nbcache.memo.mentions import UNSEEN, list_mentioned, list_unseen

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Inner = _Function | ast.ClassDef | ast.Lambda
_Import = ast.Import | ast.ImportFrom
_Definition = _Import | _Function | ast.ClassDef
_MAKERS = frozenset(
    {"namedtuple", "NamedTuple", "TypedDict", "NewType", "TypeVar", "make_dataclass"}
)
"""What makes types, which are made again rather than stored."""
_HIDING = frozenset({"suppress", "raises"})
"""Context managers after whose body all may be as it was before."""
_NO_NAMES = frozenset({"__annotations__", "get_ipython"})
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellNames:
    """What a cell does with global names."""

    reads: tuple[str, ...]
    """Looked up before the cell binds them; with attributes as far as they are plain. Sorted."""
    doubtful: tuple[str, ...]
    """Bound or read only on some ways through the cell: their old value may count. Sorted."""
    binds: tuple[str, ...]
    """Sorted."""
    unseen: tuple[str, ...]
    """Means by which the cell may use names that do not stand in it."""
    mentioned: tuple[str, ...]
    """Words in the texts of queries, which may be variables. Sorted."""
    repeatable: tuple[ast.stmt, ...]
    """Imports, functions and classes, in their order, that can simply be run again."""
    repeated: tuple[str, ...]
    """The names that these bind."""
    result: str | None
    """The variable whose value the cell shows at its end."""

    @property
    def roots(self) -> tuple[str, ...]:
        """Return the names that are read, without attributes."""
        return tuple(dict.fromkeys(path.partition(".")[0] for path in self.reads))


def find_names(tree: ast.Module) -> CellNames:
    """Return the names of a cell, whose magics are transformed to calls already."""
    flow = _Flow()
    flow.run_all(tree.body)
    flow.call_waiting()
    repeatable = _find_repeatable(tree, flow.bound)
    last = tree.body[-1] if tree.body else None
    shown = last.value if isinstance(last, ast.Expr) else None
    return CellNames(
        reads=tuple(sorted(flow.reads)),
        doubtful=tuple(sorted(flow.doubtful | (flow.perhaps - flow.surely))),
        binds=tuple(sorted(flow.bound)),
        unseen=tuple(sorted({*(flow.reads & UNSEEN), *list_unseen(tree)})),
        mentioned=tuple(sorted(list_mentioned(tree))),
        repeatable=repeatable,
        repeated=tuple(name for node in repeatable for name in _list_defined(node)),
        result=shown.id if isinstance(shown, ast.Name) else None,
    )


def _find_repeatable(tree: ast.Module, bound: Counter[str]) -> tuple[ast.stmt, ...]:
    """Return the definitions that need nothing of what else the cell computes."""
    found = [
        node
        for node in tree.body
        if (isinstance(node, _Definition) or _find_made(node))
        and all(bound[name] == 1 for name in _list_defined(node))
    ]
    while True:
        computed = bound.keys() - {name for node in found for name in _list_defined(node)}
        kept = [node for node in found if not computed & _list_needed(node)]
        if len(kept) == len(found):
            return tuple(found)
        found = kept


def _list_needed(node: ast.stmt) -> set[str]:
    """Return the names that a definition reads while it is run, before anything is called."""
    plain = _WithoutBodies().visit(copy.deepcopy(node))
    return {path.partition(".")[0] for path in _list_read(plain)}


class _WithoutBodies(ast.NodeTransformer):
    """Takes out what functions do when they are called."""

    def visit_FunctionDef(self, node: _Function) -> _Function:
        """Leave name, decorators and signature."""
        node.body = [ast.copy_location(ast.Pass(), node)]
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """Leave the signature."""
        node.body = ast.copy_location(ast.Constant(None), node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> _Function:
        """Leave name, decorators and signature."""
        return self.visit_FunctionDef(node)


def _find_made(node: ast.stmt) -> str | None:
    """Return what ``name = lambda ...`` or ``name = namedtuple(...)`` binds."""
    target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
    is_defining = isinstance(node, ast.Assign) and (
        isinstance(node.value, ast.Lambda) or _is_maker(node.value)
    )
    return target.id if is_defining and isinstance(target, ast.Name) else None


def _is_maker(node: ast.expr) -> bool:
    """Return whether a type is made by a call."""
    function = node.func if isinstance(node, ast.Call) else None
    name = getattr(function, "attr", None) or getattr(function, "id", None)
    return name in _MAKERS


def _list_defined(node: ast.stmt) -> list[str]:
    if isinstance(node, _Import):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, _Function | ast.ClassDef):
        return [node.name]
    return list(filter(None, [_find_made(node)]))


class _Flow:
    """Follows statements in the order in which they run."""

    def __init__(self) -> None:
        self.surely: set[str] = set()
        """Bound by now, whatever happened."""
        self.perhaps: set[str] = set()
        """Bound on some way."""
        self.reads: set[str] = set()
        self.doubtful: set[str] = set()
        self.bound: Counter[str] = Counter()
        self._waiting: list[str] = []
        """What functions read that nobody can have called yet."""

    def run_all(self, statements: Iterable[ast.stmt]) -> None:
        """Follow statements."""
        for statement in statements:
            is_quiet = isinstance(statement, _Import | _Function)
            if not is_quiet or getattr(statement, "decorator_list", None):
                self.call_waiting()
            follow = getattr(self, f"_run_{type(statement).__name__.lower()}", self._run_plain)
            follow(statement)

    def call_waiting(self) -> None:
        """Read what functions read: they may be called from here on."""
        self._read(self._waiting)
        self._waiting.clear()

    def _read(self, paths: Iterable[str]) -> None:
        for path in paths:
            name = path.partition(".")[0]
            if name in self.surely or name in _NO_NAMES:
                continue
            if name in self.perhaps:
                self.doubtful.add(name)
            else:
                self.reads.add(path)

    def _bind(self, names: Iterable[str]) -> None:
        for name in names:
            self.surely.add(name)
            self.perhaps.add(name)
            self.bound[name] += 1

    def _bind_perhaps(self, names: Iterable[str]) -> None:
        for name in names:
            self.perhaps.add(name)
            self.bound[name] += 1

    def _evaluate(self, *nodes: ast.expr | None) -> None:
        """Read what expressions read."""
        for node in filter(None, nodes):
            # What a walrus binds may be read in the same expression, before or after.
            self._bind_perhaps(_list_walrus(node))
            for call in _list_magics(node):
                self._run_texts(call)
            self._read(_list_read(ast.Expr(node)))

    def _run_plain(self, node: ast.stmt) -> None:
        """Read first, then bind: assignments, imports, expressions and all that is simple."""
        self._bind_perhaps(_list_walrus(node))
        for call in _list_magics(node):
            self._run_texts(call)
        self._read(_list_read(node))
        self._read(_list_deleted(node))
        self._bind(_list_bound(node))

    def _run_texts(self, call: ast.Call) -> None:
        """Run what a magic is given as code if it is that, else read every word in it."""
        assert isinstance(call.func, ast.Attribute)
        is_named = call.func.attr in {"run_line_magic", "run_cell_magic"}
        for argument in call.args[1 if is_named else 0 :]:
            text = argument.value if isinstance(argument, ast.Constant) else None
            if not isinstance(text, str):
                continue
            try:
                statements = ast.parse(text).body
            except (SyntaxError, ValueError):
                self._read(_WORD.findall(text))
            else:
                self.run_all(statements)

    def _run_functiondef(self, node: _Function) -> None:
        self._read(_list_read(_WithoutBodies().visit(copy.deepcopy(node))))
        self._bind([node.name])
        self._waiting += _list_read_inside(node)
        self._bind_perhaps(_list_global(node))

    _run_asyncfunctiondef = _run_functiondef

    def _run_classdef(self, node: ast.ClassDef) -> None:
        """Run the body, which keeps what it binds to itself."""
        self._evaluate(*node.decorator_list, *node.bases)
        self._evaluate(*(keyword.value for keyword in node.keywords))
        inner = _Flow()
        inner._bind([node.name])  # methods may name their class
        inner.run_all(node.body)
        inner.call_waiting()
        self._read((*inner.reads, *inner.doubtful))
        self._bind([node.name])
        self._bind_perhaps(_list_global(node))

    def _run_if(self, node: ast.If) -> None:
        self._evaluate(node.test)
        self._run_one(node.body, node.orelse)

    def _run_while(self, node: ast.While) -> None:
        self._evaluate(node.test)
        self._run_one(node.body, [])
        self._run_one(node.orelse, [])

    def _run_for(self, node: ast.For | ast.AsyncFor) -> None:
        self._evaluate(node.iter)
        nothing = ast.copy_location(ast.Constant(None), node)
        first = ast.copy_location(ast.Assign([node.target], nothing), node)
        self._run_one([first, *node.body], [])
        self._run_one(node.orelse, [])

    _run_asyncfor = _run_for

    def _run_with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self._evaluate(item.context_expr)
            if item.optional_vars is not None:
                self._bind(_list_bound(item.optional_vars))
        words = {word for item in node.items for word in _WORD.findall(ast.unparse(item))}
        self._run_one(node.body, *([[]] if words & _HIDING else []))

    _run_asyncwith = _run_with

    def _run_try(self, node: ast.Try | ast.TryStar) -> None:
        """Run all, or a part of it and a handler."""
        start = set(self.surely)
        self.run_all([*node.body, *node.orelse])
        ends = [self.surely]
        for handler in node.handlers:
            self.surely = set(start)
            self._evaluate(handler.type)
            self._bind_perhaps([handler.name] if handler.name else [])
            self.run_all(handler.body)
            if not isinstance(handler.body[-1], ast.Raise):
                ends.append(self.surely)
        self.surely = set.intersection(*ends) if node.handlers else self.surely
        self.run_all(node.finalbody)

    _run_trystar = _run_try

    def _run_match(self, node: ast.Match) -> None:
        """Run one of the cases, or none."""
        self._evaluate(node.subject)
        start = set(self.surely)
        for case in node.cases:
            pattern = copy.copy(node)
            pattern.cases = [copy.copy(case)]
            pattern.cases[0].body = [ast.copy_location(ast.Pass(), node)]
            pattern.cases[0].guard = None
            self._read(_list_read(pattern))
            self._bind(_list_bound(case.pattern))
            self._evaluate(case.guard)
            self.run_all(case.body)
            self.surely = set(start)

    def _run_one(self, *ways: list[ast.stmt]) -> None:
        """Run one of several ways; what only some of them bind is bound perhaps."""
        start, ends = self.surely, []
        for way in ways:
            self.surely = set(start)
            self.run_all(way)
            ends.append(self.surely)
        self.surely = set.intersection(*ends)


def _list_read(node: ast.stmt) -> Iterator[str]:
    """Yield the global names that a statement reads, with attributes: ``a.b``."""
    try:
        code = _compile(node)
    except SyntaxError:  # a `break`, say, which stands in a loop
        yield from _WORD.findall(ast.unparse(node))
        return
    for found in describe_code(code).references:
        yield ".".join((found.name, *found.attributes))


def _list_read_inside(node: ast.stmt) -> Iterator[str]:
    """Yield the global names that a function reads when it is called."""
    try:
        constants = _compile(node).co_consts
    except SyntaxError:  # a method that refers to its class, say
        yield from _WORD.findall(ast.unparse(node))
        return
    for constant in constants:
        if isinstance(constant, CodeType):
            for found in describe_code(constant).references:
                yield ".".join((found.name, *found.attributes))


def _compile(node: ast.stmt) -> CodeType:
    module = ast.Module([ast.copy_location(node, node)], [])
    ast.fix_missing_locations(module)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code: CodeType = compile(module, "<cell>", "exec", flags, dont_inherit=True)
    return code


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all in it that belongs to the same scope."""
    yield node
    if not isinstance(node, _Inner):
        for child in ast.iter_child_nodes(node):
            yield from _walk(child)


def _list_bound(node: ast.AST) -> list[str]:
    """Return what a node binds or deletes, functions and comprehensions in it left out."""
    names = []
    for part in _walk(node):
        if isinstance(part, _Import):
            names += _list_defined(part)
        elif isinstance(part, ast.MatchAs | ast.MatchStar) and part.name:
            names.append(part.name)
        elif isinstance(part, ast.MatchMapping) and part.rest:
            names.append(part.rest)
    return names + _list_stored(node)


def _list_stored(node: ast.AST) -> list[str]:
    own = {id(part) for inner in ast.walk(node) for part in _list_targets(inner)}
    annotated = node.target if isinstance(node, ast.AnnAssign) and node.value is None else None
    return [
        part.id
        for part in _walk(node)
        if isinstance(part, ast.Name)
        and not isinstance(part.ctx, ast.Load)
        and id(part) not in own
        and part is not annotated
    ]


def _list_targets(node: ast.AST) -> list[ast.AST]:
    """Return the variables of a comprehension, and of a walrus, which is looked at apart."""
    if isinstance(node, ast.comprehension):
        return list(ast.walk(node.target))
    return [node.target] if isinstance(node, ast.NamedExpr) else []


def _list_deleted(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Delete) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _list_walrus(node: ast.AST) -> list[str]:
    found = (part.target for part in _walk(node) if isinstance(part, ast.NamedExpr))
    return [target.id for target in found if isinstance(target, ast.Name)]


def _list_global(node: ast.AST) -> list[str]:
    """Return what functions in a node declare as global."""
    return [name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names]


def _list_magics(node: ast.AST) -> list[ast.Call]:
    """Return the calls ``get_ipython().something(...)`` in a node."""
    return [part for part in ast.walk(node) if isinstance(part, ast.Call) and _is_magic(part)]


def _is_magic(node: ast.Call) -> bool:
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    return isinstance(owner, ast.Call) and ast.unparse(owner.func) == "get_ipython"
