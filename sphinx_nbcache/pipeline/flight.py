"""Running the stale: each key once, whoever else builds at the same time.

A job is claimed (one claim per key, shared by all processes) just before it runs, and
looked up once more under the claim: another build may have finished it meanwhile.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Entry, Failure, Inputs, Job, Key, Outcome, Run, Status
from sphinx_nbcache.pipeline.lookup import look_up, make_hit
from sphinx_nbcache.pipeline.plan import Plan
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.reading import find_file_line, read_text
from sphinx_nbcache.running import Executor, hold_interruptions
from sphinx_nbcache.store import Claim

_TICK_S = 0.5
_POLL_S = 0.1


_Landed = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class _Group:
    """Plans with one key: the first is run, the others get its outputs."""

    job: Job
    run_reason: str
    followers: tuple[Job, ...] = ()


class Flight:
    """Runs the stale plans of one build; ``landed`` gets every outcome as it comes."""

    def __init__(self, project: Project, progress: Progress, landed: _Landed) -> None:
        self._project = project
        self._store = project.store
        self._progress = progress
        self._landed = landed
        self._flying: dict[Future[Run], tuple[_Group, Claim]] = {}

    def run(self, plans: Iterable[Plan], executor: Executor) -> None:
        """Run all plans that have a job.

        Interrupted, it stops every kernel, saves what is finished and raises on.
        """
        waiting = deque(self._order(_group(plans)))
        try:
            with hold_interruptions() as check, executor:
                self._fly(waiting, executor, check)
        finally:
            for _, claim in self._flying.values():
                claim.release()

    def _fly(self, waiting: deque[_Group], executor: Executor, check: Callable[[], None]) -> None:
        try:
            while waiting or self._flying:
                self._take_off(waiting, executor)
                self._wait()
                check()
        finally:
            self._land()  # interrupted: what ended before, not what is stopped next

    def _order(self, groups: list[_Group]) -> list[_Group]:
        """Put what takes long first, and what is not known before that."""
        known = self._store.index.find_seconds()

        def rank(group: _Group) -> float:
            path = group.job.notebook.path
            return -known.get(self._project.relate(path), float("inf"))

        return sorted(groups, key=rank)

    def _take_off(self, waiting: deque[_Group], executor: Executor) -> None:
        """Start as many as there is room for, passing over what other processes run."""
        elsewhere = []
        while waiting and len(self._flying) < executor.capacity:
            group = waiting.popleft()
            claim = self._store.try_claim(group.job.key)
            if claim is None:
                elsewhere.append(group)
            elif entry := self._look_again(group):
                claim.release()
                self._report_group(group, make_hit(group.job, entry, "run by another build"))
            else:
                self._progress.start(group.job.name)
                self._flying[executor.submit(group.job)] = group, claim
        waiting.extend(elsewhere)
        if elsewhere and not self._flying:
            self._progress.wait([group.job.name for group in elsewhere])

    def _look_again(self, group: _Group) -> Entry | None:
        if group.run_reason:
            return None
        # What is damaged was told when it was looked up before.
        return look_up(group.job, store=self._store, progress=Silence())

    def _wait(self) -> None:
        """Wait for a run to end, never so long that Ctrl-C or a free key is missed."""
        if self._flying:
            wait(self._flying, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        else:
            time.sleep(_POLL_S)
        self._progress.tick()
        self._land()

    def _land(self) -> None:
        """Save and report every run that has ended."""
        for future in [future for future in self._flying if future.done()]:
            group, claim = self._flying.pop(future)
            try:
                if not future.cancelled():
                    self._save(group, future.result())
            finally:
                claim.release()

    def _save(self, group: _Group, run: Run) -> None:
        outputs = self._store.save_outputs(run.outputs)
        if run.status is Status.RAN:
            self._save_entry(run, outputs)
        self._report_group(
            group,
            Outcome(
                name=group.job.name,
                path=group.job.notebook.path,
                status=run.status,
                reason=group.run_reason or "not in the cache",
                key=group.job.key,
                kernel=group.job.kernel,
                seconds=run.seconds,
                executed_at=run.started_at,
                cells=run.cells,
                failure=run.failure and _locate(run.failure, group.job),
                outputs=outputs,
            ),
        )

    def _save_entry(self, run: Run, outputs: str) -> None:
        entry = Entry(
            key=run.job.key,
            inputs=Inputs(),
            outputs=outputs,
            kernel=run.job.kernel,
            executed_at=run.started_at,
            seconds=run.seconds,
            cells=run.cells,
            source=self._project.relate(run.job.notebook.path),
        )
        self._store.save_entry(entry)
        self._store.index.note_run(entry)

    def _report_group(self, group: _Group, outcome: Outcome) -> None:
        self._landed(outcome)
        for job in group.followers:
            self._landed(_follow(job, outcome))


def _group(plans: Iterable[Plan]) -> list[_Group]:
    groups: dict[Key, _Group] = {}
    for plan in plans:
        if plan.job is None:
            continue
        known = groups.get(plan.job.key)
        groups[plan.job.key] = (
            _Group(plan.job, plan.run_reason)
            if known is None
            else replace(
                known,
                run_reason=known.run_reason or plan.run_reason,
                followers=(*known.followers, plan.job),
            )
        )
    return list(groups.values())


def _follow(job: Job, leader: Outcome) -> Outcome:
    """Return the outcome of a notebook that asks the same as one that was just run."""
    return replace(
        leader,
        name=job.name,
        path=job.notebook.path,
        status=leader.status if leader.status.is_failure else Status.HIT,
        reason=f"same code as {leader.name}",
        failure=leader.failure and _locate(leader.failure, job),
    )


def _locate(failure: Failure, job: Job) -> Failure:
    """Return the failure with the line of the source file, where it can be told."""
    if failure.cell is None:
        return failure
    path = job.notebook.path
    try:
        text = read_text(path)
    except NotebookReadError:
        return failure
    line = find_file_line(job.notebook, text, cell=failure.cell, line=failure.line or 1)
    return replace(failure, file_line=line)
