"""A notebook that was executed elsewhere: whether it looks so, and what it gave.

Nobody saw what it read, so nothing but its code and what is declared makes it stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sphinx_nbcache.model import CellOutputs, CellRun, CellStatus, CodeCell, Notebook, Outputs

_TOLD = ("language_info", "widgets")
_SKIP_TAG = "skip-execution"
_BUSY, _REPLY = "iopub.status.busy", "shell.execute_reply"
"""What Jupyter and nbclient write into a cell's metadata: when it began and ended."""


def find_flaw(notebook: Notebook) -> str:
    """Return what tells that a notebook was not run from top to bottom; empty if nothing does.

    Execution counts have to grow; they may begin anywhere and leave numbers out. Cells that
    hold no code, or that are skipped, have none.
    """
    last = 0
    for cell in notebook.iterate_code_cells():
        if _SKIP_TAG in cell.tags:
            continue
        count = _get(notebook, cell).get("execution_count")
        if not isinstance(count, int):
            return f"cell {cell.number} has no execution count"
        if count <= last:
            return f"cell {cell.number} was run before an earlier one"
        last = count
    return ""


def collect_outputs(notebook: Notebook) -> Outputs:
    """Return what a notebook holds of its run."""
    cells = []
    for cell in notebook.iterate_code_cells():
        node = _get(notebook, cell)
        has_run = _SKIP_TAG not in cell.tags
        found = CellOutputs(node.get("execution_count"), list(node.get("outputs") or ()))
        cells.append(found if has_run else None)
    metadata = {name: notebook.metadata[name] for name in _TOLD if name in notebook.metadata}
    return Outputs(tuple(cells), metadata)


def describe_cells(notebook: Notebook) -> tuple[CellRun, ...]:
    """Return when each cell ran, as far as the file tells."""
    return tuple(_describe(cell, _get(notebook, cell)) for cell in notebook.iterate_code_cells())


def _describe(cell: CodeCell, node: Mapping[str, Any]) -> CellRun:
    if _SKIP_TAG in cell.tags:
        return CellRun(cell.number, CellStatus.SKIPPED)
    is_error = any(output.get("output_type") == "error" for output in node.get("outputs") or ())
    status = CellStatus.ERROR if is_error else CellStatus.OK
    times = node.get("metadata", {}).get("execution")
    begun, ended = (_read_time(times, name) for name in (_BUSY, _REPLY))
    if begun is None or ended is None:
        return CellRun(cell.number, status)
    return CellRun(cell.number, status, begun, max(0.0, ended - begun))


def _read_time(times: Any, name: str) -> float | None:
    """Return a POSIX timestamp of an ISO 8601 text; None for anything else."""
    try:
        return datetime.fromisoformat(times[name]).timestamp()
    except (TypeError, KeyError, ValueError):
        return None


def _get(notebook: Notebook, cell: CodeCell) -> Mapping[str, Any]:
    node: Mapping[str, Any] = notebook.content["cells"][cell.position]
    return node
