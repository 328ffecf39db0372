"""From sources to what is known already, and what has to run.

An unchanged text is not parsed: what was found in it is asked from the index, and a hit
is answered from that. A miss, a failure and anything odd go the full way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Failure, InputKind, Outcome, Settings, Status, Topic
from sphinx_nbcache.pipeline.artifacts import Restored
from sphinx_nbcache.pipeline.explanation import Explainer, Explanation
from sphinx_nbcache.pipeline.findings import Finding, Findings
from sphinx_nbcache.pipeline.lookup import Answer, Asked, Lookup, describe_kept, make_hit, summarise
from sphinx_nbcache.pipeline.plan import Plan, make_plan
from sphinx_nbcache.pipeline.progress import Progress
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.restoring import Restorer
from sphinx_nbcache.pipeline.source import Reading, Source
from sphinx_nbcache.reading import decode_text, read_bytes
from sphinx_nbcache.store import PageRow

READ_ERROR = "NotebookReadError"
FROM_CACHE = "outputs in the cache"
FROM_REMOTE = "outputs from the remote cache"


@dataclass(frozen=True, slots=True)
class Stale:
    """A notebook that has to run, and why."""

    plan: Plan
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class _Pending:
    """A notebook that is not answered yet."""

    source: Source
    asked: Asked
    plan: Plan | None = None
    """None where its text was not parsed."""


class Collection:
    """What one build collects: outcomes that are known, and notebooks that have to run."""

    def __init__(
        self,
        project: Project,
        reading: Reading,
        progress: Progress,
        *,
        lookup: Lookup,
        restorer: Restorer,
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.restorer = restorer
        self.findings = Findings(project, reading)
        self.pages: list[PageRow] = []
        """What the index is to know of the pages that were read."""
        self._project = project
        self._reading = reading
        self._progress = progress
        self._lookup = lookup
        self._explainer = Explainer(project)
        self._sources: dict[str, Source] = {}
        self.plans: dict[str, Plan] = {}
        """Of the notebooks that were parsed: all that wait for others are among them."""
        self._tried: set[tuple[str, str]] = set()
        """Notebook and file that it was run again for: once is enough."""
        self._reconsidered: set[str] = set()
        self._refused = 0
        """Number of entries that are not signed, of those that were looked at."""

    def collect(self, sources: Iterable[Source], rerun: Mapping[str, str]) -> list[Stale]:
        """Read and look up sources; return those that have to run.

        :param rerun: name to reason, for notebooks that run although their outputs are stored.
        """
        sources = list(sources)
        self._sources.update({source.name: source for source in sources})
        known = self.findings.recall(sources)
        stale, pending = [], []
        for source in sources:
            finding = None if source.name in rerun else known.get(source.name)
            item = self._recall(source, finding) if finding else self._read(source, rerun)
            if isinstance(item, _Pending):
                pending.append(item)
            elif item is not None:
                stale.append(item)
        return stale + self._look_up(pending)

    def _recall(self, source: Source, finding: Finding) -> _Pending | None:
        """Take a source from what was found in its text; None if that answers it."""
        if not finding.is_notebook:
            return None
        if finding.key is None:
            self._note(_make_rest(source, finding.skip_reason))
            return None
        return _Pending(source, finding.ask(source.name))

    def _read(self, source: Source, rerun: Mapping[str, str]) -> _Pending | Stale | None:
        """Read and plan a source; None if that answers it."""
        try:
            plan = self._plan(source, rerun.get(source.name, ""))
        except NotebookReadError as error:
            self._note(make_failure(source.name, source.path, READ_ERROR, error.reason))
            return None
        if plan is None:
            return None
        for problem in plan.problems:
            self._progress.warn(problem, Topic.METADATA, plan.name)
        if plan.job is None:
            self._note(_make_rest(source, plan.skip_reason))
            return None
        if plan.run_reason and not self._project.config.frozen:
            answer = Answer(asked=Asked.from_job(plan.job), entry=None)
            return Stale(plan, self._explainer.explain(plan.job, answer, plan.run_reason))
        return _Pending(source, Asked.from_job(plan.job), plan)

    def _plan(self, source: Source, rerun_reason: str) -> Plan | None:
        """Return what is to be done with a source; None if it is no notebook."""
        data = read_bytes(source.path)
        found = self._reading.read(source, decode_text(source.path, data))
        plan = None
        if found is not None:
            plan = make_plan(source.name, *found, project=self._project, rerun_reason=rerun_reason)
            self.plans[source.name] = plan
            self._note_page(source, found[1])
        self.findings.note(source, data, plan)
        return plan

    def _note_page(self, source: Source, settings: Settings) -> None:
        """Remember how a page of a documentation is executed, for those who do not read conf.py."""
        path = self._project.relate(source.path)
        if source.name != path:
            self.pages.append(PageRow(path, source.name, settings.to_json()))

    def _look_up(self, pending: list[_Pending]) -> list[Stale]:
        """Answer what can be answered; return the rest.

        A hit puts back what its notebook wrote, which may be what another one reads: so those
        that missed are asked once more, as long as there was something new; and those that
        hit, because something was not there yet. What the remote has is new, too.
        """
        missed: list[tuple[_Pending, Answer]] = []
        landed: dict[str, _Pending] = {}
        is_first = has_news = True
        while has_news and pending:
            missed, has_news = [], False
            for item in pending:
                answer = self._lookup.look_up(item.asked)
                if is_first:
                    self._warn_of_damage(answer)
                hit = self._land(item, answer)
                if hit is None:
                    missed.append((item, replace(answer, entry=None)))
                else:
                    landed[item.source.name] = item
                    has_news |= bool(hit.written)
            pending, is_first = [item for item, _ in missed], False
            if has_news:
                pending += self._reconsider(landed)
            has_news |= self._lookup.bring(item.asked for item in pending)
        self._warn_of_refused()
        if notice := self._project.store.lfs.take_notice():
            self._progress.warn(notice)
        return [stale for item, answer in missed for stale in self._make_stale(item, answer)]

    def _reconsider(self, landed: dict[str, _Pending]) -> list[_Pending]:
        """Take back the hits that do not hold any more, each once."""
        back = []
        for name, item in list(landed.items()):
            outcome = self.outcomes[name]
            verdict = self._lookup.judge(outcome.inputs, item.asked, outcome.artifacts)
            if verdict.changes and name not in self._reconsidered:
                self._reconsidered.add(name)
                del self.outcomes[name], landed[name]
                back.append(item)
        return back

    def _land(self, item: _Pending, answer: Answer) -> Restored | None:
        """Take an answer and put its files back; None if it has none, or a file is lost."""
        if answer.entry is None:
            return None
        entry = answer.entry
        restored = self.restorer.restore(item.source.name, entry.artifacts, entry.inputs)
        if restored.lost:
            return None  # told of by the restorer: only a run brings it back
        is_brought = entry.name in self._lookup.sharing.brought
        reason = FROM_REMOTE if is_brought else FROM_CACHE
        self._note(make_hit(item.source, answer, reason))
        return restored

    def _warn_of_refused(self) -> None:
        if self._refused:
            self._progress.warn(
                f"{self._refused} entries of the cache are not signed with one of the keys of "
                "NBCACHE_SIGNING_KEY and count as not cached"
            )
        self._refused = 0

    def _warn_of_damage(self, answer: Answer) -> None:
        self._refused += answer.refused
        for problem in answer.damaged:
            self._progress.warn(f"{problem}; {answer.asked.name} counts as not cached")

    def _make_stale(self, item: _Pending, answer: Answer) -> list[Stale]:
        """Return a notebook that missed as stale; none if it cannot be read any more."""
        if item.plan is not None and item.plan.job is not None:
            return [Stale(item.plan, self._explainer.explain(item.plan.job, answer))]
        found = self._read(item.source, {})
        if isinstance(found, _Pending):
            return self._make_stale(found, answer)
        return [] if found is None else [found]

    def find_affected(self, written: Mapping[str, AbstractSet[str]]) -> list[Stale]:
        """Return the notebooks that have to run because another one wrote what they read.

        :param written: names of files and folders to the notebooks that wrote there.
        """
        affected = []
        for outcome in list(self.outcomes.values()):
            names = {
                name for name in _list_read(outcome) if written.get(name, set()) - {outcome.name}
            }
            new = {(outcome.name, name) for name in names} - self._tried
            if new and (stale := self._check_again(outcome)) is not None:
                self._tried |= new
                affected.append(stale)
        return affected

    def _check_again(self, outcome: Outcome) -> Stale | None:
        """Return a notebook as stale if what it read is different now."""
        plan = self.plans.get(outcome.name) or self._plan(self._sources[outcome.name], "")
        if plan is None or plan.job is None:
            return None
        verdict = self._lookup.judge(outcome.inputs, Asked.from_job(plan.job), outcome.artifacts)
        if not verdict.changes:
            return None
        text = f"{summarise(verdict.changes)} (another notebook wrote it in this build)"
        return Stale(plan, Explanation(text, verdict.changes))

    def _note(self, outcome: Outcome) -> None:
        self.outcomes[outcome.name] = outcome
        for warning in outcome.warnings:
            self._progress.warn(describe_kept(warning), Topic.INPUTS, outcome.name)


def _list_read(outcome: Outcome) -> set[str]:
    """Return the names of the files and folders that a notebook read or depends on."""
    globs = (item.name for item in outcome.inputs.items if item.kind == InputKind.GLOB)
    folders = {pattern.rpartition("/")[0].partition("*")[0].rstrip("/") or "." for pattern in globs}
    return folders | {item.name for item in outcome.inputs.items}


def _make_rest(source: Source, skip_reason: str) -> Outcome:
    """Return the outcome of a notebook without a job."""
    status = Status.SKIPPED if skip_reason else Status.HIT
    reason = skip_reason or "no code to run"
    return Outcome(name=source.name, path=source.path, status=status, reason=reason)


def make_failure(name: str, path: Path, error: str, message: str) -> Outcome:
    """Return the outcome of a notebook that did not even run."""
    failure = Failure(name=error, message=message)
    return Outcome(name=name, path=path, status=Status.FAILED, reason=message, failure=failure)
