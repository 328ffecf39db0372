"""How notebooks stand: which would run, and why. A look that runs and writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sphinx_nbcache.keys import Difference
from sphinx_nbcache.model import Key, Outcome, Status, Topic
from sphinx_nbcache.pipeline.collect import Collection, Stale
from sphinx_nbcache.pipeline.explanation import Explainer
from sphinx_nbcache.pipeline.lookup import Lookup
from sphinx_nbcache.pipeline.progress import Silence
from sphinx_nbcache.pipeline.project import Project, relate
from sphinx_nbcache.pipeline.restoring import Restorer
from sphinx_nbcache.pipeline.source import Reading, Source
from sphinx_nbcache.store import Index

_LOGGER = logging.getLogger("sphinx_nbcache")
_EVERY_BUILD = "runs in every build"


class State(StrEnum):
    """How a notebook stands, in one word."""

    FRESH = "fresh"
    """Its outputs are in the cache and hold."""
    STALE = "stale"
    """It would run."""
    FAILED = "failed"
    """It cannot be read; or it would run, and as it is it failed the last time."""
    SKIPPED = "skipped"
    """It is not to be executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one notebook stands."""

    name: str
    """Document name, or path relative to the project root."""
    path: Path
    is_fresh: bool
    """Whether a build would take its outputs from the cache, or it has no code."""
    reason: str
    """Why, in one line."""
    key: Key | None = None
    """None where there is nothing to run."""
    entry: str | None = None
    """Name of the entry that holds its outputs; None where it is not fresh, or has no code."""
    changes: tuple[str, ...] = ()
    """Everything that makes it stale."""
    differences: tuple[Difference, ...] = ()
    """What of that is code, with the lines that changed."""
    has_failed: bool = False
    """Whether it cannot be read, or failed the last time as it is now."""
    expected_seconds: float | None = None
    """How long its last good run took; None if that is not known."""
    executed_at: float | None = None
    """When its outputs were made, or its last good run began: a POSIX timestamp."""
    seconds: float | None = None
    """How long that took."""
    notes: tuple[str, ...] = ()
    """What makes it more than its inputs: ``network``, ``processes``, ``unobserved``,
    ``imported``."""
    skip_reason: str = ""
    """Why it is not to be executed; empty if it is."""
    problems: tuple[str, ...] = ()
    """What is wrong with it, for people."""

    @property
    def would_run(self) -> bool:
        """Return whether the next build would run it."""
        return not self.is_fresh and not self.skip_reason and self.key is not None

    @property
    def state(self) -> State:
        """Return how it stands, in one word."""
        if self.skip_reason:
            return State.SKIPPED
        if self.is_fresh:
            return State.FRESH
        return State.FAILED if self.has_failed else State.STALE

    def to_json(self, root: Path) -> dict[str, Any]:
        """Return the JSON form: what scripts read, so no name in it ever changes.

        :param root: the project root, from which the path counts.
        """
        return {
            "name": self.name,
            "path": relate(self.path, root),
            "state": str(self.state),
            "would_run": self.would_run,
            "reason": self.reason,
            "changes": list(self.changes),
            "differences": [{"text": text, "diff": diff} for text, diff in self.differences],
            "expected_seconds": _round(self.expected_seconds),
            "executed_at": self.executed_at,
            "seconds": _round(self.seconds),
            "key": self.key,
            "notes": list(self.notes),
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at some sources found, by their names."""

    outcomes: Mapping[str, Outcome]
    """Of notebooks that would not run: hits, skipped ones, unreadable ones."""
    stale: Mapping[str, Stale]
    problems: Mapping[str, tuple[str, ...]]
    lookup: Lookup


def look(sources: Iterable[Source], reading: Reading, project: Project) -> Look:
    """Look at sources as a build would, without writing or running anything."""
    told = _Told()
    lookup = Lookup(project, is_dry=True)
    foresight = Restorer(project, lookup.present, told, is_dry=True)
    collection = Collection(project, reading, told, lookup=lookup, restorer=foresight)
    stale = collection.collect(sources, {})
    return Look(
        outcomes=collection.outcomes,
        stale={item.plan.name: item for item in stale},
        problems={name: tuple(texts) for name, texts in told.problems.items()},
        lookup=lookup,
    )


def find_standings(
    sources: Iterable[Source], reading: Reading, project: Project
) -> tuple[Standing, ...]:
    """Return how the notebooks among some sources stand, in the order of the sources."""
    sources = list(sources)
    found = look(sources, reading, project)
    history = _History(project)
    standings = []
    for source in sources:
        problems = found.problems.get(source.name, ())
        if source.name in found.stale:
            standings.append(history.describe_stale(found.stale[source.name], problems))
        elif source.name in found.outcomes:
            standings.append(history.describe_rest(found.outcomes[source.name], problems))
    return tuple(standings)


class _Told(Silence):
    """A listener that remembers what is wrong with which notebook."""

    def __init__(self) -> None:
        self.problems: dict[str, list[str]] = {}

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Remember a warning; one that is about no notebook goes to the program's log."""
        if not name:
            _LOGGER.warning("%s", message)
        elif topic is not Topic.INPUTS:  # the reason of a hit says the same
            self.problems.setdefault(name, []).append(message)


class _History:
    """Describes notebooks, with what is known of their last runs."""

    def __init__(self, project: Project) -> None:
        index: Index = project.store.index
        self._project = project
        self._seconds = index.find_seconds()
        self._times = index.find_last_times()
        self._explainer = Explainer(project)

    def describe_stale(self, stale: Stale, problems: tuple[str, ...]) -> Standing:
        """Return how a notebook stands that would run."""
        plan, explanation = stale.plan, stale.explanation
        job = plan.job
        assert job is not None, "what has no job is not stale"
        reason, changes = explanation.reason, explanation.changes
        if plan.run_reason:
            reason = f"{_EVERY_BUILD}: {plan.run_reason}"
        failed = self._explainer.find_failure(job)
        if failed and failed not in changes:
            changes, reason = (*changes, failed), f"{reason}; {failed}"
        source = self._project.relate(plan.notebook.path)
        return Standing(
            name=plan.name,
            path=plan.notebook.path,
            is_fresh=False,
            reason=reason,
            key=job.key,
            changes=changes,
            differences=explanation.differences,
            has_failed=bool(failed),
            expected_seconds=self._seconds.get(source),
            executed_at=self._times.get(source),
            seconds=self._seconds.get(source),
            problems=problems,
        )

    def describe_rest(self, outcome: Outcome, problems: tuple[str, ...]) -> Standing:
        """Return how a notebook stands that would not run."""
        failure, is_hit = outcome.failure, outcome.status is Status.HIT
        if failure is not None:
            problems = (*problems, f"cannot be read as a notebook: {failure.message}")
        has_entry = outcome.executed_at is not None
        seconds = outcome.seconds if has_entry else None
        return Standing(
            name=outcome.name,
            path=outcome.path,
            is_fresh=is_hit,
            reason=problems[-1] if failure is not None else outcome.reason,
            key=outcome.key,
            entry=f"{outcome.key}/{outcome.inputs.digest}" if is_hit and has_entry else None,
            has_failed=failure is not None,
            expected_seconds=self._seconds.get(self._project.relate(outcome.path), seconds),
            executed_at=outcome.executed_at,
            seconds=seconds,
            notes=outcome.notes,
            skip_reason=outcome.reason if outcome.status is Status.SKIPPED else "",
            problems=problems,
        )


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
