"""Notebooks that look executed, so that no kernel is needed to fill a cache."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sphinx_nbcache.testing import code_cell, write_notebook


def make_executed(code: str, text: str, count: int | None = 1) -> dict[str, Any]:
    """Return a cell that has printed a text."""
    stream = {"output_type": "stream", "name": "stdout", "text": text}
    return {**code_cell(code, outputs=[stream]), "execution_count": count}


def write_executed(path: Path, cells: Iterable[tuple[str, str]] = (("print(1)", "1\n"),)) -> Path:
    """Write a notebook whose cells have printed something, in their order."""
    made = (make_executed(code, text, n) for n, (code, text) in enumerate(cells, 1))
    return write_notebook(path, *made)
