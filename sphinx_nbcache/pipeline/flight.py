"""Running the stale: each key once, whoever else builds at the same time.

A job is claimed (one claim per key, shared by all processes) just before it runs, and
looked up once more under the claim: another build may have finished it meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Entry, Failure, Inputs, Job, Key, Outcome, Run, Status, Topic
from sphinx_nbcache.pipeline.demands import unite_demands
from sphinx_nbcache.pipeline.lookup import look_up, make_hit
from sphinx_nbcache.pipeline.plan import Plan
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.schedule import Schedule
from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.reading import find_file_line, read_text
from sphinx_nbcache.running import Executor, can_limit_memory, hold_interruptions
from sphinx_nbcache.store import Claim

_TICK_S = 0.5
_POLL_S = 0.1
_ELSEWHERE = "run by another build"
_NO_MEMORY_LIMIT = (
    "nbcache_memory_limit is not enforced: only Linux lets the memory of a kernel be limited"
)


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
        self._ended: list[tuple[Future[Run], _Group, Claim]] = []

    def run(self, plans: Iterable[Plan], executor: Executor) -> None:
        """Run all plans that have a job.

        Interrupted, it stops every kernel, saves what is finished and raises on.
        """
        if self._project.config.memory_limit is not None and not can_limit_memory():
            self._progress.warn(_NO_MEMORY_LIMIT, Topic.KERNEL)
        schedule = Schedule(executor.capacity, self._project.config.resources)
        waiting = self._order(_group(plans), schedule)
        try:
            with hold_interruptions() as check, executor:
                self._fly(waiting, schedule, executor, check)
        finally:
            for _, claim in self._flying.values():
                claim.release()

    def _fly(
        self,
        waiting: list[_Group],
        schedule: Schedule,
        executor: Executor,
        check: Callable[[], None],
    ) -> None:
        try:
            while waiting or self._flying or self._ended:
                self._take_off(waiting, schedule, executor)
                self._land()  # only now: the next ones run while these are saved
                self._wait()
                self._tell(executor)
                check()
        finally:
            self._note_ended()
            self._land()  # interrupted: what ended before, not what is stopped next

    def _order(self, groups: list[_Group], schedule: Schedule) -> list[_Group]:
        """Put the groups in the order in which they start, as far as nothing holds them up."""
        known = self._store.index.find_seconds()

        def rank(group: _Group) -> tuple[bool, float]:
            path = self._project.relate(group.job.notebook.path)
            return schedule.rank(group.job.demands, known.get(path))

        return sorted(groups, key=rank)

    def _take_off(self, waiting: list[_Group], schedule: Schedule, executor: Executor) -> None:
        """Start as many as may start now, passing over what other processes run."""
        elsewhere = []
        while (position := self._choose(waiting, schedule)) is not None:
            group = waiting.pop(position)
            claim = self._store.try_claim(group.job.key)
            if claim is None:
                elsewhere.append(group)
            elif entry := self._look_again(group):
                claim.release()
                self._report_group(group, make_hit(Source.from_job(group.job), entry, _ELSEWHERE))
            else:
                self._progress.start(group.job.name)
                self._flying[executor.submit(group.job)] = group, claim
        waiting.extend(elsewhere)
        if elsewhere and not self._flying:
            self._progress.wait([group.job.name for group in elsewhere])

    def _choose(self, waiting: list[_Group], schedule: Schedule) -> int | None:
        flying = [group.job.demands for group, _ in self._flying.values()]
        return schedule.choose((group.job.demands for group in waiting), flying)

    def _look_again(self, group: _Group) -> Entry | None:
        if group.run_reason:
            return None
        # What is damaged was told when it was looked up before.
        return look_up(group.job.key, group.job.name, store=self._store, progress=Silence())

    def _wait(self) -> None:
        """Wait for a run to end, never so long that Ctrl-C or a free key is missed."""
        if self._flying:
            wait(self._flying, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        else:
            time.sleep(_POLL_S)
        self._progress.tick()
        self._note_ended()

    def _tell(self, executor: Executor) -> None:
        """Give the warnings that the executor has to give."""
        while executor.notices:
            self._progress.warn(executor.notices.pop(0), Topic.KERNEL)

    def _note_ended(self) -> None:
        """Make room for others where a run has ended."""
        done = [future for future in self._flying if future.done()]
        self._ended += [(future, *self._flying.pop(future)) for future in done]

    def _land(self) -> None:
        """Save and report every run that has ended."""
        while self._ended:
            future, group, claim = self._ended.pop(0)
            try:
                if not future.cancelled():
                    self._save(group, future.result())
            finally:
                claim.release()

    def _save(self, group: _Group, run: Run) -> None:
        clock = time.perf_counter()
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
                attempts=run.attempts,
                first_failure=run.first_failure and _locate(run.first_failure, group.job),
                outputs=outputs,
                phases={**run.phases, "save": time.perf_counter() - clock},
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
        self._store.index.note_run(entry, run.modules)

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
            else _join(known, plan.job, plan.run_reason)
        )
    return list(groups.values())


def _join(group: _Group, job: Job, run_reason: str) -> _Group:
    """Return the group with one more member, whose demands its run has to meet, too."""
    demands = unite_demands(group.job.demands, job.demands)
    return _Group(
        replace(group.job, demands=demands),
        group.run_reason or run_reason,
        (*group.followers, job),
    )


def _follow(job: Job, leader: Outcome) -> Outcome:
    """Return the outcome of a notebook that asks the same as one that was just run."""
    return replace(
        leader,
        name=job.name,
        path=job.notebook.path,
        status=leader.status if leader.status.is_failure else Status.HIT,
        reason=f"same code as {leader.name}",
        failure=leader.failure and _locate(leader.failure, job),
        first_failure=leader.first_failure and _locate(leader.first_failure, job),
        phases={},
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
