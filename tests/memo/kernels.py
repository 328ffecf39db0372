"""Notebooks that are run by nbclient in real kernels, and what their cells show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.plain_nbclient import execute

Cell = list[dict[str, Any]]
"""The outputs of one cell, as in the notebook's file."""
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def run_notebook(folder: Path, *cells: str) -> list[Cell]:
    """Run cells in a kernel of their own; return the outputs of each, errors among them."""
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(content, timeout=120, allow_errors=True, resources=resources)
    execute(client)
    return [_join(cell.outputs) for cell in content.cells]


def _join(outputs: list[Any]) -> Cell:
    """Join pieces of one stream: how many there are is a matter of time."""
    joined: Cell = []
    for output in map(dict, outputs):
        last = joined[-1] if joined else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def read_text(cell: Cell, name: str = "stdout") -> str:
    """Return what a cell wrote to a stream."""
    return "".join(output["text"] for output in cell if output.get("name") == name)


def read_error(cell: Cell) -> str:
    """Return the traceback that a cell ended with, without colours."""
    (error,) = (output for output in cell if output["output_type"] == "error")
    return _ANSI.sub("", "\n".join(error["traceback"]))
