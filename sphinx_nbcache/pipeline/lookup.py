"""From what is asked to the entry that answers it: one whose inputs all hold now."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from sphinx_nbcache.keys import find_changes
from sphinx_nbcache.model import (
    IMPORTED,
    Artifact,
    Declared,
    Entry,
    Input,
    InputKind,
    Inputs,
    Job,
    Key,
    Outcome,
    Status,
)
from sphinx_nbcache.observing import Digests, Environment, Packages, Places, Present
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.sharing import Sharing
from sphinx_nbcache.pipeline.source import Source

_TRACKED: dict[str, str] = {
    InputKind.FILE: "files",
    InputKind.LISTING: "listings",
    InputKind.MISSING: "missing",
    InputKind.MODULE: "modules",
    InputKind.PACKAGE: "packages",
    InputKind.PYTHON: "python",
}
"""Kind of input to the class of ``nbcache_track``; what is declared is always on."""
_INSTALLED = (InputKind.PACKAGE, InputKind.PYTHON)
_MOST_NAMED = 3


class Asked(NamedTuple):
    """What is asked for a notebook, and what its outputs depend on beside what was seen."""

    name: str
    key: Key
    kernel: str
    declared: Declared = Declared()

    @classmethod
    def from_job(cls, job: Job) -> Asked:
        """Return what a job asks."""
        return cls(job.name, job.key, job.kernel, job.declared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether outputs hold, and what is to be said of it."""

    changes: tuple[str, ...] = ()
    """Why they do not hold; empty if they do."""
    warnings: tuple[str, ...] = ()
    """What changed and does not count, because ``nbcache_track`` says so."""
    notes: tuple[str, ...] = ()
    """What differs here and cannot count, because no kernel may start."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what a build has to say where outputs hold in spite of a change."""
        return () if self.changes else tuple(map(describe_kept, self.warnings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the store has for a notebook."""

    asked: Asked
    entry: Entry | None
    verdict: Verdict = Verdict()
    """Of the entry; without one, of the entry that was used last, if there is any."""
    damaged: tuple[str, ...] = ()
    """What in the store is torn, missing or altered."""
    refused: int = 0
    """Number of its entries that are not signed with one of the keys."""
    is_unfetched: bool = False
    """Whether an entry holds that only waits for what git LFS keeps."""


class Lookup:
    """Looks up, against one state of the project; made anew for each build.

    :param on_large: told while a large file is being hashed: name, bytes done, all bytes.
    :param is_online: whether the remote may be asked, where one is configured.
    :param is_dry: fetch nothing: neither from there nor from git LFS.
    """

    def __init__(
        self,
        project: Project,
        on_large: Callable[[str, int, int], None] | None = None,
        *,
        is_online: bool = False,
        is_dry: bool = False,
    ) -> None:
        self._project = project
        self._is_dry = is_dry
        self.sharing = Sharing(project, is_online=is_online)
        self._memory = Memory(project)
        self._levels = dict(project.config.track)
        self._uses: dict[str, float] | None = None
        self.present = Present(
            Places(project.root, project.ignored),
            Digests(project.store.index.find_files(), on_large),
            find_environment=self._find_environment,
            variables=os.environ,
        )

    @property
    def memory(self) -> Memory:
        """Return what is remembered of interpreters."""
        return self._memory

    def look_up(self, asked: Asked) -> Answer:
        """Return the most recently used entry of a key that holds.

        What is torn, missing or altered counts as a miss.
        """
        entries, problems = self._project.store.find_entries(asked.key)
        is_unfetched = any(problem.is_unfetched for problem in problems)
        nothing = Answer(
            asked=asked,
            entry=None,
            damaged=tuple(str(p) for p in problems if not (p.is_refused or p.is_unfetched)),
            refused=sum(problem.is_refused for problem in problems),
            is_unfetched=is_unfetched and bool(self._find_unfetched(asked)),
        )
        best: Answer | None = None
        for entry in self._sort(_pass_over_imported(entries)):
            verdict = self._judge_entry(entry, asked)
            if not verdict.changes:
                return replace(nothing, entry=entry, verdict=verdict)
            best = best or replace(nothing, verdict=verdict)
        return best or nothing

    def bring(self, asked: Iterable[Asked]) -> bool:
        """Take into the store what git LFS, or else the remote, has for some notebooks.

        Returns whether there was anything. Of entries that do not hold, nothing is fetched.
        """
        asked = list(asked)
        if not self._is_dry:
            entries = (entry for item in asked for entry in self._find_unfetched(item))
            needed = [digest for entry in entries for digest in (*entry.objects, entry.key)]
            if self._project.store.lfs.fetch(needed):
                return True
        return self.sharing.bring((item.key, self._make_holds(item)) for item in asked)

    def _find_unfetched(self, asked: Asked) -> list[Entry]:
        entries = self._project.store.find_unfetched(asked.key)
        return [entry for entry in entries if not self._judge_entry(entry, asked).changes]

    def _make_holds(self, asked: Asked) -> Callable[[Entry], bool]:
        return lambda entry: not self._judge_entry(entry, asked).changes

    def _judge_entry(self, entry: Entry, asked: Asked) -> Verdict:
        return self.judge(entry.inputs, asked, entry.artifacts, entry.executed_at)

    def judge(
        self,
        inputs: Inputs,
        asked: Asked,
        artifacts: Iterable[Artifact] = (),
        executed_at: float | None = None,
    ) -> Verdict:
        """Return whether outputs hold that were made from some inputs.

        :param artifacts: what their notebook wrote.
        :param executed_at: when they were made.
        """
        own = {artifact.path: artifact.digest for artifact in artifacts}
        items = self._select(inputs, asked.declared)

        def find_now(item: Input) -> str | None:
            return self.present.find(item, kernel=asked.kernel, own=own)

        stale, warnings, notes = [], [], []
        for change in find_changes(items, find_now):
            if self._get_level(change.input.kind) == "warn":
                warnings.append(change.describe())
            elif self._project.config.frozen and change.input.kind in _INSTALLED:
                notes.append(change.describe())
            else:
                stale.append(change.describe())
        stale += [*find_undeclared(inputs, asked.declared), *_find_age(asked.declared, executed_at)]
        return Verdict(changes=tuple(stale), warnings=tuple(warnings), notes=tuple(notes))

    def _sort(self, entries: list[Entry]) -> list[Entry]:
        """Sort the entries of a key, the one that was used last first."""
        if len(entries) < 2:
            return entries
        if self._uses is None:
            self._uses = self._project.store.index.find_uses()
        uses = self._uses
        return sorted(
            entries, key=lambda e: max(uses.get(e.name, 0.0), e.executed_at), reverse=True
        )

    def _select(self, inputs: Inputs, declared: Declared) -> Iterator[Input]:
        """Yield the inputs that count: not those that nobody tracks or declares any more."""
        for item in inputs.items:
            if self._get_level(item.kind) == "off":
                continue
            if item.kind == InputKind.GLOB and item.name not in declared.depends:
                continue
            if item.kind == InputKind.VARIABLE and item.name not in declared.env:
                continue
            is_declared = item.kind == InputKind.FILE and item.via
            if not is_declared or item.via in declared.depends:
                yield item

    def _get_level(self, kind: str) -> str:
        return self._levels.get(_TRACKED.get(kind, ""), "on")

    def _find_environment(self, kernel: str) -> Environment | None:
        from sphinx_nbcache.running import find_interpreter

        try:
            interpreter = find_interpreter(kernel, self._memory)
        except OSError:  # an interpreter that this user may not even look at
            return None
        return None if interpreter is None else (interpreter, Packages(interpreter.site_folders))


class Memory:
    """Texts that the index keeps from build to build."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[str, str] | None = None
        self.new: dict[str, str] = {}
        """What the index does not know yet."""

    def recall(self, name: str) -> str | None:
        """Return what is remembered under a name."""
        if self._known is None:
            self._known = self._project.store.index.find_memos()
        return self.new.get(name, self._known.get(name))

    def note(self, name: str, value: str) -> None:
        """Remember a text."""
        self.new[name] = value


def _pass_over_imported(entries: list[Entry]) -> list[Entry]:
    """Return the entries of a key that were seen to be made, if there is one.

    What was taken over from jupyter-cache holds whatever changes: it must not answer for a
    notebook of which it is known that what it reads has changed.
    """
    return [entry for entry in entries if IMPORTED not in entry.notes] or entries


def find_undeclared(inputs: Inputs, declared: Declared) -> Iterator[str]:
    """Yield what is declared now and was not when the outputs were made."""
    known = {(item.kind, item.name) for item in inputs.items}
    asked = [(InputKind.GLOB, name) for name in declared.depends]
    asked += [(InputKind.VARIABLE, name) for name in declared.env]
    yield from (f"{name} is declared now" for kind, name in asked if (kind, name) not in known)


def _find_age(declared: Declared, executed_at: float | None) -> Iterator[str]:
    if declared.max_age_s is None or executed_at is None:
        return
    if time.time() - executed_at > declared.max_age_s:
        yield f"older than its max_age of {format_duration(declared.max_age_s)}"


def format_duration(seconds: float) -> str:
    """Return a duration in the largest unit that divides it: ``7d``, ``36h``, ``90s``."""
    for unit, size in (("d", 24 * 3600), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:g}{unit}"
    return f"{seconds:g}s"


def summarise(changes: Iterable[str]) -> str:
    """Return changes as one line, not all of many."""
    texts = list(changes)
    rest = len(texts) - _MOST_NAMED
    text = "; ".join(texts[:_MOST_NAMED])
    return f"{text}; {rest} more" if rest > 0 else text


def describe_kept(warning: str) -> str:
    """Return what is said of a change that does not count."""
    return f"{warning}: its outputs are kept (nbcache_track)"


def make_hit(source: Source, answer: Answer, reason: str) -> Outcome:
    """Return the outcome of a notebook that an entry answers."""
    entry, verdict = answer.entry, answer.verdict
    assert entry is not None
    if verdict.notes:
        reason = f"{reason}; not checked here: {summarise(verdict.notes)}"
    if verdict.warnings:
        reason = f"{reason}; {summarise(verdict.warnings)}"
    return Outcome(
        name=source.name,
        path=source.path,
        status=Status.HIT,
        reason=reason,
        key=entry.key,
        kernel=entry.kernel,
        seconds=entry.seconds,
        executed_at=entry.executed_at,
        cells=entry.cells,
        outputs=entry.outputs,
        inputs=entry.inputs,
        artifacts=entry.artifacts,
        declared=answer.asked.declared,
        notes=entry.notes,
        warnings=verdict.warnings,
    )
