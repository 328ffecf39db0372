"""From samples to figures: one row for each case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.samples import Case, Crash, Event, Floor, Sample, Site, Usage


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
    """The figures of one case; spreads are None when every attempt crashed.

    ``own_run_s`` is the median of what a notebook took that ran in it, from the start of
    its kernel to its outputs being saved; None when none ran or nobody said.
    """

    case: Case
    rounds: int
    crashes: int
    wall_s: Spread | None = None
    cpu_s: Spread | None = None
    peak_mib: Spread | None = None
    lingered_s: float = 0.0
    own_run_s: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """All that was measured, ready to be compared."""

    rows: tuple[Row, ...]
    floors: tuple[Floor, ...] = ()
    kernels: int | None = None
    """How many kernels our tools ran at a time, if they were told."""

    @property
    def sites(self) -> tuple[Site, ...]:
        """The sites, in the order of first appearance."""
        return tuple(dict.fromkeys(row.case.site for row in self.rows))

    def row(self, site: Site, scenario: str, tool: str) -> Row | None:
        """Return the row of a case, or None when it was not measured."""
        case = Case(site, scenario, tool)
        return next((row for row in self.rows if row.case == case), None)

    def wall_s(self, site: Site, scenario: str, tool: str) -> float | None:
        """Return the median of a case's wall seconds, or None."""
        row = self.row(site, scenario, tool)
        return row.wall_s.median if row and row.wall_s else None

    def own_run_s(self, site: Site, scenario: str, tool: str) -> float | None:
        """Return what a notebook took that ran in a case, or None."""
        row = self.row(site, scenario, tool)
        return row.own_run_s if row else None

    def peak_mib(self, site: Site, scenario: str, tool: str) -> float | None:
        """Return the median of a case's peak memory, or None."""
        row = self.row(site, scenario, tool)
        return row.peak_mib.median if row and row.peak_mib else None

    def speed_up(self, site: Site, scenario: str, *, of: str, over: str) -> float | None:
        """Return how many times as fast one tool is as another, or None."""
        ours, theirs = self.wall_s(site, scenario, of), self.wall_s(site, scenario, over)
        return theirs / ours if ours and theirs else None


def summarise(events: Sequence[Event], kernels: int | None = None) -> Summary:
    """Return one row for each case, in the order of first appearance."""
    cases = dict.fromkeys(event.case for event in events if not isinstance(event, Floor))
    floors = tuple(event for event in events if isinstance(event, Floor))
    return Summary(tuple(_row(case, events) for case in cases), floors, kernels)


def _row(case: Case, events: Iterable[Event]) -> Row:
    of_case = [event for event in events if not isinstance(event, Floor) and event.case == case]
    samples = [event for event in of_case if isinstance(event, Sample)]
    crashes = sum(isinstance(event, Crash) for event in of_case)
    if not samples:
        return Row(case, 0, crashes)
    own_runs = [run.whole_s for sample in samples for run in sample.runs]
    return Row(
        case,
        len(samples),
        crashes,
        wall_s=_spread(samples, lambda usage: usage.wall_s),
        cpu_s=_spread(samples, lambda usage: usage.cpu_s),
        peak_mib=_spread(samples, lambda usage: usage.peak_mib),
        lingered_s=max(sample.usage.lingered_s for sample in samples),
        own_run_s=median(own_runs) if own_runs else None,
    )


def _spread(samples: Iterable[Sample], choose: Callable[[Usage], float]) -> Spread:
    numbers = [choose(sample.usage) for sample in samples]
    return Spread(median(numbers), min(numbers), max(numbers))
