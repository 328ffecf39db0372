"""Builds for the tests of the benchmark that take no time: real files, no Sphinx, no kernel.

What counts of a build is done: pages show the checksums of the code, executed notebooks
lie beside them, ours keep what ran in a cache and tell it in their report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Run
from benchmarks.samples import Usage

TOTAL = re.compile(r"total = 7919 \* (\d+) \+ (\d+)")
NEVER: Callable[[str, int], bool] = lambda folder, seen: False  # noqa: E731
PHASES = {"start": 0.1, "ready": 0.2, "cells": 0.3, "shutdown": 0.0, "save": 0.01}


class PretendedBuilds:
    """Stands in for ``measure``: notes the folder of each build, fails when told to."""

    def __init__(self, fails: Callable[[str, int], bool] = NEVER, *, forgets: bool = False) -> None:
        self.fails = fails
        self.forgets = forgets
        self.folders: list[str] = []

    def __call__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
        """Build, unless this one is to fail."""
        self.folders.append(f"{folder.parent.name}/{folder.name}")
        if self.fails(self.folders[-1], self.folders.count(self.folders[-1])):
            return Run(2, "a\nb\n", Usage(1.0, 1.0, 1.0))
        source, output = Path(command[-2]), Path(command[-1])
        cache = [option for option in command if option.startswith("nbcache_path=")]
        codes = {path.stem: _codes(path) for path in sorted(source.glob("notebook_*"))}
        _write_pages(output, codes)
        if cache and not self.forgets:
            _report(output, codes, Path(cache[0].partition("=")[2]))
        elif cache:
            _report(output, codes, folder / "elsewhere" / str(len(self.folders)))
        return Run(0, "", Usage(1.0, 1.0, 1.0))


def _codes(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return [block.split("\n```")[0] for block in text.split("{code-cell} ipython3\n")[1:]]
    cells = json.loads(text)["cells"]
    return [cell["source"] for cell in cells if cell["cell_type"] == "code"]


def _write_pages(output: Path, codes: Mapping[str, Sequence[str]]) -> None:
    executed = output.parent / "jupyter_execute"
    output.mkdir(parents=True, exist_ok=True)
    executed.mkdir(exist_ok=True)
    for name, cells in codes.items():
        checksum = _checksum(cells)
        (output / f"{name}.html").write_text(f"<pre>{checksum}</pre>", encoding="utf-8")
        content = {
            "cells": [_executed_cell(cell, checksum) for cell in cells],
            "metadata": {"language_info": {"name": "python"}},
        }
        (executed / f"{name}.ipynb").write_text(json.dumps(content), encoding="utf-8")


def _checksum(cells: Sequence[str]) -> str:
    found = TOTAL.search("\n".join(cells))
    assert found
    number, edition = map(int, found.groups())
    return f"checksum-{7919 * number + edition}"


def _executed_cell(source: str, checksum: str) -> dict[str, object]:
    output = {"output_type": "stream", "name": "stdout", "text": [f"{checksum}\n"]}
    prints = "print(" in source
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "execution_count": 1,
        "outputs": [output] if prints else [],
    }


def _report(output: Path, codes: Mapping[str, Sequence[str]], cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    notebooks = []
    for name, cells in codes.items():
        entry = cache / _checksum(cells)
        status = "hit" if entry.exists() else "ran"
        entry.touch()
        phases = {"phases": PHASES} if status == "ran" else {}
        notebooks.append({"docname": name, "status": status, "seconds": 0.6, **phases})
    path = output / "_nbcache" / "report.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"notebooks": notebooks}), encoding="utf-8")
