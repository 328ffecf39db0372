"""The values that a benchmark collects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FORMATS = ("mixed", "ipynb")
PHASES = ("start", "ready", "cells", "shutdown", "save")


@dataclass(frozen=True, slots=True)
class Site:
    """A documentation to build: how many notebooks of which kind.

    ``formats`` is ``mixed`` for one half MyST Markdown and one half .ipynb, or ``ipynb``.
    """

    kind: str
    notebooks: int
    formats: str = "mixed"

    def __str__(self) -> str:
        """Return it as people say it."""
        return f"{self.notebooks} {self.kind}"


@dataclass(frozen=True, slots=True)
class Case:
    """What is built, in which scenario and by which tool: the heading of a figure."""

    site: Site
    scenario: str
    tool: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What one build took; see ``measure`` for the exact meaning of each number."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    lingered_s: float = 0.0


@dataclass(frozen=True, slots=True)
class NotebookRun:
    """One notebook that ran in a build of ours, as the report of that build tells."""

    name: str
    seconds: float
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds by phase; empty when the report has none."""

    @property
    def whole_s(self) -> float:
        """From the start of its kernel to its outputs being saved, as far as is known."""
        return sum(self.phases.values()) if self.phases else self.seconds


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured build."""

    case: Case
    round: int
    usage: Usage
    runs: tuple[NotebookRun, ...] = ()


@dataclass(frozen=True, slots=True)
class Crash:
    """One build that failed and was to be tried again."""

    case: Case
    round: int
    attempt: int
    exit_code: int
    reason: str
    last_lines: str


@dataclass(frozen=True, slots=True)
class Floor:
    """What no tool can save: the CPU time of the cells of a site, in one warm process."""

    site: Site
    cpu_s: float
    images: int
    cores: int

    @property
    def seconds(self) -> float:
        """The least wall time of all cells on these cores."""
        return self.cpu_s / self.cores


Event = Sample | Crash | Floor
