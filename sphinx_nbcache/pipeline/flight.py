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
from sphinx_nbcache.model import Entry, Failure, Job, Key, Outcome, Run, Status, Topic
from sphinx_nbcache.pipeline.collect import FROM_REMOTE, Stale
from sphinx_nbcache.pipeline.declared import unite_declared
from sphinx_nbcache.pipeline.demands import unite_demands
from sphinx_nbcache.pipeline.explanation import Explanation
from sphinx_nbcache.pipeline.lookup import Answer, Asked, Lookup, make_hit
from sphinx_nbcache.pipeline.ordering import Edges, learn_edges
from sphinx_nbcache.pipeline.progress import Progress
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.recording import Record, Recorder
from sphinx_nbcache.pipeline.restoring import Restorer
from sphinx_nbcache.pipeline.schedule import Schedule
from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.reading import find_file_line, read_text
from sphinx_nbcache.running import Executor, can_limit_memory, hold_interruptions
from sphinx_nbcache.store import Claim, FailedRun

_TICK_S = 0.5
_POLL_S = 0.1
_ELSEWHERE = "run by another build"
_WAITED = "outputs in the cache, now that what it waited for has ended"
_LOST = (
    "its kernel did not tell what it read: its outputs are shown now, and it runs again in the "
    "next build"
)
_NO_MEMORY_LIMIT = (
    "nbcache_memory_limit is not enforced: only Linux lets the memory of a kernel be limited"
)


Written = dict[str, set[str]]
"""Names of files and folders to the notebooks that wrote there."""
_Landed = Callable[[Outcome], None]
_FindMore = Callable[[Written], list[Stale]]


@dataclass(frozen=True, slots=True)
class _Group:
    """Notebooks with one key: the first is run, the others get its outputs."""

    job: Job
    explanation: Explanation
    is_forced: bool
    followers: tuple[Job, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Return the names of all."""
        return frozenset(job.name for job in (self.job, *self.followers))


class Flight:
    """Runs stale notebooks of one build.

    :param edges: who waits for whom, as the notebooks themselves say.
    :param landed: gets every outcome as it comes.
    :param fail_fast: whether no more start when one has failed.
    """

    def __init__(  # noqa: PLR0913 - what one build has
        self,
        project: Project,
        progress: Progress,
        *,
        lookup: Lookup,
        edges: Edges,
        restorer: Restorer,
        landed: _Landed,
        fail_fast: bool = False,
    ) -> None:
        self._project = project
        self._store = project.store
        self._progress = progress
        self._lookup = lookup
        self._declared = edges
        self._restorer = restorer
        self._landed = landed
        self._fail_fast = fail_fast
        self._first_failed = ""
        """Name of the notebook whose failure keeps others from starting."""
        self._recorder = Recorder(lookup, restorer, project.store)
        self._edges: Edges = {}
        self._written: Written = {}
        self._flying: dict[Future[Run], tuple[_Group, Claim]] = {}
        self._ended: list[tuple[Future[Run], _Group, Claim]] = []

    def run(self, stale: list[Stale], executor: Executor, find_more: _FindMore) -> None:
        """Run all that have a job, and then what that has made stale.

        :param find_more: returns what has to run because of what was written.

        Interrupted, it stops every kernel, saves what is finished and raises on.
        """
        if self._project.config.memory_limit is not None and not can_limit_memory():
            self._progress.warn(_NO_MEMORY_LIMIT, Topic.KERNEL)
        schedule = Schedule(executor.capacity, self._project.config.resources)
        try:
            with hold_interruptions() as check, executor:
                while stale:
                    self._written = {}
                    self._progress.begin(len(stale))
                    waiting = self._order(_group(stale), schedule)
                    self._edges = self._learn(waiting)
                    self._fly(waiting, schedule, executor, check)
                    stale = [] if self._first_failed else find_more(self._written)
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
                if self._fail_fast:
                    self._land()
                if self._first_failed:
                    self._give_up(waiting)
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

    def _learn(self, groups: Iterable[_Group]) -> Edges:
        """Return who waits for whom: as declared, and as they read and wrote the last time."""
        flows = self._store.index.find_flows()
        sources = {
            job.name: self._project.relate(job.notebook.path)
            for group in groups
            for job in (group.job, *group.followers)
        }
        known = {name: flows[source] for name, source in sources.items() if source in flows}
        return learn_edges(self._declared, known)

    def _take_off(self, waiting: list[_Group], schedule: Schedule, executor: Executor) -> None:
        """Start as many as may start now, passing over what other processes run."""
        schedule = replace(schedule, slots=executor.capacity)  # that of a cluster changes
        elsewhere: list[_Group] = []
        while (position := self._choose(waiting, elsewhere, schedule)) is not None:
            group = waiting.pop(position)
            claim = self._store.try_claim(group.job.key)
            if claim is None:
                elsewhere.append(group)
            elif answer := self._look_again(group):
                claim.release()
                self._take(group, answer)
            else:
                self._progress.start(group.job.name)
                self._flying[executor.submit(group.job)] = group, claim
        waiting.extend(elsewhere)
        if elsewhere and not self._flying:
            self._progress.wait([group.job.name for group in elsewhere])

    def _choose(
        self, waiting: list[_Group], elsewhere: list[_Group], schedule: Schedule
    ) -> int | None:
        """Return the position of the first group that may start; None when all have to wait.

        :param elsewhere: those that another build is running.
        """
        going = [group for group, _ in self._flying.values()]
        ended = [group for _, group, _ in self._ended]
        others = [*going, *ended, *elsewhere]
        unfinished = {name for group in (*waiting, *others) for name in group.names}
        ready = [
            position
            for position, group in enumerate(waiting)
            if self._find_before(group).isdisjoint(unfinished)
        ]
        if not ready and not others:
            # Notebooks with the same code wait for each other by way of a third one.
            ready = list(range(len(waiting)))
        demands = [waiting[position].job.demands for position in ready]
        chosen = schedule.choose(demands, [group.job.demands for group in going])
        return None if chosen is None else ready[chosen]

    def _find_before(self, group: _Group) -> set[str]:
        """Return the names of the notebooks that have to end before a group starts."""
        before = {other for name in group.names for other in self._edges.get(name, ())}
        return before - group.names

    def _look_again(self, group: _Group) -> Answer | None:
        """Return the answer that another build has given meanwhile, if so."""
        if group.is_forced:
            return None
        asked = Asked.from_job(group.job)
        answer = self._lookup.look_up(asked)
        if answer.entry is None and self._lookup.bring([asked]):  # it holds only now
            answer = self._lookup.look_up(asked)
        return None if answer.entry is None else answer

    def _take(self, group: _Group, answer: Answer) -> None:
        """Take outputs that are there already."""
        assert answer.entry is not None
        self._restorer.restore(group.job.name, answer.entry.artifacts, answer.entry.inputs)
        reason = _WAITED if self._find_before(group) else _ELSEWHERE
        if answer.entry.name in self._lookup.sharing.brought:
            reason = FROM_REMOTE
        self._report_group(group, make_hit(Source.from_job(group.job), answer, reason))

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

    def _give_up(self, waiting: list[_Group]) -> None:
        """Report those that have not started, and let them be."""
        for group in waiting:
            for job in (group.job, *group.followers):
                reason = f"not run: {self._first_failed} failed before"
                path, key = job.notebook.path, job.key
                skipped = Status.SKIPPED
                self._landed(
                    Outcome(name=job.name, path=path, status=skipped, reason=reason, key=key)
                )
        waiting.clear()

    def _save(self, group: _Group, run: Run) -> None:
        clock = time.perf_counter()
        outputs = self._store.save_outputs(run.outputs)
        record = self._recorder.record(run)
        self._note_written(group, record)
        for problem in record.problems:
            self._progress.warn(problem, Topic.ARTIFACT, group.job.name)
        if record.is_lost:
            self._progress.warn(_LOST, Topic.INPUTS, group.job.name)
        if run.status is Status.RAN and not record.is_lost:
            self._save_entry(run, outputs, record)
        elif run.status is not Status.RAN:
            failed = FailedRun(
                source=self._project.relate(run.job.notebook.path),
                key=run.job.key,
                headline="" if run.failure is None else run.failure.headline,
                traceback="" if run.failure is None else run.failure.traceback,
                outputs=outputs,
            )
            self._store.index.note_failure(failed, record.flow)
        self._report_group(
            group,
            Outcome(
                name=group.job.name,
                path=group.job.notebook.path,
                status=run.status,
                reason=group.explanation.reason,
                key=group.job.key,
                kernel=group.job.kernel,
                seconds=run.seconds,
                executed_at=run.started_at,
                cells=run.cells,
                failure=run.failure and _locate(run.failure, group.job),
                attempts=run.attempts,
                first_failure=run.first_failure and _locate(run.first_failure, group.job),
                outputs=outputs,
                changes=group.explanation.changes,
                inputs=record.inputs,
                artifacts=record.artifacts,
                declared=group.job.declared,
                notes=record.notes,
                phases={**run.phases, "save": time.perf_counter() - clock},
            ),
        )

    def _note_written(self, group: _Group, record: Record) -> None:
        for path in record.flow.writes:
            self._written.setdefault(path, set()).update(group.names)

    def _save_entry(self, run: Run, outputs: str, record: Record) -> None:
        entry = Entry(
            key=run.job.key,
            inputs=record.inputs,
            outputs=outputs,
            kernel=run.job.kernel,
            executed_at=run.started_at,
            seconds=run.seconds,
            cells=run.cells,
            source=self._project.relate(run.job.notebook.path),
            artifacts=record.artifacts,
            left=record.left,
            notes=record.notes,
        )
        self._store.save_entry(entry, run.job.question, limit=self._project.config.entries_per_key)
        self._store.index.note_run(entry, run.modules, record.flow)
        self._lookup.sharing.offer(entry)

    def _report_group(self, group: _Group, outcome: Outcome) -> None:
        if self._fail_fast and outcome.status.is_failure:
            self._first_failed = self._first_failed or outcome.name
        self._landed(outcome)
        for job in group.followers:
            self._landed(_follow(job, outcome))


def _group(stale: Iterable[Stale]) -> list[_Group]:
    groups: dict[Key, _Group] = {}
    for item in stale:
        job = item.plan.job
        if job is None:
            continue
        new = _Group(job, item.explanation, bool(item.plan.run_reason))
        known = groups.get(job.key)
        groups[job.key] = new if known is None else _join(known, new)
    return list(groups.values())


def _join(group: _Group, other: _Group) -> _Group:
    """Return the group with one more member, whose demands its run has to meet, too."""
    demands = unite_demands(group.job.demands, other.job.demands)
    declared = unite_declared(group.job.declared, other.job.declared)
    return _Group(
        replace(group.job, demands=demands, declared=declared),
        other.explanation if other.is_forced and not group.is_forced else group.explanation,
        group.is_forced or other.is_forced,
        (*group.followers, other.job),
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
