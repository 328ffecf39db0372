"""From a run to what is kept of it beside its outputs: inputs, artifacts, notes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from sphinx_nbcache.model import (
    ABSENT,
    UNSTABLE,
    Artifact,
    Input,
    InputKind,
    Inputs,
    Interpreter,
    Job,
    Run,
)
from sphinx_nbcache.observing import (
    Environment,
    Packages,
    Present,
    Sighting,
    find_written,
    record_inputs,
)
from sphinx_nbcache.pipeline.lookup import Lookup
from sphinx_nbcache.pipeline.restoring import Restorer
from sphinx_nbcache.running import scan_imports
from sphinx_nbcache.store import Flow, Store, UnreadableError

UNOBSERVED = "unobserved"
"""The note on a run that nobody could watch: only what is declared can make it stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a run read and wrote."""

    inputs: Inputs
    artifacts: tuple[Artifact, ...] = ()
    left: tuple[Artifact, ...] = ()
    """Files that it left in a temporary folder."""
    problems: tuple[str, ...] = ()
    """Why a file of these is not kept; sentences for people."""
    notes: tuple[str, ...] = ()
    flow: Flow = field(default_factory=Flow)
    is_lost: bool = False
    """Whether it should have been observed and was not: then nobody can tell when its
    outputs are stale."""


class Recorder:
    """Records the runs of one build."""

    def __init__(self, lookup: Lookup, restorer: Restorer, store: Store) -> None:
        self._restorer = restorer
        self._store = store
        self._present = lookup.present
        self._environments: dict[Interpreter, Environment] = {}

    def record(self, run: Run) -> Record:
        """Return what is to be kept of a run; its artifacts are stored if it ended well.

        Raises StoreError when the store cannot be written.
        """
        left, problems = self._keep_left(run)
        return replace(self._record(run), left=left, problems=problems)

    def _keep_left(self, run: Run) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
        """Store what a run has left in a temporary folder, and remove that."""
        if run.left is None:
            return (), ()
        kept, problems = [], []
        try:
            for path in sorted(run.left.rglob("*")):
                name = path.relative_to(run.left).as_posix()
                if path.is_dir():
                    continue
                try:
                    name.encode("utf-8")
                    digest, _ = self._store.save_file(path)
                except (UnreadableError, UnicodeError) as error:
                    problems.append(f"{name!r} is not kept in the cache: {error}")
                    continue
                mode = path.stat().st_mode & 0o777
                kept.append(Artifact(path=name, digest=digest, mode=mode))
        finally:
            shutil.rmtree(run.left, ignore_errors=True)
        return tuple(kept), tuple(problems)

    def _record(self, run: Run) -> Record:
        artifacts = self._restorer.keep(run)
        kept = frozenset(artifact.path for artifact in artifacts)
        self._present.renew()
        declared = {*record_declared(run.job, self._present, kept, since=run.started_at)}
        observation = run.observation
        if observation is None:
            inputs = Inputs(tuple(sorted(declared)))
            return Record(inputs=inputs, notes=(UNOBSERVED,), is_lost=_should_be_observed(run))
        interpreter, packages = self._find_environment(run.job.kernel, observation.interpreter)
        sighting = Sighting(
            observation=observation,
            interpreter=interpreter,
            packages=packages,
            static_imports=scan_imports(run.job),
            kept=kept,
            folder=run.job.working_directory,
        )
        seen = record_inputs(sighting, self._present)
        inputs = Inputs(tuple(sorted({*seen.items, *declared})))
        return Record(
            inputs=inputs,
            artifacts=artifacts,
            notes=observation.notes,
            flow=_make_flow(inputs, find_written(observation, self._present.places, interpreter)),
        )

    def _find_environment(self, kernel: str, seen: Interpreter) -> Environment:
        """Return the interpreter and packages of a kernel, as a look-up will know them.

        What a notebook adds to its own import path is its own: a look-up cannot find it.

        :param seen: the interpreter that the run was seen in, where that is another.
        """
        known = self._present.find_environment(kernel)
        if known is not None and known[0].version == seen.version:
            return known
        if seen not in self._environments:
            self._environments[seen] = seen, Packages(seen.site_folders)
        return self._environments[seen]


def _should_be_observed(run: Run) -> bool:
    """Return whether a run was one of a Python that has audit events."""
    language = run.outputs.metadata.get("language_info") or {}
    version = str(language.get("version", "")).split(".")[:2]
    numbers = tuple(int(part) for part in version if part.isdigit())
    return language.get("name") == "python" and numbers >= (3, 8)


def record_declared(
    job: Job, present: Present, kept: frozenset[str], *, since: float
) -> Iterator[Input]:
    """Yield what is declared as it is now, at the end of a run; not what the run wrote.

    :param kept: names of what it wrote.
    :param since: when it began; what was changed later cannot be told from what it read.
    """
    for name in job.declared.env:
        yield Input(InputKind.VARIABLE, name, present.find_variable(name))
    for pattern in job.declared.depends:
        glob = Input(InputKind.GLOB, pattern, "")
        digest = present.find(glob, kernel="", own=dict.fromkeys(kept, "")) or ABSENT
        yield glob._replace(digest=digest)
        for name in present.find_matches(pattern, kept):
            stamp = present.digests.find_stamp(str(present.places.locate(name)))
            # A time in the future tells of another clock, not of a change just now.
            is_new = stamp is not None and since < stamp[1] / 1e9 < time.time()
            digest = (None if is_new else present.find_file(name)) or UNSTABLE
            yield Input(InputKind.FILE, name, digest, pattern)


def _make_flow(inputs: Inputs, written: frozenset[str]) -> Flow:
    """Return what went in and out, folders of what was written included."""
    kinds = (InputKind.FILE, InputKind.MISSING, InputKind.LISTING, InputKind.MODULE)
    reads = frozenset(item.name for item in inputs.items if item.kind in kinds)
    folders = {parent.as_posix() for name in written for parent in PurePosixPath(name).parents}
    return Flow(reads, written | folders)
