"""From events to a text with tables for people and a JSON file for everything else."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.breakdown import break_down
from benchmarks.floor import usable_cores
from benchmarks.prerequisites import installed_version
from benchmarks.samples import Crash, Event, Floor, Sample, Site
from benchmarks.summary import Summary, summarise
from benchmarks.tables import (
    breakdown_table,
    floor_table,
    scaling_table,
    site_table,
    target_table,
)
from benchmarks.targets import judge

PACKAGES = (
    *("sphinx", "myst-nb", "jupyter-cache", "sphinx-nbcache", "ipykernel", "nbclient"),
    *("numpy", "pandas", "matplotlib"),
)
FORMATS = {"mixed": "half MyST Markdown, half .ipynb", "ipynb": "all .ipynb"}


def describe(events: Sequence[Event], kernels: int | None, memory: str) -> str:
    """Return all tables of a run as Markdown."""
    summary = summarise(events, kernels)
    sections = [circumstances(kernels, memory)]
    verdicts = judge(summary)
    if verdicts:
        sections += ["## Targets", target_table(verdicts)]
    sections += _site_sections(summary)
    breakdowns = break_down(events)
    if breakdowns:
        sections += ["## Seconds of a notebook, mean / greatest", breakdown_table(breakdowns)]
    sections += _scaling_sections(summary)
    return "\n\n".join(sections) + "\n"


def circumstances(kernels: int | None, memory: str) -> str:
    """Return one line that tells what the figures of a run were measured with."""
    host = _host()
    packages = ", ".join(
        f"{name} {version}" for name in PACKAGES if (version := installed_version(name))
    )
    at_a_time = "as many kernels as cores" if kernels is None else f"{kernels} kernels"
    return (
        f"{host['cores_usable']} cores, {host['system']}, {at_a_time} of ours at a time, "
        f"memory as {memory.upper()}; Python {host['python']}, {packages}"
    )


def write_json(
    path: Path, events: Sequence[Event], options: dict[str, object], memory: str
) -> None:
    """Write all raw samples, the options and what they were measured with to a file."""
    content = {
        "options": options,
        "host": {**_host(), "memory_measure": memory},
        "versions": {name: installed_version(name) for name in PACKAGES},
        "floors": [asdict(event) for event in events if isinstance(event, Floor)],
        "samples": [asdict(event) for event in events if isinstance(event, Sample)],
        "crashes": [asdict(event) for event in events if isinstance(event, Crash)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _site_sections(summary: Summary) -> Iterator[str]:
    for site in summary.sites:
        yield f"## {_title(site)}"
        yield site_table(summary, site)
        for floor in summary.floors:
            if floor.site == site:
                yield _floor_line(floor)
                yield floor_table(summary, floor)


def _title(site: Site) -> str:
    return f"{site.notebooks} {site.kind} notebooks, {FORMATS[site.formats]}"


def _floor_line(floor: Floor) -> str:
    return (
        f"Floor: {floor.seconds:.3f} s = {floor.cpu_s:.3f} CPU seconds of the cells alone "
        f"({floor.images} images) on {floor.cores} cores."
    )


def _scaling_sections(summary: Summary) -> Iterator[str]:
    sizes = Counter(site.kind for site in summary.sites)
    for kind, count in sizes.items():
        if count > 1:
            yield f"## Cost per notebook, {kind}"
            yield scaling_table(summary, kind)


def _host() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "cores_usable": usable_cores(),
    }
