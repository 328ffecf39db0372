"""Where a code cell stands in its source file; asked only when a cell failed."""

from __future__ import annotations

from sphinx_nbcache.model import Notebook


def find_file_line(notebook: Notebook, text: str, *, cell: int, line: int = 1) -> int | None:
    """Return the line of the file, from 1, where a line of a code cell stands.

    :param text: the file's text.
    :param cell: number of the code cell, from 1.
    :param line: line in the cell, from 1.

    Returns None for ``.ipynb``, whose lines mean nothing to people, and for cells whose
    code does not stand in the file as it is (``:load:``, commented magics).
    """
    if notebook.path.suffix == ".ipynb":
        return None
    lines = text.splitlines()
    start = 0
    for candidate in notebook.iterate_code_cells():
        code = candidate.source.splitlines()
        found = _find_run(lines, code, start)
        if candidate.number == cell:
            return None if found is None else found + line
        start = start if found is None else found + len(code)
    return None


def _find_run(lines: list[str], run: list[str], start: int) -> int | None:
    """Return the first index from ``start`` at which all lines of a run stand."""
    for index in range(start, len(lines) - len(run) + 1):
        if lines[index : index + len(run)] == run:
            return index
    return None
