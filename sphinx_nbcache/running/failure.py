"""From what went wrong in a kernel to a Failure that people can act on."""

from __future__ import annotations

import re

from sphinx_nbcache.model import CodeCell, Failure
from sphinx_nbcache.running.kernel import Kernel

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# IPython 7 to 9: "<ipython-input-2-0a1b>", "Input In [2], line 3", "Cell In[2], line 3".
_FRAME = re.compile(r"(?:Cell|Input) In ?\[\d+\](?:, in .*?)?,? line:? ?(\d+)")


def describe_cell_error(name: str, message: str, traceback: str, cell: CodeCell) -> Failure:
    """Return the failure for an exception raised by a cell.

    :param traceback: as the kernel sent it, colours included.
    """
    plain = _ANSI.sub("", traceback)
    if name == "StdinNotImplementedError":
        message = "the cell asks for input, which nobody can give while documentation is built"
    line, code = _find_line(plain, cell)
    return Failure(
        name=name,
        message=_ANSI.sub("", message).strip(),
        cell=cell.number,
        line=line,
        code=code,
        traceback=plain,
    )


def describe_timeout(timeout_s: float | None, cell: CodeCell) -> Failure:
    """Return the failure for a cell that took longer than it may."""
    return Failure(
        name="CellTimeoutError",
        message=f"the cell took longer than {timeout_s:g} s (nb_execution_timeout)",
        cell=cell.number,
        code=_first_line(cell),
    )


def describe_death(kernel: Kernel, cell: CodeCell) -> Failure:
    """Return the failure for a kernel that died while it ran a cell."""
    tail = kernel.read_log_tail()
    return Failure(
        name="DeadKernelError",
        message="the kernel died while it ran the cell",
        cell=cell.number,
        code=_first_line(cell),
        traceback=tail,
    )


def describe_surprise(error: Exception, cell: CodeCell | None) -> Failure:
    """Return the failure for what went wrong outside the notebook's own code."""
    number = None if cell is None else cell.number
    return Failure(name=type(error).__name__, message=str(error).strip(), cell=number)


def _find_line(traceback: str, cell: CodeCell) -> tuple[int | None, str]:
    """Return the line of the cell that the traceback names first, and its text."""
    found = _FRAME.search(traceback)
    lines = cell.source.splitlines()
    if found is None or not 1 <= int(found[1]) <= len(lines):
        return None, _first_line(cell)
    return int(found[1]), lines[int(found[1]) - 1].strip()


def _first_line(cell: CodeCell) -> str:
    return cell.source.strip().splitlines()[0]
