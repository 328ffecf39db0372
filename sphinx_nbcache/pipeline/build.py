"""The one orchestrator: read, key, look up, run, save, report.

``sphinx-build``, the command line and the Python API are three callers of ``build``.
It knows none of them: what a source is and how it is read comes in with the call.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Failure, Notebook, Outcome, Report, Settings, Status
from sphinx_nbcache.pipeline.lookup import look_up, make_hit
from sphinx_nbcache.pipeline.plan import Plan, make_plan
from sphinx_nbcache.pipeline.progress import Progress
from sphinx_nbcache.pipeline.project import Project

READ_ERROR = "NotebookReadError"
NOT_CACHED = "NotCachedError"


@dataclass(frozen=True, slots=True)
class Source:
    """Something that may be a notebook."""

    name: str
    """How reports call it: a document name, or the path relative to the project root."""
    path: Path


class Reading(Protocol):
    """How the caller reads a source."""

    def __call__(self, source: Source) -> tuple[Notebook, Settings] | None:
        """Return a notebook with its settings; None for a source that is no notebook.

        Raises NotebookReadError.
        """


def build(
    sources: Iterable[Source],
    *,
    read: Reading,
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
    outcomes: list[Outcome] = []
    stale: list[Plan] = []
    for source in sources:
        answer = _read_and_look_up(source, read, project, rerun, progress)
        if isinstance(answer, Outcome):
            outcomes.append(answer)
        elif answer is not None:
            stale.append(answer)
    if project.config.frozen:
        outcomes += [_refuse(plan) for plan in stale]
        stale = []
    seconds = _run(stale, project, progress, outcomes)
    _note_uses(outcomes, project)
    return Report(tuple(sorted(outcomes, key=lambda outcome: outcome.name)), seconds)


def _read_and_look_up(
    source: Source, read: Reading, project: Project, rerun: Mapping[str, str], progress: Progress
) -> Outcome | Plan | None:
    """Return a notebook's outcome if that is known now, else the plan to run it."""
    try:
        found = read(source)
    except NotebookReadError as error:
        return _fail(source, READ_ERROR, error.reason)
    if found is None:
        return None
    notebook, settings = found
    reason = rerun.get(source.name, "")
    plan = make_plan(source.name, notebook, settings, project=project, rerun_reason=reason)
    if plan.job is None:
        return _skip(plan)
    if plan.run_reason and not project.config.frozen:
        return plan
    entry = look_up(plan.job, store=project.store, progress=progress)
    return plan if entry is None else make_hit(plan.job, entry)


def _run(stale: list[Plan], project: Project, progress: Progress, outcomes: list[Outcome]) -> float:
    """Run what is stale; return the wall seconds it took."""
    if not stale:
        return 0.0
    # Imported only when there is something to run: most builds have nothing.
    from sphinx_nbcache.pipeline.flight import Flight
    from sphinx_nbcache.running import create_executor

    clock = time.perf_counter()
    progress.begin(len(stale))

    def land(outcome: Outcome) -> None:
        outcomes.append(outcome)
        progress.finish(outcome)

    try:
        Flight(project, progress, land).run(stale, create_executor(project.config))
    finally:
        progress.end()
    return time.perf_counter() - clock


def _note_uses(outcomes: list[Outcome], project: Project) -> None:
    """Remember which keys were asked for; a build that stored nothing writes at most daily."""
    has_run = any(outcome.status is Status.RAN for outcome in outcomes)
    keys = {outcome.key for outcome in outcomes if outcome.status is Status.HIT and outcome.key}
    if keys:
        project.store.index.note_uses(keys, at_most_daily=not has_run)


def _skip(plan: Plan) -> Outcome:
    """Return the outcome of a notebook without a job."""
    status = Status.SKIPPED if plan.skip_reason else Status.HIT
    reason = plan.skip_reason or "no code to run"
    return Outcome(name=plan.name, path=plan.notebook.path, status=status, reason=reason)


def _refuse(plan: Plan) -> Outcome:
    """Return the outcome of a notebook that would have to run, but no kernel may start."""
    message = (
        "its outputs are not in the cache, and nbcache_frozen lets no kernel start; build once "
        "without it where the notebook can run, and bring the cache here"
    )
    outcome = _fail(Source(plan.name, plan.notebook.path), NOT_CACHED, message)
    return replace(outcome, key=None if plan.job is None else plan.job.key)


def _fail(source: Source, name: str, message: str) -> Outcome:
    return Outcome(
        name=source.name,
        path=source.path,
        status=Status.FAILED,
        reason=message,
        failure=Failure(name=name, message=message),
    )
