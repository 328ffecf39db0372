"""Where the time of a notebook goes: read from the report of a build of ours."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.samples import PHASES, Case, Event, NotebookRun, Sample

REPORT = Path("_nbcache", "report.json")
# What the report says of a notebook for which a kernel was started.
_RAN = ("ran", "failed", "timed_out")


@dataclass(frozen=True, slots=True)
class Phase:
    """The seconds that one phase took, over all notebooks that ran."""

    name: str
    mean_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The phases of all notebooks that ran in the builds of one case."""

    case: Case
    notebooks: int
    phases: tuple[Phase, ...]


def read_runs(output: Path) -> tuple[NotebookRun, ...] | None:
    """Return the notebooks that ran in the build that made this output folder.

    None when the build left no report: it was none of ours.
    """
    path = output / REPORT
    if not path.is_file():
        return None
    notebooks = json.loads(path.read_text(encoding="utf-8"))["notebooks"]
    return tuple(_run(notebook) for notebook in notebooks if notebook["status"] in _RAN)


def break_down(events: Iterable[Event]) -> tuple[Breakdown, ...]:
    """Return a breakdown for each case in which notebooks ran and told their phases."""
    runs: dict[Case, list[NotebookRun]] = {}
    for event in events:
        if isinstance(event, Sample):
            told = [run for run in event.runs if run.phases]
            runs.setdefault(event.case, []).extend(told)
    return tuple(
        Breakdown(case, len(told), tuple(_phase(name, told) for name in PHASES))
        for case, told in runs.items()
        if told
    )


def _run(notebook: dict[str, Any]) -> NotebookRun:
    return NotebookRun(notebook["docname"], notebook["seconds"], notebook.get("phases") or {})


def _phase(name: str, runs: list[NotebookRun]) -> Phase:
    seconds = [run.phases.get(name, 0.0) for run in runs]
    return Phase(name, fmean(seconds), max(seconds))
