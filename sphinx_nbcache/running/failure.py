"""From what went wrong in a kernel to a Failure that people can act on."""

from __future__ import annotations

import re

from sphinx_nbcache.model import CodeCell, Failure
from sphinx_nbcache.running.kernel import Kernel
from sphinx_nbcache.running.limits import can_limit_memory, format_size

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# IPython 8 and 9: "Input In [2], in <cell line: 3>()", "Cell In[2], line 3".
_FRAME = re.compile(
    r"^\s*(?:Cell|Input) In ?\[(?P<count>\d+)\](?:, in .*?)?,? line:? ?(?P<line>\d+)", re.MULTILINE
)
_RULE = "-" * 75  # the first line of a traceback, but for syntax errors
# IPython leaves groups of exceptions to Python, which knows cells as files.
_MODULE_FRAME = re.compile(r'File ".*ipykernel_\d+[/\\]\d+\.py", line (?P<line>\d+), in <module>')

# Python's own, numpy's _ArrayMemoryError, and what system calls raise instead.
_MEMORY_ERROR = "MemoryError"
_NO_MEMORY = "[Errno 12]"


def describe_cell_error(  # noqa: PLR0913 - three parts of one error
    name: str,
    message: str,
    traceback: str,
    cell: CodeCell,
    *,
    count: int,
    memory_limit_bytes: int | None = None,
) -> Failure:
    """Return the failure for an exception raised by a cell.

    :param traceback: as the kernel sent it, colours included.
    :param count: the cell's execution count, by which the traceback knows it.
    :param memory_limit_bytes: what the kernel might use, where that was limited.
    """
    plain = _ANSI.sub("", traceback)
    message = _ANSI.sub("", message).strip()
    if name == "StdinNotImplementedError":
        message = "the cell asks for input, which nobody can give while documentation is built"
    if name.endswith(_MEMORY_ERROR) or message.startswith(_NO_MEMORY):
        message = _add_memory_limit(message, memory_limit_bytes)
    line, code = _find_line(plain, cell, count)
    return Failure(
        name=name,
        message=message,
        cell=cell.number,
        line=line,
        code=code,
        traceback=plain,
    )


def describe_start(message: str, *, memory_limit_bytes: int | None = None) -> Failure:
    """Return the failure for a kernel that is missing or did not start.

    :param message: with the last words of its process, if it had any.
    """
    if _MEMORY_ERROR in message:
        headline, end, rest = message.partition("\n")
        message = f"{_add_memory_limit(headline, memory_limit_bytes)}{end}{rest}"
    return Failure(name="KernelStartError", message=message)


def describe_timeout(timeout_s: float | None, cell: CodeCell) -> Failure:
    """Return the failure for a cell that took longer than it may."""
    return Failure(
        name="CellTimeoutError",
        message=f"the cell took longer than {timeout_s:g} s (nb_execution_timeout)",
        cell=cell.number,
        code=_first_line(cell),
    )


def describe_notebook_timeout(timeout_s: float | None, cell: CodeCell) -> Failure:
    """Return the failure for a notebook whose cells together took longer than they may."""
    return Failure(
        name="NotebookTimeoutError",
        message=f"the notebook took longer than {timeout_s:g} s; allow more with "
        "nbcache_notebook_timeout, or with nbcache: {timeout: ...} in its metadata",
        cell=cell.number,
        code=_first_line(cell),
    )


def describe_death(
    kernel: Kernel, cell: CodeCell, *, memory_limit_bytes: int | None = None
) -> Failure:
    """Return the failure for a kernel that died while it ran a cell.

    :param memory_limit_bytes: what the kernel might use, where that was limited: libraries
        in C may end the process when they get no memory.
    """
    tail = kernel.read_log_tail()
    return Failure(
        name="DeadKernelError",
        message=_add_memory_limit("the kernel died while it ran the cell", memory_limit_bytes),
        cell=cell.number,
        code=_first_line(cell),
        traceback=tail,
    )


def describe_surprise(error: Exception, cell: CodeCell | None) -> Failure:
    """Return the failure for what went wrong outside the notebook's own code."""
    number = None if cell is None else cell.number
    return Failure(name=type(error).__name__, message=str(error).strip(), cell=number)


def _add_memory_limit(message: str, size_bytes: int | None) -> str:
    if size_bytes is None or not can_limit_memory():
        return message
    limit = f"the kernel may use {format_size(size_bytes)} (nbcache_memory_limit)"
    return f"{message}; {limit}" if message else limit


def _find_line(traceback: str, cell: CodeCell, count: int) -> tuple[int | None, str]:
    """Return the line of the cell that the traceback names first, and its text.

    Frames of earlier cells, whose functions this one called, may come before.
    """
    # nbclient puts the cell's code and what it printed before IPython's own traceback.
    traceback = traceback.partition(_RULE)[2] or traceback
    frames = (found for found in _FRAME.finditer(traceback) if int(found["count"]) == count)
    found = next(frames, None) or _MODULE_FRAME.search(traceback)
    lines = cell.source.split("\n")
    # IPython drops the blank lines that a cell begins with before it counts.
    blank = next(number for number, line in enumerate(lines) if line.strip())
    number = blank + int(found["line"]) if found else 0
    if not 1 <= number <= len(lines):
        return None, _first_line(cell)
    return number, lines[number - 1].strip()


def _first_line(cell: CodeCell) -> str:
    return cell.source.strip().splitlines()[0]
