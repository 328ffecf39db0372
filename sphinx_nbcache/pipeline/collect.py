"""From sources to what is known already, and what has to run.

An unchanged text is not parsed: what was found in it is asked from the index, and a hit
is answered from that. A miss, a failure and anything odd go the full way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Failure, Outcome, Status, Topic
from sphinx_nbcache.pipeline.findings import Finding, Findings
from sphinx_nbcache.pipeline.lookup import look_up, make_hit
from sphinx_nbcache.pipeline.plan import Plan, make_plan
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.source import Reading, Source
from sphinx_nbcache.reading import decode_text, read_bytes

READ_ERROR = "NotebookReadError"


class Collection:
    """What one build collects: the outcomes that are known now, and the plans of the rest."""

    def __init__(self, project: Project, reading: Reading, progress: Progress) -> None:
        self.outcomes: list[Outcome] = []
        self.stale: list[Plan] = []
        self._project = project
        self._reading = reading
        self._progress = progress
        self._findings = Findings(project, reading)

    @property
    def findings(self) -> Mapping[str, str]:
        """Return what the index does not know yet of the texts."""
        return self._findings.new

    def collect(self, sources: Iterable[Source], rerun: Mapping[str, str]) -> None:
        """Read and look up sources.

        :param rerun: name to reason, for notebooks that run although their outputs are stored.
        """
        sources = list(sources)
        known = self._findings.recall(sources)
        for source in sources:
            finding = None if source.name in rerun else known.get(source.name)
            if finding is None or not self._answer(source, finding):
                self._read(source, rerun.get(source.name, ""))

    def _answer(self, source: Source, finding: Finding) -> bool:
        """Answer a source from what was found in its text; return whether that is enough."""
        if not finding.is_notebook:
            return True
        if finding.key is None:
            self.outcomes.append(_make_rest(source, finding.skip_reason))
            return True
        # What is damaged will be told by the full way.
        entry = look_up(finding.key, source.name, store=self._project.store, progress=Silence())
        if entry is not None:
            self.outcomes.append(make_hit(source, entry))
        return entry is not None

    def _read(self, source: Source, rerun_reason: str) -> None:
        """Read a source, plan it, and look it up."""
        try:
            data = read_bytes(source.path)
            found = self._reading.read(source, decode_text(source.path, data))
        except NotebookReadError as error:
            self.outcomes.append(make_failure(source.name, source.path, READ_ERROR, error.reason))
            return
        plan = None
        if found is not None:
            plan = make_plan(source.name, *found, project=self._project, rerun_reason=rerun_reason)
            self.add(plan)
        self._findings.note(source, data, plan)

    def add(self, plan: Plan) -> None:
        """Look a notebook up."""
        for problem in plan.problems:
            self._progress.warn(problem, Topic.METADATA, plan.name)
        source = Source(plan.name, plan.notebook.path)
        if plan.job is None:
            self.outcomes.append(_make_rest(source, plan.skip_reason))
            return
        is_forced = plan.run_reason and not self._project.config.frozen
        entry = None
        if not is_forced:
            entry = look_up(
                plan.job.key, plan.name, store=self._project.store, progress=self._progress
            )
        if entry is None:
            self.stale.append(plan)
        else:
            self.outcomes.append(make_hit(source, entry))


def _make_rest(source: Source, skip_reason: str) -> Outcome:
    """Return the outcome of a notebook without a job."""
    status = Status.SKIPPED if skip_reason else Status.HIT
    reason = skip_reason or "no code to run"
    return Outcome(name=source.name, path=source.path, status=status, reason=reason)


def make_failure(name: str, path: Path, error: str, message: str) -> Outcome:
    """Return the outcome of a notebook that did not even run."""
    failure = Failure(name=error, message=message)
    return Outcome(name=name, path=path, status=Status.FAILED, reason=message, failure=failure)
