"""The values that a benchmark collects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """What one build took; see ``measure`` for the exact meaning of each number."""

    wall_s: float
    cpu_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured build."""

    kind: str
    scenario: str
    tool: str
    round: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Crash:
    """One build that failed and was to be tried again."""

    kind: str
    scenario: str
    tool: str
    round: int
    attempt: int
    exit_code: int
    reason: str
    last_lines: str
