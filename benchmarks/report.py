"""From samples to a table for people and a JSON file for everything else."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.prerequisites import installed_version
from benchmarks.samples import Crash, Sample, Usage
from benchmarks.tools import BASELINE

PACKAGES = ("sphinx", "myst-nb", "jupyter-cache", "sphinx-nbcache", "ipykernel", "nbclient")
HEADER = (
    *("kind", "scenario", "tool", "rounds"),
    *("wall s", "x stock", "CPU s", "x stock", "peak MiB", "x stock"),
    "crashes",
)
TEXT_COLUMNS = 3
UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some numbers, the least and the greatest of them."""

    median: float
    low: float
    high: float

    def text(self, digits: int) -> str:
        """Return it as ``median (low-high)``."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; spreads are None when every attempt crashed.

    ``ratios`` are the medians of wall, CPU and peak divided by those of stock.
    """

    kind: str
    scenario: str
    tool: str
    rounds: int
    crashes: int
    wall_s: Spread | None
    cpu_s: Spread | None
    peak_mib: Spread | None
    ratios: tuple[float, float, float] | None


def summarise(events: Sequence[Sample | Crash]) -> tuple[Row, ...]:
    """Return one row for each kind, scenario and tool, in the order of first appearance."""
    keys = dict.fromkeys((event.kind, event.scenario, event.tool) for event in events)
    return tuple(_row(events, *key) for key in keys)


def table(rows: Iterable[Row]) -> str:
    """Return the rows as an aligned table of plain text."""
    lines = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_aligned(line, widths) for line in lines)


def circumstances(notebooks: int, memory: str) -> str:
    """Return one line that tells what the figures of a table were measured with."""
    host = _host()
    packages = ", ".join(
        f"{name} {version}" for name in PACKAGES if (version := installed_version(name))
    )
    return (
        f"{notebooks} notebooks per tree, {host['cores_usable']} cores, {host['system']}, "
        f"memory as {memory.upper()}; Python {host['python']}, {packages}"
    )


def write_json(
    path: Path, events: Sequence[Sample | Crash], options: dict[str, object], memory: str
) -> None:
    """Write all raw samples, the options and what they were measured with to a file."""
    content = {
        "options": options,
        "host": {**_host(), "memory_measure": memory},
        "versions": {name: installed_version(name) for name in PACKAGES},
        "samples": [asdict(event) for event in events if isinstance(event, Sample)],
        "crashes": [asdict(event) for event in events if isinstance(event, Crash)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _host() -> dict[str, object]:
    affinity = getattr(os, "sched_getaffinity", None)
    cores = os.cpu_count()
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores,
        "cores_usable": len(affinity(0)) if affinity else cores,
    }


def _row(events: Sequence[Sample | Crash], kind: str, scenario: str, tool: str) -> Row:
    usages = _usages(events, kind, scenario, tool)
    crashes = sum(
        isinstance(event, Crash)
        and (event.kind, event.scenario, event.tool) == (kind, scenario, tool)
        for event in events
    )
    if not usages:
        return Row(kind, scenario, tool, 0, crashes, None, None, None, None)
    spreads = _spreads(usages)
    baseline = _usages(events, kind, scenario, BASELINE)
    ratios = _ratios(spreads, _spreads(baseline)) if baseline else None
    return Row(kind, scenario, tool, len(usages), crashes, *spreads, ratios)


def _usages(events: Sequence[Sample | Crash], kind: str, scenario: str, tool: str) -> list[Usage]:
    return [
        event.usage
        for event in events
        if isinstance(event, Sample)
        and (event.kind, event.scenario, event.tool) == (kind, scenario, tool)
    ]


def _spreads(usages: Sequence[Usage]) -> tuple[Spread, Spread, Spread]:
    return (
        _spread([usage.wall_s for usage in usages]),
        _spread([usage.cpu_s for usage in usages]),
        _spread([usage.peak_mib for usage in usages]),
    )


def _spread(numbers: Sequence[float]) -> Spread:
    return Spread(median(numbers), min(numbers), max(numbers))


def _ratios(
    ours: tuple[Spread, Spread, Spread], theirs: tuple[Spread, Spread, Spread]
) -> tuple[float, float, float]:
    wall, cpu, peak = (our.median / their.median for our, their in zip(ours, theirs, strict=True))
    return wall, cpu, peak


def _cells(row: Row) -> tuple[str, ...]:
    wall_ratio, cpu_ratio, peak_ratio = (
        (f"{ratio:.2f}" for ratio in row.ratios) if row.ratios else (UNKNOWN,) * 3
    )
    return (
        *(row.kind, row.scenario, row.tool, str(row.rounds)),
        *(row.wall_s.text(2) if row.wall_s else UNKNOWN, wall_ratio),
        *(row.cpu_s.text(2) if row.cpu_s else UNKNOWN, cpu_ratio),
        *(row.peak_mib.text(0) if row.peak_mib else UNKNOWN, peak_ratio),
        str(row.crashes),
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if column < TEXT_COLUMNS else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()
