"""What is looked at, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Health(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but slower or less safely than it could."""
    PROBLEM = "problem"
    """Something does not work."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at."""

    folder: Path
    """The current folder, from which the project is found."""
    path: Path | None = None
    """The cache's folder, where the command line names it."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What one check found."""

    check: str
    """Its name, which scripts may rely on."""
    health: Health
    text: str
    advice: str = ""
    """What to do next; empty where nothing is to be done."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """The same for scripts: values of JSON."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: what scripts read, so no name in it ever changes."""
        return {
            "check": self.check,
            "health": str(self.health),
            "text": self.text,
            "advice": self.advice,
            "details": dict(self.details),
        }
