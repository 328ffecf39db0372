"""Samples for the tests of figures and tables."""

from __future__ import annotations

from benchmarks.samples import Case, NotebookRun, Sample, Site, Usage

TINY = Site("tiny", 24)


def samples(
    tool: str,
    *wall_s: float,
    site: Site = TINY,
    scenario: str = "cold",
    runs: tuple[NotebookRun, ...] = (),
) -> list[Sample]:
    """Return a sample for each of the wall seconds; CPU is half and MiB ten times as much."""
    case = Case(site, scenario, tool)
    return [
        Sample(case, number, Usage(seconds, seconds / 2, seconds * 10), runs)
        for number, seconds in enumerate(wall_s, start=1)
    ]
