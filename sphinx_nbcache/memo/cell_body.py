"""The code of a memoized cell: made ready and run as the shell runs a plain cell.

The shell's own ``run_cell`` would show an error itself, and end well; here it is raised, so
that the cell fails as a plain one does.
"""

from __future__ import annotations

import ast
import asyncio
import contextvars
import ctypes
import inspect
import io
import threading
import tokenize
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from types import CodeType
from typing import Any

_NO_CODE = (tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
_PATIENCE_S = 1.0
_SHOWN_NAMES = (ast.Assign, ast.AnnAssign, ast.AugAssign)


@dataclass(frozen=True, slots=True)
class CellBody:
    """A cell's code, with its magics transformed to calls."""

    tree: ast.Module
    file: str
    """What its code is said to come from; tracebacks know it as the cell."""
    shows: str
    """Which expressions show their value, as the shell's ``ast_node_interactivity``."""


def read_body(shell: Any, text: str) -> CellBody:
    """Return a cell's code; the line of the magic above it is counted.

    Raises what shows itself as the SyntaxError of a plain cell.
    """
    try:
        return _read(shell, text)
    except SyntaxError as error:
        raise _make_plain(shell, error) from None


def _read(shell: Any, text: str) -> CellBody:
    code = shell.transform_cell(text)
    above = 1 + _count_blank_lines(text) - _count_blank_lines(code)
    code = "\n" * above + code
    number = shell.displayhook.prompt_count
    file = shell.compile.cache(code, number, raw_code="\n" + text)
    tree = shell.compile.ast_parse(code, filename=file)
    # A `return`, say, is found only now.
    compile(tree, file, "exec", shell.compile.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return CellBody(tree, file, "none" if _is_quiet(code) else shell.ast_node_interactivity)


def _is_quiet(code: str) -> bool:
    """Return whether a cell ends with a semicolon, and so shows no value.

    The shell would look at the whole cell, which ends with the call of the magic.
    """
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    last = [token.string for token in tokens if token.type not in _NO_CODE]
    return last[-1:] == [";"]


def _count_blank_lines(text: str) -> int:
    """Return how many blank lines a text begins with, which the shell takes away."""
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines) if line.strip()), len(lines))


def run_body(shell: Any, body: CellBody) -> None:
    """Run a cell in the user's namespace; what it raises is raised."""
    tree = shell.transform_ast(body.tree)
    steps = list(_list_steps(tree.body, body.shows))
    try:
        if any(_is_awaiting(shell, body, node) for node, _ in steps):
            _run_in_loop(_run_steps(shell, body, steps))
        else:
            for node, is_shown in steps:
                code = _compile(shell, body, node, is_shown=is_shown)
                exec(code, shell.user_global_ns, shell.user_ns)  # noqa: S102
    except BaseException as error:
        _render_as_plain(shell, body, error)
        raise


async def _run_steps(shell: Any, body: CellBody, steps: list[tuple[ast.stmt, bool]]) -> None:
    """Run all of a cell in one loop: what one statement begins, another may await."""
    for node, is_shown in steps:
        code = _compile(shell, body, node, is_shown=is_shown)
        result = eval(code, shell.user_global_ns, shell.user_ns)  # noqa: S307
        if code.co_flags & inspect.CO_COROUTINE:
            await result


def _is_awaiting(shell: Any, body: CellBody, node: ast.stmt) -> bool:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0
    code: CodeType = compile(ast.Module([node], []), body.file, "exec", flags, dont_inherit=True)
    return bool(code.co_flags & inspect.CO_COROUTINE)


def _make_plain(shell: Any, error: SyntaxError) -> Exception:
    """Return an error that shows itself as a syntax error of a plain cell.

    With a real one the shell would show all frames around it.
    """
    shown: Exception = type(type(error).__name__, (Exception,), {})(str(error))
    lines = shell.SyntaxTB.structured_traceback(type(error), error, [])
    shown._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return shown


def _render_as_plain(shell: Any, body: CellBody, error: BaseException) -> None:
    """Have an error shown without the frames between the notebook's cell and its own code."""

    def render() -> Any:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != body.file:
            trace = trace.tb_next
        trace = trace or error.__traceback__
        return shell.InteractiveTB.structured_traceback(type(error), error, trace, tb_offset=0)

    # The shell asks errors for this; those that take no attributes are shown with all frames.
    with suppress(AttributeError, TypeError):
        error._render_traceback_ = render  # type: ignore[attr-defined]


def run_again(shell: Any, body: CellBody, statements: Iterable[ast.stmt]) -> bool:
    """Run definitions of a cell apart from the rest, showing nothing.

    Returns whether they ran to the end; what stopped them stops the whole cell, too.
    """
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            for node in statements:
                code = _compile(shell, body, node, is_shown=False)
                exec(code, shell.user_global_ns, shell.user_ns)  # noqa: S102
    except Exception:  # noqa: BLE001 - code of the user
        return False
    return True


def _compile(shell: Any, body: CellBody, node: ast.stmt, *, is_shown: bool) -> CodeType:
    # The shell's compiler remembers `from __future__ import ...` of earlier cells.
    with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0):
        whole = ast.Interactive([node]) if is_shown else ast.Module([node], [])
        mode = "single" if is_shown else "exec"
        code: CodeType = shell.compile(whole, body.file, mode)
    return code


def _list_steps(nodes: list[ast.stmt], shows: str) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield each statement, and whether its value is shown."""
    for number, node in enumerate(nodes, 1):
        is_last = number == len(nodes)
        is_expression = isinstance(node, ast.Expr)
        is_asked = is_last and (is_expression or shows == "last")
        yield node, shows == "all" or (is_asked and shows.startswith("last"))
        if is_last and shows == "last_expr_or_assign" and isinstance(node, _SHOWN_NAMES):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                shown = ast.Expr(ast.Name(target.id, ast.Load()))
                yield ast.fix_missing_locations(ast.copy_location(shown, node)), True


def _run_in_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a cell that awaits in a loop in a thread: the kernel's own is busy running the cell."""
    runner, pool, threads = asyncio.Runner(), ThreadPoolExecutor(1), list[int]()

    def run() -> None:
        threads.append(threading.get_ident())
        with runner:
            runner.run(coroutine)

    context = contextvars.copy_context()  # output belongs to the cell that runs
    future = pool.submit(context.run, run)
    try:
        future.result()
    except KeyboardInterrupt:
        if not future.done():
            _interrupt(runner, future, threads)
        raise
    finally:
        pool.shutdown(wait=False)


def _interrupt(runner: asyncio.Runner, future: Future[None], threads: list[int]) -> None:
    """End a cell that waits; if it computes, have that raise at its next step."""
    with suppress(RuntimeError):  # it has just ended
        _cancel_all(runner.get_loop())
    wait([future], _PATIENCE_S)
    if not future.done():
        thread = ctypes.c_ulong(threads[0])
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(KeyboardInterrupt))


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    def cancel() -> None:
        for task in asyncio.all_tasks(loop):
            task.cancel()

    loop.call_soon_threadsafe(cancel)
