"""Why a notebook has to run: what differs from the last time its outputs were made."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from sphinx_nbcache.keys import Difference, explain
from sphinx_nbcache.model import Job
from sphinx_nbcache.pipeline.lookup import Answer, summarise
from sphinx_nbcache.pipeline.project import Project

NEVER_RUN = "never run"
MISSING = "not in the cache"
UNFETCHED = "its outputs are not fetched from git LFS"


class Explanation(NamedTuple):
    """Why a notebook has to run."""

    reason: str
    """In short, one line."""
    changes: tuple[str, ...] = ()
    """Everything that differs."""
    differences: tuple[Difference, ...] = ()
    """Of the code: with the lines that changed."""


class Explainer:
    """Explains the misses of one build."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def explain(self, job: Job, answer: Answer, run_reason: str = "") -> Explanation:
        """Return why a job has to run.

        :param answer: what the look-up gave.
        :param run_reason: why it runs in any case, if so.
        """
        if run_reason:
            return Explanation(run_reason, (run_reason,))
        if answer.is_unfetched:
            return Explanation(UNFETCHED, (UNFETCHED,))
        if answer.verdict.changes:
            return Explanation(summarise(answer.verdict.changes), answer.verdict.changes)
        if text := self.find_failure(job):
            return Explanation(text, (text,))
        before = self._last_keys.get(self._project.relate(job.notebook.path))
        if before is None:
            return Explanation(NEVER_RUN, (NEVER_RUN,))
        differences = self._compare(before, job)
        changes = tuple(difference.text for difference in differences) or (MISSING,)
        return Explanation(summarise(changes), changes, differences)

    def find_failure(self, job: Job) -> str:
        """Return how a job failed the last time; empty if it did not, or was another then."""
        source = self._project.relate(job.notebook.path)
        failed_key, headline = self._failures.get(source, ("", ""))
        return f"failed last time: {headline}" if failed_key == job.key else ""

    def _compare(self, before: str, job: Job) -> tuple[Difference, ...]:
        """Return in what a job's question differs from that of a key."""
        if before == job.key:
            return ()
        question = self._project.store.objects.read(before)
        return () if question is None else explain(question, job.question)

    @cached_property
    def _last_keys(self) -> dict[str, str]:
        return self._project.store.index.find_last_keys()

    @cached_property
    def _failures(self) -> dict[str, tuple[str, str]]:
        return self._project.store.index.find_failures()
