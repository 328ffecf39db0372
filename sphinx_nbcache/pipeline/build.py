"""The one orchestrator: read, key, look up, run, save, report.

``sphinx-build``, the command line and the Python API are three callers of ``build``.
It knows none of them: what a source is and how it is read comes in with the call.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sphinx_nbcache.model import Outcome, Report, Status
from sphinx_nbcache.pipeline.collect import Collection, make_failure
from sphinx_nbcache.pipeline.plan import Plan
from sphinx_nbcache.pipeline.progress import Progress
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.source import Reading, Source

if TYPE_CHECKING:
    from sphinx_nbcache.running import Executor

NOT_CACHED = "NotCachedError"


def build(
    sources: Iterable[Source],
    *,
    reading: Reading,
    project: Project,
    rerun: Mapping[str, str],
    progress: Progress,
) -> Report:
    """Bring the outputs of all notebooks among the sources into the store.

    :param rerun: name to reason, for notebooks that run although their outputs are stored.

    Returns one outcome for each notebook. Raises StoreError when the store cannot be
    written; a notebook that fails is an outcome, not an error.
    """
    if notice := project.store.describe_foreign_format():
        progress.warn(notice)
    collection = Collection(project, reading, progress)
    collection.collect(sources, rerun)
    outcomes, stale = collection.outcomes, collection.stale
    if project.config.frozen:
        outcomes += [_refuse(plan) for plan in stale]
        stale = []
    seconds = _run(stale, project, progress, outcomes)
    _note(outcomes, project, collection.findings)
    return Report(tuple(sorted(outcomes, key=lambda outcome: outcome.name)), seconds)


def _run(stale: list[Plan], project: Project, progress: Progress, outcomes: list[Outcome]) -> float:
    """Run what is stale; return the wall seconds it took."""
    if not stale:
        return 0.0
    # Imported only when there is something to run: most builds have nothing.
    from sphinx_nbcache.pipeline.flight import Flight

    clock = time.perf_counter()
    progress.begin(len(stale))

    def land(outcome: Outcome) -> None:
        outcomes.append(outcome)
        progress.finish(outcome)

    try:
        Flight(project, progress, land).run(stale, _open_executor(stale, project))
    finally:
        progress.end()
    return time.perf_counter() - clock


def _open_executor(stale: list[Plan], project: Project) -> Executor:
    """Return the executor for some plans, which knows what their notebooks import."""
    from sphinx_nbcache.running import create_executor

    jobs = [plan.job for plan in stale if plan.job is not None]
    found = project.store.index.find_modules()
    sources = {job.name: project.relate(job.notebook.path) for job in jobs}
    learned = {name: found[source] for name, source in sources.items() if source in found}
    return create_executor(project.config, jobs, learned)


def _note(outcomes: list[Outcome], project: Project, findings: Mapping[str, str]) -> None:
    """Remember which keys were asked for, and what was found out on the way."""
    has_run = any(outcome.status is Status.RAN for outcome in outcomes)
    keys = {outcome.key for outcome in outcomes if outcome.status is Status.HIT and outcome.key}
    project.store.note_build(keys, findings=findings, has_run=has_run)


def _refuse(plan: Plan) -> Outcome:
    """Return the outcome of a notebook that would have to run, but no kernel may start."""
    message = (
        "its outputs are not in the cache, and nbcache_frozen lets no kernel start; build once "
        "without it where the notebook can run, and bring the cache here"
    )
    outcome = make_failure(plan.name, plan.notebook.path, NOT_CACHED, message)
    return replace(outcome, key=None if plan.job is None else plan.job.key)
