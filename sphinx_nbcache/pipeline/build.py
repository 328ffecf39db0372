"""The one orchestrator: read, key, look up, run, save, report.

``sphinx-build``, the command line and the Python API are three callers of ``build``.
It knows none of them: what a source is and how it is read comes in with the call.
"""

from __future__ import annotations

import glob
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Artifact, Job, Outcome, Report, Status, Topic
from sphinx_nbcache.pipeline.collect import Collection, Stale, make_failure
from sphinx_nbcache.pipeline.declared import declare_for_all
from sphinx_nbcache.pipeline.explanation import MISSING, NEVER_RUN, UNFETCHED
from sphinx_nbcache.pipeline.lookup import Lookup
from sphinx_nbcache.pipeline.memo_handover import MemoHandover
from sphinx_nbcache.pipeline.ordering import Edges, index_sources, resolve_after, take_out_cycles
from sphinx_nbcache.pipeline.progress import Progress
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.restoring import Restorer
from sphinx_nbcache.pipeline.source import Reading, Source
from sphinx_nbcache.store import Limits, News

if TYPE_CHECKING:
    from sphinx_nbcache.running import Executor

NOT_CACHED = "NotCachedError"
CYCLE = "CycleError"


def build(  # noqa: PLR0913 - what the three callers have to say
    sources: Iterable[Source],
    *,
    reading: Reading,
    project: Project,
    rerun: Mapping[str, str],
    progress: Progress,
    lookup: Lookup | None = None,
    unchanged: Mapping[str, Iterable[Artifact]] = MappingProxyType({}),
    fail_fast: bool = False,
) -> Report:
    """Bring the outputs of all notebooks among the sources into the store.

    :param rerun: name to reason, for notebooks that run although their outputs are stored.
    :param lookup: the state of the project, if the caller has looked at it already.
    :param unchanged: what other notebooks of the project wrote, whose outputs hold: it is put
        in its place, too.
    :param fail_fast: start no more notebooks when one has failed.

    Returns one outcome for each notebook. Raises StoreError when the store cannot be
    written; a notebook that fails is an outcome, not an error.
    """
    if notice := project.store.describe_foreign_format():
        progress.warn(notice)
    for problem in declare_for_all(project)[1]:
        progress.warn(problem, Topic.METADATA)
    lookup = lookup or Lookup(project, progress.digest, is_online=True)
    work = _Build(list(sources), reading, project, progress, lookup)
    return work.run(rerun, unchanged, fail_fast=fail_fast)


class _Build:
    """One build, from sources to a report."""

    def __init__(
        self,
        sources: list[Source],
        reading: Reading,
        project: Project,
        progress: Progress,
        lookup: Lookup,
    ) -> None:
        self._sources = sources
        self._project = project
        self._progress = progress
        self._lookup = lookup
        restorer = Restorer(project, lookup.present, progress)
        self._collection = Collection(project, reading, progress, lookup=lookup, restorer=restorer)
        self._outcomes = self._collection.outcomes
        self._seconds = 0.0
        self._changed: set[str] = set()

    def run(
        self,
        rerun: Mapping[str, str],
        unchanged: Mapping[str, Iterable[Artifact]],
        *,
        fail_fast: bool,
    ) -> Report:
        """Collect, run what is stale, and again what that has made stale."""
        for name, artifacts in unchanged.items():
            self._collection.restorer.restore(name, artifacts)
        started_at = time.time()
        stale = self._collection.collect(self._sources, rerun)
        self._tell_of_remote()
        if self._project.config.frozen:
            for item in stale:
                self._outcomes[item.plan.name] = _refuse(item)
            stale = []
        edges = self._find_edges()
        stale = self._take_out_cycles(stale, edges)
        if stale:
            self._fly(stale, edges, fail_fast=fail_fast)
        self._changed.update(self._collection.restorer.written)
        self._lookup.sharing.finish(started_at if stale else None)
        self._tell_of_remote()
        self._warn_of_patterns()
        self._note()
        outcomes = sorted(self._outcomes.values(), key=lambda outcome: outcome.name)
        return Report(tuple(outcomes), self._seconds, frozenset(self._changed))

    def _tell_of_remote(self) -> None:
        sharing = self._lookup.sharing
        for topic, notice in sharing.handover.take_notices():
            if not self._project.store.lfs.has_told(notice):
                self._progress.warn(notice, topic)
        for notice in sharing.take_notices():
            self._progress.warn(notice, Topic.REMOTE)

    def _fly(self, stale: list[Stale], edges: Edges, *, fail_fast: bool) -> None:
        """Run notebooks, and those that read what these have written."""
        # Imported only when there is something to run: most builds have nothing.
        from sphinx_nbcache.pipeline.flight import Flight

        clock = time.perf_counter()

        def land(outcome: Outcome) -> None:
            self._outcomes[outcome.name] = outcome
            self._progress.finish(outcome)

        def find_more(written: Mapping[str, set[str]]) -> list[Stale]:
            self._changed.update(written)
            return self._collection.find_affected(written)

        flight = Flight(
            self._project,
            self._progress,
            lookup=self._lookup,
            edges=edges,
            restorer=self._collection.restorer,
            landed=land,
            fail_fast=fail_fast,
        )
        try:
            jobs = [item.plan.job for item in stale if item.plan.job is not None]
            handover = self._lookup.sharing.handover
            flight.run(stale, open_executor(jobs, self._project, handover), find_more)
        finally:
            self._progress.end()
            self._seconds = time.perf_counter() - clock

    def _take_out_cycles(self, stale: list[Stale], edges: Edges) -> list[Stale]:
        """Make failures of notebooks that wait for each other; return the others."""
        in_cycle = {}
        for cycle in take_out_cycles(edges):
            circle = " -> ".join([*cycle, cycle[0]])
            in_cycle.update(dict.fromkeys(cycle, f"these notebooks wait for each other: {circle}"))
        for name, message in in_cycle.items():
            plan = self._collection.plans[name]
            outcome = make_failure(name, plan.notebook.path, CYCLE, message)
            # With its key it is the answer for its page, which is not asked for again alone.
            key = None if plan.job is None else plan.job.key
            self._outcomes[name] = replace(outcome, key=key)
        return [item for item in stale if item.plan.name not in in_cycle]

    def _find_edges(self) -> Edges:
        """Return who waits for whom, as the notebooks themselves say."""
        edges: Edges = {}
        jobs = [plan.job for plan in self._collection.plans.values() if plan.job is not None]
        jobs = [job for job in jobs if job.after]
        table = index_sources(self._sources) if jobs else {}
        for job in jobs:
            source = Source.from_job(job)
            before, unknown = resolve_after(job.after, source, table, self._project.folder)
            edges[job.name] = before
            for name in unknown:
                if not _is_page(name, source, self._project):  # else there is no need to wait
                    problem = f"nbcache: after: there is no notebook {name!r}"
                    self._progress.warn(problem, Topic.METADATA, job.name)
        return edges

    def _warn_of_patterns(self) -> None:
        """Tell of declared patterns that match nothing, now that all has been written."""
        common = set(declare_for_all(self._project)[0].depends)
        asked = {(pattern, "") for pattern in common}
        for outcome in self._outcomes.values():
            asked.update((p, outcome.name) for p in outcome.declared.depends if p not in common)
        for pattern, name in sorted(asked):
            if not self._lookup.present.find_matches(pattern):
                option = "nbcache: depends" if name else "nbcache_depends"
                text = f"{option}: {pattern!r}, seen from the project root, matches no file"
                self._progress.warn(text, Topic.METADATA, name)

    def _note(self) -> None:
        """Remember which entries answered, and what was found out on the way."""
        outcomes = self._outcomes.values()
        hits = [outcome for outcome in outcomes if outcome.status is Status.HIT and outcome.key]
        news = News(
            uses=tuple(f"{outcome.key}/{outcome.inputs.digest}" for outcome in hits),
            findings=self._collection.findings.new,
            files=self._lookup.present.digests.take_new(),
            memos=self._lookup.memory.new,
            pages=tuple(self._collection.pages),
            written=tuple(self._collection.restorer.noted),
            has_run=any(outcome.status is Status.RAN for outcome in outcomes),
        )
        self._project.store.note_build(news)
        self._keep_limit()

    def _keep_limit(self) -> None:
        """Let entries go that are more than the user wants kept; never those of this build."""
        ran = [outcome for outcome in self._outcomes.values() if outcome.status is Status.RAN]
        store = self._project.store
        if not ran:
            return
        try:
            limit = store.project_file.read().cache_limit
            if limit is not None:
                used = {f"{o.key}/{o.inputs.digest}" for o in self._outcomes.values() if o.key}
                store.prune(Limits(count=limit), protected=used)
        except StoreError as error:
            self._progress.warn(f"entries beyond the limit of the cache stay: {error}")


def open_executor(jobs: Sequence[Job], project: Project, handover: MemoHandover) -> Executor:
    """Return the executor for some jobs, which knows what their notebooks import."""
    from sphinx_nbcache.running import ExecutorRequest, create_executor

    found = project.store.index.find_modules()
    sources = {job.name: project.relate(job.notebook.path) for job in jobs}
    learned = {name: found[source] for name, source in sources.items() if source in found}
    return create_executor(
        ExecutorRequest(
            config=project.config,
            jobs=tuple(jobs),
            learned=learned,
            variables=handover.make_variables(),
            memo_keys=project.store.trust.memo_keys.to_text(),
        )
    )


def _is_page(name: str, source: Source, project: Project) -> bool:
    """Return whether a name of a notebook leads to a file, though not to one of this build."""
    start = project.folder if name.startswith("/") else source.path.parent
    path = start / name.lstrip("/")
    return path.is_file() or any(path.parent.glob(f"{glob.escape(path.name)}.*"))


def _refuse(item: Stale) -> Outcome:
    """Return the outcome of a notebook that would have to run, but no kernel may start."""
    plan, explanation = item.plan, item.explanation
    is_unknown = explanation.reason in (NEVER_RUN, MISSING, UNFETCHED)
    what = "are not in the cache" if is_unknown else f"do not hold: {explanation.reason}"
    message = (
        f"its outputs {what}, and nbcache_frozen lets no kernel start; build once without it "
        "where the notebook can run, and bring the cache here"
    )
    outcome = make_failure(plan.name, plan.notebook.path, NOT_CACHED, message)
    key = None if plan.job is None else plan.job.key
    return replace(outcome, key=key, changes=explanation.changes)
