"""What the project wants to reach, and whether a run of the benchmark shows it.

A target belongs to a size of site; a run that has not built it says nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.samples import Site
from benchmarks.summary import Summary


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target beside what was measured."""

    what: str
    figures: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Faster:
    """Be at least so many times as fast as a peer."""

    kind: str
    notebooks: int
    scenario: str
    tool: str
    peer: str
    wanted: float

    def judge(self, summary: Summary, site: Site) -> Verdict | None:
        """Return the verdict on a site, or None when it was not measured there."""
        if (site.kind, site.notebooks) != (self.kind, self.notebooks):
            return None
        measured = summary.speed_up(site, self.scenario, of=self.tool, over=self.peer)
        if measured is None:
            return None
        what = f"{site}, {self.scenario}: `{self.tool}` as fast as `{self.peer}`"
        figures = f"{self.wanted:.1f} x wanted, {measured:.1f} x measured"
        return Verdict(what, figures, measured >= self.wanted)


@dataclass(frozen=True, slots=True)
class NotSlower:
    """On a site of whatever kind, take at most so many times as long as a peer."""

    notebooks: int
    scenario: str
    tool: str
    peer: str
    allowed: float

    def judge(self, summary: Summary, site: Site) -> Verdict | None:
        """Return the verdict on a site, or None when it was not measured there."""
        speed_up = summary.speed_up(site, self.scenario, of=self.tool, over=self.peer)
        if site.notebooks != self.notebooks or speed_up is None:
            return None
        what = f"{site}, {self.scenario}: seconds of `{self.tool}` by those of `{self.peer}`"
        return _at_most(what, self.allowed, 1 / speed_up, "x")


@dataclass(frozen=True, slots=True)
class EditedExtra:
    """One edited notebook may cost so much more than a no-op build and its own run."""

    notebooks: int
    tool: str
    allowed_s: float

    def judge(self, summary: Summary, site: Site) -> Verdict | None:
        """Return the verdict on a site, or None when it was not measured there."""
        edited_s = summary.wall_s(site, "edited", self.tool)
        no_op_s = summary.wall_s(site, "no-op", self.tool)
        own_run_s = summary.own_run_s(site, "edited", self.tool)
        if site.notebooks != self.notebooks or not (edited_s and no_op_s and own_run_s):
            return None
        what = f"{site}, edited: `{self.tool}` beyond its no-op and the notebook's own run"
        return _at_most(what, self.allowed_s, edited_s - no_op_s - own_run_s, "s")


@dataclass(frozen=True, slots=True)
class NotBigger:
    """With so many kernels at a time, a cold build takes no more memory than a peer."""

    kernels: int
    tool: str
    peer: str

    def judge(self, summary: Summary, site: Site) -> Verdict | None:
        """Return the verdict on a site, or None when it was not measured there."""
        ours = summary.peak_mib(site, "cold", self.tool)
        theirs = summary.peak_mib(site, "cold", self.peer)
        if summary.kernels != self.kernels or not ours or not theirs:
            return None
        what = f"{site}, cold, {self.kernels} kernels: peak memory of `{self.tool}`"
        return _at_most(f"{what} by that of `{self.peer}`", 1.0, ours / theirs, "x")


Target = Faster | NotSlower | EditedExtra | NotBigger

TARGETS: tuple[Target, ...] = (
    Faster("scientific", 100, "cold", "nbcache", "stock-j2", 10),
    Faster("scientific", 100, "cold", "nbcache", "stock", 15),
    Faster("scientific", 100, "cold", "nbcache-fork", "stock-j2", 3),
    Faster("tiny", 24, "cold", "nbcache", "stock-j2", 6),
    NotSlower(1000, "warm", "nbcache", "stock-off", 1.05),
    NotSlower(1000, "warm", "nbcache-j2", "stock-off-j2", 1.05),
    NotSlower(1000, "no-op", "nbcache", "stock", 1.03),
    NotSlower(1000, "no-op", "nbcache", "stock-off", 1.03),
    EditedExtra(1000, "nbcache", 1.5),
    NotBigger(4, "nbcache", "stock-j4"),
)


def judge(summary: Summary) -> tuple[Verdict, ...]:
    """Return a verdict for each target that the summary says something of."""
    verdicts = (target.judge(summary, site) for target in TARGETS for site in summary.sites)
    return tuple(verdict for verdict in verdicts if verdict)


def _at_most(what: str, allowed: float, measured: float, unit: str) -> Verdict:
    figures = f"at most {allowed:.2f} {unit} wanted, {measured:.2f} {unit} measured"
    return Verdict(what, figures, measured <= allowed)
