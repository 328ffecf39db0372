"""A job: one notebook with all that is needed to run it.

Owns the execution settings after every override; who reads them from where is not
known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sphinx_nbcache.model.inputs import Declared
from sphinx_nbcache.model.key import Key
from sphinx_nbcache.model.notebook import Notebook
from sphinx_nbcache.model.observation import Observation
from sphinx_nbcache.model.outcome import CellRun, Failure, Status
from sphinx_nbcache.model.outputs import Outputs


class Mode(StrEnum):
    """MyST-NB's execution modes (``nb_execution_mode``)."""

    OFF = "off"
    AUTO = "auto"
    CACHE = "cache"
    FORCE = "force"
    INLINE = "inline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a notebook is to be executed; the names are MyST-NB's ``nb_execution_*``."""

    mode: Mode = Mode.CACHE
    timeout_s: float | None = 30
    """Longest time for one cell; None for no limit."""
    allow_errors: bool = False
    in_temp: bool = False
    excludepatterns: tuple[str, ...] = ()
    kernel_rgx_aliases: tuple[tuple[str, str], ...] = ()
    """(regular expression, kernel name) pairs; the first full match wins."""
    assets: tuple[str, ...] = ()
    """Files that it needs in a temporary folder, relative to its own."""

    def to_json(self) -> str:
        """Return a text form, for those who were not there when they were read."""
        return json.dumps(
            [
                self.mode,
                self.timeout_s,
                self.allow_errors,
                self.in_temp,
                self.excludepatterns,
                self.kernel_rgx_aliases,
            ]
        )

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read the text form back.

        Raises ValueError for anything else.
        """
        try:
            mode, timeout_s, allow_errors, in_temp, patterns, aliases = json.loads(text)
            return cls(
                mode=Mode(mode),
                timeout_s=timeout_s,
                allow_errors=allow_errors,
                in_temp=in_temp,
                excludepatterns=tuple(patterns),
                kernel_rgx_aliases=tuple((expression, name) for expression, name in aliases),
            )
        except TypeError as error:
            raise ValueError("not settings") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a notebook asks of the schedule and of its kernel: its metadata ``nbcache``."""

    is_fresh: bool = False
    """Its kernel is started from nothing, never forked."""
    is_exclusive: bool = False
    """It runs while nothing else does."""
    resources: tuple[str, ...] = ()
    """Names it shares with no more notebooks than their capacity allows."""
    timeout_s: float | None = None
    """Longest time for all its cells together; None for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One notebook to run, and how."""

    name: str
    notebook: Notebook
    key: Key
    kernel: str
    working_directory: Path | None
    """None for a temporary folder of its own."""
    assets: tuple[Path, ...] = ()
    """Files that are copied into the temporary folder, from the notebook's folder or below."""
    timeout_s: float | None
    """Longest time for one cell; None for no limit."""
    allow_errors: bool
    demands: Demands = Demands()
    declared: Declared = field(default_factory=Declared)
    after: tuple[str, ...] = ()
    """Names of the notebooks that have to end before this one starts."""
    question: bytes = b""
    """What is asked, of which the key is the digest."""
    retries: int = 0
    """How often it is run again when a cell of it failed."""
    memory_limit_bytes: int | None = None
    """What its kernel's process may use for data; None for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What executing one job gave."""

    job: Job
    status: Status
    outputs: Outputs
    cells: tuple[CellRun, ...]
    started_at: float
    """POSIX timestamp."""
    seconds: float
    failure: Failure | None = None
    attempts: int = 1
    """How often it was run; all else here is of the last time."""
    first_failure: Failure | None = None
    """Why the first attempt failed, where there was another."""
    modules: frozenset[str] | None = None
    """Libraries that it was seen to import, of those that kernels may share; None if unknown."""
    observation: Observation | None = None
    """What its kernel was seen to read and write; None where nobody could look."""
    phases: Mapping[str, float] = field(default_factory=dict)
    """Seconds of the last attempt: ``start``, ``ready``, ``cells``, ``shutdown``."""
    left: Path | None = None
    """Folder with the files that it left in its temporary folder; whoever takes the run
    removes it. None where there are none."""
