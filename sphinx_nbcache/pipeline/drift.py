"""The drift check: hits run again in a scratch place, and their outputs are compared.

What comes out differently although nothing that it reads has changed is not
deterministic. Nothing is stored, and nothing in the project is written.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Job, Outcome, Outputs, Run, Status
from sphinx_nbcache.pipeline.build import open_executor
from sphinx_nbcache.pipeline.comparison import CellDrift, Normaliser, compare_outputs
from sphinx_nbcache.pipeline.memo_handover import MemoHandover
from sphinx_nbcache.pipeline.plan import make_plan
from sphinx_nbcache.pipeline.project import Project, relate
from sphinx_nbcache.pipeline.schedule import Schedule
from sphinx_nbcache.pipeline.scratch import Scratch
from sphinx_nbcache.pipeline.source import Reading, Source
from sphinx_nbcache.pipeline.standing import Look, look
from sphinx_nbcache.reading import read_text
from sphinx_nbcache.running import hold_interruptions

if TYPE_CHECKING:
    from sphinx_nbcache.running import Executor

__all__ = ["CellDrift", "Drift", "check"]

_TICK_S = 0.2
_OUTSIDE = "it lies outside of the project root"
_LOST = "its outputs in the cache are damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What running a notebook again showed."""

    name: str
    """Document name, or path relative to the project root."""
    path: Path
    cells: tuple[CellDrift, ...] = ()
    """The outputs that were different the second time."""
    failure: str = ""
    """Why it failed the second time; empty if it did not."""
    skip_reason: str = ""
    """Why it was not checked; empty if it was."""
    seconds: float = 0.0
    """How long the second run took."""

    @property
    def has_drifted(self) -> bool:
        """Return whether the second run gave something else."""
        return bool(self.cells or self.failure)

    def to_json(self, root: Path) -> dict[str, Any]:
        """Return the JSON form: what scripts read, so no name in it ever changes.

        :param root: the project root, from which the path counts.
        """
        return {
            "name": self.name,
            "path": relate(self.path, root),
            "has_drifted": self.has_drifted,
            "cells": [{"cell": n, "what": what, "diff": diff} for n, what, diff in self.cells],
            "failure": self.failure,
            "skip_reason": self.skip_reason,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class _Case:
    """A hit that is to be run again."""

    job: Job
    outcome: Outcome
    outputs: Outputs


@dataclass(slots=True)
class _Rerun:
    """A second run that is going on."""

    case: _Case
    root: Path
    place: ExitStack = field(default_factory=ExitStack)
    """The scratch folder, which goes when this is closed."""


def check(
    sources: Iterable[Source],
    *,
    reading: Reading,
    project: Project,
    finished: Callable[[Drift], None],
) -> tuple[Drift, ...]:
    """Run the hits among some sources again, and compare what they give.

    :param finished: gets each result as it comes; those that are not checked first.

    Returns one value for each notebook that has code, in the order of the sources.
    """
    sources = list(sources)
    found = look(sources, reading, project)
    checking = _Check(project, found, finished)
    cases = []
    for source in sources:
        item = checking.prepare(source, reading)
        if isinstance(item, _Case):
            cases.append(item)
        elif item is not None:
            checking.note(item)
    if cases:
        checking.run(cases)
    names = [source.name for source in sources]
    return tuple(checking.results[name] for name in names if name in checking.results)


class _Check:
    """One check of some notebooks."""

    def __init__(self, project: Project, found: Look, finished: Callable[[Drift], None]) -> None:
        self.results: dict[str, Drift] = {}
        self._project = project
        self._found = found
        self._finished = finished
        self._scratch = Scratch(project, found.lookup.present)
        self._flying: dict[Future[Run], _Rerun] = {}

    def note(self, drift: Drift) -> None:
        """Take note of a result."""
        self.results[drift.name] = drift
        self._finished(drift)

    def prepare(self, source: Source, reading: Reading) -> _Case | Drift | None:
        """Return what is to be run again, or why it is not; None for what has no code."""
        outcome, stale = self._found.outcomes.get(source.name), self._found.stale.get(source.name)
        if stale is not None:
            return _skip(source, f"stale: {stale.explanation.reason}")
        if outcome is None or (outcome.status is Status.HIT and outcome.outputs is None):
            return None
        if outcome.status is not Status.HIT:
            return _skip(source, outcome.reason)
        job = self._make_job(source, reading)
        outputs = self._project.store.load_outputs(outcome.outputs or "")
        if job is None or outputs is None:
            return _skip(source, _LOST)
        if job.working_directory is not None and not self._scratch.holds(source.path):
            return _skip(source, _OUTSIDE)
        return _Case(job, outcome, outputs)

    def _make_job(self, source: Source, reading: Reading) -> Job | None:
        """Return the job of a hit, whose text need not have been parsed to know it as one."""
        try:
            found = reading.read(source, read_text(source.path))
        except NotebookReadError:
            return None
        if found is None:
            return None
        job = make_plan(source.name, *found, project=self._project).job
        # One that passes only when it is tried again is what is looked for.
        return None if job is None else replace(job, retries=0)

    def run(self, cases: list[_Case]) -> None:
        """Run them all; interrupted, stop every kernel and raise on."""
        project = _stay_here(self._project)
        handover = MemoHandover(project, is_online=False)
        executor = open_executor([case.job for case in cases], project, handover)
        schedule = Schedule(executor.capacity, self._project.config.resources)
        waiting = sorted(cases, key=lambda c: schedule.rank(c.job.demands, c.outcome.seconds))
        try:
            with hold_interruptions() as check_interruption, executor:
                while waiting or self._flying:
                    self._take_off(waiting, schedule, executor)
                    if self._flying:
                        wait(self._flying, timeout=_TICK_S, return_when=FIRST_COMPLETED)
                    self._land()
                    check_interruption()
        finally:
            for rerun in self._flying.values():
                rerun.place.close()

    def _take_off(self, waiting: list[_Case], schedule: Schedule, executor: Executor) -> None:
        while True:
            flying = [rerun.case.job.demands for rerun in self._flying.values()]
            position = schedule.choose((case.job.demands for case in waiting), flying)
            if position is None:
                return
            self._start(waiting.pop(position), executor)

    def _start(self, case: _Case, executor: Executor) -> None:
        """Copy what a notebook reads, and run it there."""
        place = ExitStack()
        try:
            root = place.enter_context(self._scratch.open(case.outcome))
        except OSError as error:
            place.close()
            reason = f"what it reads cannot be copied: {error.strerror or error}"
            self.note(_skip(Source.from_job(case.job), reason))
            return
        job, folder = case.job, case.job.working_directory
        if folder is not None:
            job = replace(job, working_directory=root / self._project.relate(folder))
        self._flying[executor.submit(job)] = _Rerun(case, root, place)

    def _land(self) -> None:
        for future in [future for future in self._flying if future.done()]:
            rerun = self._flying.pop(future)
            with rerun.place:
                run = future.result()
                if run.left is not None:
                    shutil.rmtree(run.left, ignore_errors=True)
                self.note(self._compare(rerun, run))

    def _compare(self, rerun: _Rerun, run: Run) -> Drift:
        case = rerun.case
        places = {str(rerun.root): str(self._project.root)}
        normaliser = Normaliser(self._project.config.check_ignore, places)
        failure = "" if run.failure is None else run.failure.headline
        cells = () if failure else _find_drift(case, run, normaliser)
        return Drift(
            name=case.job.name,
            path=case.job.notebook.path,
            cells=cells,
            failure=failure,
            seconds=run.seconds,
        )


def _stay_here(project: Project) -> Project:
    """Return the project with an executor of this machine: others cannot see scratch folders."""
    how = "local-serial" if project.config.is_serial else "local-parallel"
    return replace(project, config=replace(project.config, executor=how, executor_options=()))


def _find_drift(case: _Case, run: Run, normaliser: Normaliser) -> tuple[CellDrift, ...]:
    return compare_outputs(case.job.notebook, case.outputs, run.outputs, normaliser)


def _skip(source: Source, reason: str) -> Drift:
    return Drift(name=source.name, path=source.path, skip_reason=reason)
