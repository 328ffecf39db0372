"""Taking over what jupyter-cache has executed: its runs become entries.

A run there goes by code and metadata alone, a key by more. So the notebooks of the project
are read and planned, and each whose code cells and kernel are those of a run gets an entry
under its own key. Where runs lie and what is known of them is the store's to read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.keys import compute_key, make_question
from sphinx_nbcache.model import (
    IMPORTED,
    Artifact,
    CellOutputs,
    Entry,
    Inputs,
    Job,
    Key,
    Notebook,
    Outputs,
)
from sphinx_nbcache.pipeline.artifacts import Exclusions, is_safe
from sphinx_nbcache.pipeline.documentation import Pages
from sphinx_nbcache.pipeline.files import choose_files, choose_pages
from sphinx_nbcache.pipeline.handover import Handover, Left, LeftBehind, ListedFile
from sphinx_nbcache.pipeline.plan import make_plan
from sphinx_nbcache.pipeline.project import Project, relate
from sphinx_nbcache.pipeline.source import Reading, Source
from sphinx_nbcache.reading import FileReader, decode_text, read_bytes, read_text
from sphinx_nbcache.store import OldCache, OldRun, UnreadableError

_FOUND_OUT = ("language_info", "widgets")
"""Metadata of a notebook that a run adds."""
_SKIP_TAG = "skip-execution"
_RAISES_TAG = "raises-exception"
_SEPARATORS = re.compile(r"[\\/]+")


@dataclass(frozen=True, slots=True)
class _Executed:
    """A run with what is in its notebook."""

    run: OldRun
    outputs: Outputs
    has_errors: bool
    """Whether a cell raised that is not tagged to do so."""


def take_over(
    old: OldCache, sources: Iterable[Source], *, reading: Reading, project: Project
) -> Handover:
    """Store the outputs of a jupyter-cache for the notebooks among some sources.

    A notebook that has an entry already keeps it. Raises StoreError when the store cannot
    be written.
    """
    takeover = _Takeover(old, project)
    with project.store.hold():
        for source in sources:
            takeover.offer(source, reading)
    return takeover.report()


def list_sources(old: OldCache, pages: Pages, project: Project, folder: Path) -> list[Source]:
    """Return all that may be a notebook of which a jupyter-cache has a run.

    Pages of the documentation, notebooks below a folder, and the files that it names itself.
    """
    uris = [*(run.uri for run in old.runs), *(listed.uri for listed in old.listed)]
    named = {locate(uri, project.root) for uri in uris} - {None}
    found = [
        *choose_pages(None, pages, project, folder).sources,
        *choose_files([folder], project).sources,
        *(Source(project.relate(path), path) for path in sorted(filter(None, named))),
    ]
    return list({source.path: source for source in reversed(found)}.values())[::-1]


def locate(uri: str, root: Path) -> Path | None:
    """Return the file of a project that a path of another machine stands for.

    It is the one with the longest end of that path, seen from the root; None where there
    is none.
    """
    parts = _split(uri)
    for start in range(len(parts)):
        path = root.joinpath(*parts[start:])
        try:
            if path.is_file():
                return path
        except OSError:  # no name that a file can have
            return None
    return None


class _Takeover:
    """One jupyter-cache on its way into a store."""

    def __init__(self, old: OldCache, project: Project) -> None:
        self._old = old
        self._project = project
        self._root = Path(os.path.realpath(project.root))
        self._exclusions = Exclusions(project.root, (project.store.path, *project.ignored))
        self._offers: dict[Key, list[_Executed]] = {}
        """Code and kernel to the runs of them."""
        self._left: dict[OldRun, Left] = {}
        self._saved: set[Key] = set()
        self._used: set[OldRun] = set()
        self._asked: set[Key] = set()
        self._planned: dict[Path, bool] = {}
        """Notebooks of the project, and whether they are to be executed."""
        self._taken: list[str] = []
        self._present: list[str] = []
        self._problems: list[str] = []
        for run in old.runs:
            self._read(run)

    def _read(self, run: OldRun) -> None:
        """Read the notebook of a run, and sort it by what it ran."""
        try:
            notebook = FileReader().read(run.notebook, read_text(run.notebook))
        except NotebookReadError as error:
            self._leave(run, Left.UNREADABLE, error.reason)
            return
        assert notebook is not None, "the suffix says so"
        outputs = _collect_outputs(notebook)
        if outputs is None:
            self._leave(run, Left.NOT_EXECUTED)
            return
        executed = _Executed(run, outputs, _has_errors(notebook))
        asked = _identify(notebook, notebook.kernel_name)
        self._offers.setdefault(asked, []).append(executed)

    def _leave(self, run: OldRun, why: Left, detail: str = "") -> None:
        self._left[run] = why
        if detail:
            self._problems.append(f"{run.notebook}: {detail}")

    def offer(self, source: Source, reading: Reading) -> None:
        """Make an entry for a notebook if there is a run of its code, and none yet."""
        job = self._plan(source, reading)
        if job is None:
            return
        asked = _identify(job.notebook, job.kernel)
        offers = self._offers.get(asked, [])
        self._asked.add(asked)
        if not offers:
            return
        if job.key not in self._saved and self._project.store.find_entries(job.key)[0]:
            self._present.append(source.name)
            self._used.update(offer.run for offer in offers)
            return
        good = [offer for offer in offers if job.allow_errors or not offer.has_errors]
        if not good:
            return
        place = _split(self._project.relate(source.path))
        chosen = max(good, key=lambda offer: _rank(offer.run, place))
        self._used.add(chosen.run)
        self._taken.append(source.name)
        if job.key not in self._saved:
            self._saved.add(job.key)
            self._save(job, chosen)

    def _plan(self, source: Source, reading: Reading) -> Job | None:
        """Return the job of a source; None if it is no notebook that is executed."""
        try:
            found = reading.read(source, decode_text(source.path, read_bytes(source.path)))
        except NotebookReadError:
            return None  # told when it is to be executed
        if found is None:
            return None
        job = make_plan(source.name, *found, project=self._project).job
        self._planned[source.path] = job is not None
        return job

    def _save(self, job: Job, executed: _Executed) -> None:
        store, run = self._project.store, executed.run
        entry = Entry(
            key=job.key,
            inputs=Inputs(),
            outputs=store.save_outputs(executed.outputs),
            kernel=job.kernel,
            executed_at=max(0.0, run.created_at - run.seconds),
            seconds=run.seconds,
            cells=(),
            source=self._project.relate(job.notebook.path),
            artifacts=tuple(self._save_artifacts(job, run)),
            notes=(IMPORTED,),
        )
        store.save_entry(entry, job.question)
        store.index.note_run(entry)

    def _save_artifacts(self, job: Job, run: OldRun) -> Iterator[Artifact]:
        """Store the files of a run, for their places beside its notebook."""
        folder = job.working_directory
        if folder is None and run.artifacts:
            text = "runs in a temporary folder: the files that it wrote are not taken over"
            self._problems.append(f"{job.name} {text}")
        if folder is None:
            return
        for name, file in run.artifacts:
            path = relate(Path(os.path.realpath(folder), name), self._root)
            if not is_safe(path) or self._exclusions.has(path):
                self._problems.append(f"{path} is no place for a file of {job.name}: left out")
                continue
            try:
                digest, _ = self._project.store.save_file(file)
                mode = file.stat().st_mode & 0o777
            except (UnreadableError, FileNotFoundError) as error:
                self._problems.append(f"{file} is not taken over: {error.strerror}")
                continue
            yield Artifact(path=path, digest=digest, mode=mode)

    def report(self) -> Handover:
        """Return what came of it."""
        for asked, offers in self._offers.items():
            for offer in offers:
                if offer.run not in self._used:
                    self._left[offer.run] = self._find_why(asked, offer)
        return Handover(
            path=self._old.path,
            taken=tuple(self._taken),
            present=tuple(self._present),
            left=tuple(LeftBehind(run.uri, self._left[run]) for run in self._sort_left()),
            listed=tuple(self._describe_listed()),
            problems=tuple(self._problems),
        )

    def _find_why(self, asked: Key, offer: _Executed) -> Left:
        """Return why a run was not taken."""
        if asked in self._asked:
            others = self._offers[asked]
            is_beaten = any(other.run in self._used for other in others)
            return Left.OLDER if is_beaten else Left.FAILED
        path = locate(offer.run.uri, self._project.root)
        is_executed = None if path is None else self._planned.get(path)
        if is_executed is None:
            return Left.NO_NOTEBOOK
        return Left.CHANGED if is_executed else Left.SKIPPED

    def _sort_left(self) -> list[OldRun]:
        return sorted(self._left, key=lambda run: run.uri)

    def _describe_listed(self) -> Iterator[ListedFile]:
        for uri, reader, assets in self._old.listed:
            path = locate(uri, self._project.root)
            yield ListedFile(uri, path, reader, tuple(_shorten(name, uri) for name in assets))


def _identify(notebook: Notebook, kernel: str) -> Key:
    """Return what tells code cells and kernel from others, wherever they run."""
    return compute_key(make_question(notebook, kernel=kernel, working_directory=None))


def _collect_outputs(notebook: Notebook) -> Outputs | None:
    """Return the outputs in a notebook; None if a cell of it was not executed."""
    cells: list[CellOutputs | None] = []
    for cell in notebook.iterate_code_cells():
        node = notebook.content["cells"][cell.position]
        count, outputs = node.get("execution_count"), list(node.get("outputs", []))
        if _SKIP_TAG in cell.tags:
            cells.append(None)
        elif count is None and not outputs:
            return None
        else:
            cells.append(CellOutputs(count, outputs))
    metadata = {key: notebook.metadata[key] for key in _FOUND_OUT if key in notebook.metadata}
    return Outputs(tuple(cells), metadata)


def _has_errors(notebook: Notebook) -> bool:
    """Return whether a cell raised that is not tagged to do so."""
    cells = notebook.content["cells"]
    return any(
        output.get("output_type") == "error"
        for cell in notebook.iterate_code_cells()
        if not {_SKIP_TAG, _RAISES_TAG} & cell.tags
        for output in cells[cell.position].get("outputs", [])
    )


def _rank(run: OldRun, place: list[str]) -> tuple[int, float]:
    """Return how well a run fits a notebook: that of its own path, then the newest."""
    pairs = zip(reversed(_split(run.uri)), reversed(place), strict=False)
    common = 0
    for theirs, ours in pairs:
        if theirs != ours:
            break
        common += 1
    return common, run.created_at


def _split(path: str) -> list[str]:
    """Return the parts of a path of any system, without its drive or root."""
    parts = [part for part in _SEPARATORS.split(path) if part and not part.endswith(":")]
    return [] if ".." in parts else parts


def _shorten(name: str, uri: str) -> str:
    """Return the path of a file relative to a notebook's folder, if it lies below that."""
    folder, parts = _split(uri)[:-1], _split(name)
    is_below = bool(folder) and parts[: len(folder)] == folder
    return "/".join(parts[len(folder) :]) if is_below else name
