"""Runs the cells of notebooks in one warm IPython process: a script for ``floor.py``.

Reads ``{"notebooks": [[cell, ...], ...], "passes": n}`` from standard input. The first
pass is for imports and fonts and is not counted; the last line printed is the CPU time
of each further pass and how many images the cells of one pass have drawn.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config


def run_all(shell: Any, notebooks: list[list[str]]) -> tuple[float, int]:
    """Run all cells once; return their CPU seconds and the number of images."""
    cpu_s, images = 0.0, 0
    for cells in notebooks:
        # As in a new kernel: nothing of the notebook before is there, not counted.
        shell.reset(new_session=True)
        for cell in cells:
            seconds, drawn = run_cell(shell, cell)
            cpu_s += seconds
            images += drawn
    return cpu_s, images


def run_cell(shell: Any, cell: str) -> tuple[float, int]:
    """Run one cell; return its CPU seconds and the number of images. Exits if it fails."""
    with capture_output() as captured:
        started_s = time.process_time()
        result = shell.run_cell(cell, store_history=True)
        seconds = time.process_time() - started_s
    if not result.success:
        sys.exit(f"A cell failed: {result.error_in_exec or result.error_before_exec}\n{cell}")
    return seconds, sum("image/png" in output.data for output in captured.outputs)


def main() -> None:
    """Run what standard input asks for."""
    asked = json.load(sys.stdin)
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    _, images = run_all(shell, asked["notebooks"])
    passes = [run_all(shell, asked["notebooks"])[0] for _ in range(asked["passes"])]
    sys.stdout.write(json.dumps({"passes": passes, "images": images}) + "\n")


if __name__ == "__main__":
    main()
