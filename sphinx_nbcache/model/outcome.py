"""How notebooks ended: cells, failures, one notebook's outcome, a whole report.

Owns these values and their sums; how they are shown is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sphinx_nbcache.model.inputs import Declared, Inputs
from sphinx_nbcache.model.key import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that the notebook wrote; ``path`` is relative to the project root."""

    path: str
    digest: str
    mode: int


class Status(StrEnum):
    """How one notebook ended in one build."""

    HIT = "hit"
    RAN = "ran"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"

    @property
    def is_failure(self) -> bool:
        """Return whether the page lacks outputs it should have."""
        return self in (Status.FAILED, Status.TIMED_OUT)


class CellStatus(StrEnum):
    """How one code cell ended."""

    OK = "ok"
    ERROR = "error"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    """Tagged ``skip-execution``."""
    NOT_RUN = "not_run"
    """An earlier cell ended the run."""


@dataclass(frozen=True, slots=True)
class CellRun:
    """When one code cell ran, for how long, and how it ended."""

    number: int
    """Position among the notebook's code cells, from 1."""
    status: CellStatus
    started_at: float | None = None
    """POSIX timestamp; None where the cell never started."""
    seconds: float = 0.0

    def to_json(self) -> list[Any]:
        """Return the compact JSON form kept in entries and in Sphinx's environment."""
        return [self.number, str(self.status), self.started_at, round(self.seconds, 6)]

    @classmethod
    def from_json(cls, value: list[Any]) -> CellRun:
        """Read the compact JSON form back."""
        number, status, started_at, seconds = value
        return cls(number, CellStatus(status), started_at, seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a notebook failed, and where."""

    name: str
    """The exception's class, or the package's own word: DeadKernelError, CellTimeoutError..."""
    message: str
    cell: int | None = None
    """Number of the code cell, from 1."""
    line: int | None = None
    """Line in that cell, from 1."""
    code: str = ""
    """Text of that line."""
    file_line: int | None = None
    """Line in the source file, from 1, where the format has lines that mean something."""
    traceback: str = ""

    @property
    def place(self) -> str:
        """Return the place inside the notebook: ``cell 2, line 3``."""
        if self.cell is None:
            return ""
        return f"cell {self.cell}" + (f", line {self.line}" if self.line else "")

    @property
    def headline(self) -> str:
        """Return exception, place and message."""
        where = f" in {self.place}" if self.place else ""
        return f"{self.name}{where}: {self.message}" if self.message else f"{self.name}{where}"

    def describe(self) -> str:
        """Return what people read: exception, place, message and the line of code."""
        return f"{self.headline}\n    {self.code}" if self.code else self.headline

    def is_same_as(self, other: Failure | None) -> bool:
        """Return whether two failures tell the reader the same."""
        return other is not None and self.describe() == other.describe()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one notebook ended in one build, and where its outputs lie."""

    name: str
    """Document name, or path relative to the project root."""
    path: Path
    status: Status
    reason: str
    key: Key | None = None
    kernel: str = ""
    seconds: float = 0.0
    """Duration of the run that made the outputs, kernel start included."""
    executed_at: float | None = None
    """POSIX timestamp of that run's start."""
    cells: tuple[CellRun, ...] = ()
    failure: Failure | None = None
    attempts: int = 1
    """How often it was run in this build; all else here is of the last time."""
    first_failure: Failure | None = None
    """Why the first attempt failed, where there was another."""
    outputs: str | None = None
    """Digest of the outputs object."""
    changes: tuple[str, ...] = ()
    """All that made it stale; ``reason`` says it in short."""
    inputs: Inputs = field(default_factory=Inputs)
    """What the run that made the outputs was seen to read."""
    artifacts: tuple[Artifact, ...] = ()
    """Files that it wrote."""
    declared: Declared = field(default_factory=Declared)
    """What its outputs depend on beside what was seen."""
    notes: tuple[str, ...] = ()
    """What makes it more than its inputs: ``network``, ``processes``, ``unobserved``,
    ``imported``."""
    warnings: tuple[str, ...] = ()
    """Changes that do not make it stale, because ``nbcache_track`` says so."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds that its run in this build took to ``start`` the kernel, until that was
    ``ready``, for its ``cells``, to ``shutdown`` and to ``save``; empty if it did not run."""

    @property
    def slowest_cell(self) -> CellRun | None:
        """Return the cell that took longest, if any ran."""
        return max(self.cells, key=lambda cell: cell.seconds, default=None)

    @property
    def retry_note(self) -> str:
        """Return what people read of a notebook that was run again; empty for others."""
        if self.first_failure is None:
            return ""
        return f"attempt {self.attempts}; the first failed: {self.first_failure.headline}"


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a report."""

    notebooks: int
    hits: int
    ran: int
    retried: int
    """How many of those that ran had failed before in this build."""
    failed: int
    skipped: int
    seconds: float
    """Wall seconds spent executing in this build."""
    saved_seconds: float
    """Seconds that the hits took when they ran."""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes of one build, ordered by name."""

    outcomes: tuple[Outcome, ...]
    seconds: float = 0.0
    """Wall seconds spent executing."""
    changed: frozenset[str] = frozenset()
    """Files below the root, by name, that notebooks wrote or that were put back."""

    def unite(self, later: Report) -> Report:
        """Return this report with the outcomes of a later one in the place of its own."""
        outcomes = {outcome.name: outcome for outcome in (*self.outcomes, *later.outcomes)}
        return Report(
            tuple(outcomes[name] for name in sorted(outcomes)),
            self.seconds + later.seconds,
            self.changed | later.changed,
        )

    @property
    def totals(self) -> Totals:
        """Sum the outcomes up."""
        statuses = [outcome.status for outcome in self.outcomes]
        return Totals(
            notebooks=len(statuses),
            hits=statuses.count(Status.HIT),
            ran=statuses.count(Status.RAN),
            retried=sum(o.status is Status.RAN and o.attempts > 1 for o in self.outcomes),
            failed=sum(status.is_failure for status in statuses),
            skipped=statuses.count(Status.SKIPPED),
            seconds=self.seconds,
            saved_seconds=sum(o.seconds for o in self.outcomes if o.status is Status.HIT),
        )

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Return the outcomes that lack outputs they should have."""
        return tuple(outcome for outcome in self.outcomes if outcome.status.is_failure)
