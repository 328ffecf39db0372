"""The entries of the cache: what is in them, what is added by hand, what goes.

What ``nbcache cache``, ``prune``, ``stats``, ``export`` and ``import`` work on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.errors import (
    AlreadyCachedError,
    NotebookNotFoundError,
    NotExecutedError,
    RecordNotFoundError,
    StoreError,
)
from sphinx_nbcache.model import IMPORTED, Artifact, Entry, Inputs, Job, Mode, Outputs, digest_json
from sphinx_nbcache.pipeline.executed import collect_outputs, describe_cells, find_flaw
from sphinx_nbcache.pipeline.ids import IdOrPath, find_by_id
from sphinx_nbcache.pipeline.lookup import Lookup
from sphinx_nbcache.pipeline.opened import Opened
from sphinx_nbcache.pipeline.recording import record_declared
from sphinx_nbcache.store import Imported, Limits, Pruned, UnreadableError

if TYPE_CHECKING:
    from nbformat import NotebookNode

_NO_ID = "the cache has no entry with this ID; `nbcache cache list` shows them"
_NO_ENTRY = "the cache has no outputs for it as it is now"
_NO_ARTIFACT = "the entry has no artifact of this name"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedEntry:
    """An entry of the cache, with its ID."""

    id: int
    entry: Entry
    used_at: float
    """When it answered last, as far as that was noted: a POSIX timestamp."""
    size_bytes: int
    """On the disk, its objects included."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: what scripts read, so no name in it ever changes."""
        entry = self.entry
        return {
            "id": self.id,
            "path": entry.source,
            "key": entry.key,
            "kernel": entry.kernel,
            "created_at": entry.executed_at,
            "used_at": self.used_at,
            "execution_seconds": round(entry.seconds, 3),
            "size_bytes": self.size_bytes,
            "artifacts": [artifact.path for artifact in entry.artifacts],
            "left": [artifact.path for artifact in entry.left],
            "notes": list(entry.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What the cache holds, in numbers."""

    entries: int
    notebooks: int
    """Number of notebooks that the entries are of."""
    artifacts: int
    memos: int
    """Number of values of memoized functions and cells."""
    objects: int
    size_bytes: int
    """On the disk."""
    seconds: float
    """How long it took to make all that: what a build without the cache would take."""
    oldest_at: float | None
    """When the oldest entry was made: a POSIX timestamp."""
    newest_at: float | None
    limit: int | None
    """Largest number of entries that a build leaves; None for no limit."""


class EntryList:
    """The entries of one cache, with their IDs.

    Made by ``NotebookCache.entries``. Where an entry is named, its ID will do, as a number
    or as text, or the path of a notebook, for the entry that answers it now; what is not
    there raises RecordNotFoundError.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._project = opened.project
        self._store = opened.project.store

    def list_all(self) -> tuple[CachedEntry, ...]:
        """Return all entries, the one that was used last first."""
        ids, inventory = self._store.number_entries(), self._store.take_inventory()
        found = [
            CachedEntry(
                id=ids[stored.entry.name],
                entry=stored.entry,
                used_at=stored.used_at,
                size_bytes=inventory.weigh(stored),
            )
            for stored in inventory.entries
            if stored.entry.name in ids
        ]
        return tuple(sorted(found, key=lambda item: (item.used_at, item.id), reverse=True))

    def get(self, id_or_path: IdOrPath) -> CachedEntry:
        """Return one entry."""
        return self.find([id_or_path])[0]

    def find(self, ids_or_paths: Iterable[IdOrPath]) -> list[CachedEntry]:
        """Return some entries, each once.

        Raises RecordNotFoundError for a name that there is no entry for.
        """
        entries = self.list_all()
        by_id = {found.id: found for found in entries}
        by_name = {found.entry.name: found for found in entries}
        found: dict[int, CachedEntry] = {}
        for given in ids_or_paths:
            item = self._find_one(given, by_id, by_name)
            found[item.id] = item
        return list(found.values())

    def get_notebook(self, id_or_path: IdOrPath) -> NotebookNode:
        """Return an entry as a notebook of code cells with their outputs.

        Text cells are not in the cache. Raises StoreError when what it needs is damaged.
        """
        entry = self.get(id_or_path).entry
        outputs = self._store.load_outputs(entry.outputs)
        asked = self._store.lfs.read(entry.key)
        if outputs is None or asked is None:
            raise StoreError(self._store.path, f"an object of {entry.source} is damaged")
        return _make_notebook(json.loads(asked), entry, outputs)

    def read_artifact(self, id_or_path: IdOrPath, path: str) -> bytes:
        """Return the bytes of a file that a notebook wrote.

        :param path: relative to the folder that it ran in, or to the project root.

        Raises RecordNotFoundError, and StoreError when it is damaged.
        """
        entry = self.get(id_or_path).entry
        folder = PurePosixPath(entry.source).parent
        names = ((folder / path).as_posix(), PurePosixPath(path).as_posix())
        known = {artifact.path: artifact for artifact in (*entry.left, *entry.artifacts)}
        artifact = next((known[name] for name in names if name in known), None)
        if artifact is None:
            raise RecordNotFoundError(path, _NO_ARTIFACT)
        data = self._store.lfs.read(artifact.digest)
        if data is None:
            raise StoreError(self._store.path, f"the object of {path} is missing or damaged")
        return data

    def add(
        self,
        path: str | Path,
        *,
        artifacts: Iterable[str | Path] = (),
        validate: bool = True,
        overwrite: bool = False,
    ) -> CachedEntry:
        """Store a notebook that was executed elsewhere, with the outputs in its file.

        :param artifacts: files that it wrote, in its folder or below.
        :param validate: refuse one that does not look executed from top to bottom.
        :param overwrite: take the place of an entry of the same code.

        Raises NotebookNotFoundError, NotebookReadError, NotExecutedError, AlreadyCachedError,
        StoreError.
        """
        path = Path(path).resolve()
        job = self._require_job(path)
        flaw = find_flaw(job.notebook) if validate else ""
        if flaw:
            raise NotExecutedError(path, flaw)
        if not overwrite and next(iter(self._store.find_entries(job.key)[0]), None):
            raise AlreadyCachedError(path)
        files = [self._check_artifact(path.parent, given) for given in artifacts]
        with self._store.hold():
            return self._save(job, files)

    def _require_job(self, path: Path) -> Job:
        plan = self._opened.plan(path, mode=Mode.CACHE)
        if plan.job is None:
            raise NotExecutedError(path, plan.skip_reason or "it has no code", is_final=True)
        return plan.job

    def _save(self, job: Job, files: list[Path]) -> CachedEntry:
        kept = tuple(self._save_artifact(path) for path in files)
        present = Lookup(self._project).present
        names = frozenset(artifact.path for artifact in kept)
        now = time.time()
        declared = {*record_declared(job, present, names, since=now)}
        cells = describe_cells(job.notebook)
        seconds = sum(cell.seconds for cell in cells)
        started = [cell.started_at for cell in cells if cell.started_at is not None]
        entry = Entry(
            key=job.key,
            inputs=Inputs(tuple(sorted(declared))),
            outputs=self._store.save_outputs(collect_outputs(job.notebook)),
            kernel=job.kernel,
            executed_at=min(started, default=now),
            seconds=seconds,
            cells=cells,
            source=self._project.relate(job.notebook.path),
            artifacts=kept,
            notes=(IMPORTED,),
        )
        limit = self._project.config.entries_per_key
        self._store.save_entry(entry, job.question, limit=limit)
        self._store.index.note_run(entry)
        return self._describe(entry)

    def _describe(self, entry: Entry) -> CachedEntry:
        number = self._store.number_entries().get(entry.name)
        if number is None:
            raise StoreError(self._store.path, f"{entry.source} was removed again just now")
        used_at = max(self._store.index.find_uses().get(entry.name, 0.0), entry.executed_at)
        size = self._store.weigh_entry(entry)
        return CachedEntry(id=number, entry=entry, used_at=used_at, size_bytes=size)

    def _check_artifact(self, folder: Path, given: str | Path) -> Path:
        path = Path(given).resolve()
        if not path.is_file():
            raise NotebookNotFoundError(path)
        if not path.is_relative_to(folder):
            raise NotebookNotFoundError(path, f"it does not lie below {folder}")
        return path

    def _save_artifact(self, path: Path) -> Artifact:
        try:
            digest, _ = self._store.save_file(path)
        except UnreadableError as error:
            raise NotebookNotFoundError(path, f"it cannot be read: {error.strerror}") from error
        mode = path.stat().st_mode & 0o777
        return Artifact(path=self._project.relate(path), digest=digest, mode=mode)

    def diff(self, id_or_path: IdOrPath, path: str | Path) -> str:
        """Return how a notebook differs from an entry: code cells and outputs, as nbdime shows.

        Empty if they do not differ. Raises RecordNotFoundError, NotebookReadError,
        MissingExtraError without nbdime.
        """
        from sphinx_nbcache.pipeline.difference import show_difference

        path = Path(path).resolve()
        cached = self.get_notebook(id_or_path)
        plan = self._opened.plan(path)
        return show_difference(cached, plan.notebook, str(id_or_path), self._project.relate(path))

    def remove(self, ids_or_paths: Iterable[IdOrPath]) -> Pruned:
        """Remove entries, and the objects that no other one needs."""
        names = {found.entry.name for found in self.find(ids_or_paths)}
        return self._store.remove_entries(names)

    def clear(self) -> Pruned:
        """Remove all entries and objects; the project's list and settings stay."""
        return self._store.clear_entries()

    def prune(
        self,
        *,
        max_size_bytes: int | None = None,
        max_age_s: float | None = None,
        max_count: int | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Remove what no entry needs, and entries until some limits are kept.

        Those go first that save the fewest seconds for each byte, then those used longest ago.

        :param max_size_bytes: of entries and objects on the disk.
        :param max_age_s: seconds since an entry answered last.
        :param max_count: number of entries.
        :param dry_run: only tell what would go.
        """
        limits = Limits(size_bytes=max_size_bytes, age_s=max_age_s, count=max_count)
        return self._store.prune(limits, is_dry=dry_run)

    def compute_stats(self) -> Stats:
        """Return what the cache holds, in numbers."""
        inventory = self._store.take_inventory()
        entries = [stored.entry for stored in inventory.entries]
        times = [entry.executed_at for entry in entries]
        return Stats(
            entries=len(entries),
            notebooks=len({entry.source for entry in entries}),
            artifacts=sum(len(entry.artifacts) + len(entry.left) for entry in entries),
            memos=len(inventory.memos),
            objects=len(inventory.sizes),
            size_bytes=inventory.size_bytes,
            seconds=sum(stored.entry.seconds for stored in inventory.records),
            oldest_at=min(times, default=None),
            newest_at=max(times, default=None),
            limit=self.limit,
        )

    @property
    def limit(self) -> int | None:
        """Return the largest number of entries that a build leaves; None for no limit."""
        return self._store.project_file.read().cache_limit

    def set_limit(self, limit: int | None) -> None:
        """Say how many entries a build may leave: those it used itself stay in any case.

        :param limit: a whole number from 1; None for no limit.

        Raises ValueError, StoreError.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"a limit of {limit} entries: expected a whole number from 1")
        self._store.change_project(lambda before: (before.with_limit(limit), None))

    def export_to(self, target: str | Path, ids_or_paths: Iterable[IdOrPath] | None = None) -> int:
        """Write entries with all they need into an archive; return how many.

        :param ids_or_paths: None for all.

        Raises RecordNotFoundError, StoreError.
        """
        names = (
            None
            if ids_or_paths is None
            else {found.entry.name for found in self.find(ids_or_paths)}
        )
        return self._store.export_to(Path(target), names)

    def import_from(self, archive: str | Path) -> Imported:
        """Take the entries of an archive that are not here yet; everything is verified.

        Raises StoreError.
        """
        return self._store.import_from(Path(archive))

    def _find_one(
        self,
        given: IdOrPath,
        by_id: Mapping[int, CachedEntry],
        by_name: Mapping[str, CachedEntry],
    ) -> CachedEntry:
        item = find_by_id(given, by_id, _NO_ID)
        if item is not None:
            return item
        _, entry = self._opened.find_entry(Path(str(given)).resolve())
        if entry is None or entry.name not in by_name:
            raise RecordNotFoundError(str(given), _NO_ENTRY)
        return by_name[entry.name]


def _make_notebook(asked: Mapping[str, Any], entry: Entry, outputs: Outputs) -> NotebookNode:
    """Return the code cells of a question with the outputs that an entry has for them."""
    import nbformat

    cells: list[NotebookNode] = []
    for (source, tags), found in zip(asked["cells"], outputs.cells, strict=True):
        fields: dict[str, Any] = {"metadata": {"tags": tags} if tags else {}}
        if found is not None:
            fields["execution_count"] = found.execution_count
            fields["outputs"] = [nbformat.from_dict(output) for output in found.outputs]
        # An ID that does not change from call to call.
        fields["id"] = digest_json([len(cells), source])[:8]
        cells.append(nbformat.v4.new_code_cell(source, **fields))
    told = {"kernelspec": {"name": entry.kernel, "display_name": entry.kernel}}
    metadata = nbformat.from_dict({**told, **outputs.metadata})
    notebook: NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    return notebook
