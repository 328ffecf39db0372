"""IPython's magics: ``%%nbmemo`` before a cell, ``%nbmemo_status`` for what they did."""

from __future__ import annotations

import logging
import sys
from typing import Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from sphinx_nbcache.memo.cell_line import parse_cell_line
from sphinx_nbcache.memo.cells import CellRun, run_cell
from sphinx_nbcache.memo.opening import get_engine

_LOG = logging.getLogger("sphinx_nbcache")
_LONGEST_TITLE = 40
_LONGEST_NAMES = 30
_MAGIC_HINT = "magic=True is understood as always; write always"


@magics_class
class MemoMagics(Magics):  # type: ignore[misc,unused-ignore]
    """The magics of one shell, with what they did so far."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self._runs: list[CellRun] = []

    @no_var_expand
    @cell_magic
    def nbmemo(self, line: str, cell: str) -> None:
        """Run a cell once; next time put back its variables and show its output again.

        ``%%nbmemo [input=v1,f(x)] [output=v3,v4] [key=NAME] [always]``

        input: expressions on whose values the result depends; output: variables to put
        back. Both are found in the code if they are not given. key: a name for a group of
        results. always: keep the result, however short the cell ran.
        """
        self.run_memoized(line, cell)

    def run_memoized(self, line: str, cell: str) -> None:
        """Run a cell as its line says."""
        options = parse_cell_line(line)
        if options.says_magic:
            _tell(_MAGIC_HINT)
        run = run_cell(self.shell, get_engine(), options, cell)
        self._runs.append(run)
        if run.is_hit:
            # No line on the page, which is to be as it was when the cell ran.
            _LOG.debug("cell %s was not run: %.2f s saved", run.number, run.seconds)
        elif run.problem is not None:
            _tell(f"the result of this cell is not kept: {run.problem}")

    @line_magic
    def nbmemo_status(self, line: str) -> None:
        """Print a table of the memoized cells of this session."""
        sys.stdout.write(_draw_table(self._runs))


def _tell(text: str) -> None:
    sys.stderr.write(f"nbmemo: {text}\n")


def _draw_table(runs: list[CellRun]) -> str:
    """Return a plain table, one line for each run."""
    if not runs:
        return "no memoized cell has run in this session\n"
    titles: tuple[str, ...] = ("cell", "", "seconds", "saved", "variables", "first line")
    rows = [titles, *map(_describe, runs)]
    widths = [max(len(row[number]) for row in rows) for number in range(len(titles))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += [f"cell {run.number} is not kept: {run.problem}" for run in runs if run.problem]
    saved = sum(run.seconds for run in runs if run.is_hit)
    hits = sum(run.is_hit for run in runs)
    lines.append(f"{len(runs)} runs, {hits} hits; {saved:.2f} s saved")
    return "\n".join(lines) + "\n"


def _describe(run: CellRun) -> tuple[str, ...]:
    return (
        f"[{run.number}]",
        "hit" if run.is_hit else "ran",
        "" if run.is_hit else f"{run.seconds:.2f}",
        f"{run.seconds:.2f}" if run.is_hit else "",
        _shorten(", ".join(run.names), _LONGEST_NAMES),
        _shorten(run.title, _LONGEST_TITLE),
    )


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."
