"""The project's list of notebooks: what is added, how it stands, what is taken off.

What ``nbcache notebook`` works on. Sources are never written to, and an entry lives on
when its notebook is taken off the list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx_nbcache.errors import NotebookNotFoundError, NotebookReadError, RecordNotFoundError
from sphinx_nbcache.pipeline.files import NOT_A_NOTEBOOK
from sphinx_nbcache.pipeline.handover import ListedFile
from sphinx_nbcache.pipeline.ids import IdOrPath, find_by_id
from sphinx_nbcache.pipeline.opened import Opened
from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.pipeline.standing import Standing, find_standings
from sphinx_nbcache.reading import FileReader, find_reader, load_reader, read_text
from sphinx_nbcache.store import NotebookRecord, ProjectList

_BY_SUFFIX = ("nbformat", "jupytext", "myst_nb_md")
"""Readers of jupyter-cache that files get here without being named."""
_NO_ID = "the project has no notebook with this ID; `nbcache notebook list` shows them"
_NOT_LISTED = "is not on the project's list; `nbcache notebook add` puts it there"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedNotebook:
    """A notebook on the project's list, and how it stands."""

    record: NotebookRecord
    path: Path
    standing: Standing | None = None
    """None where the file is gone, or no notebook any more."""
    entry_id: int | None = None
    """ID of the entry that holds its outputs now."""
    reader: str = ""
    """Name of the reader that its record or its suffix asks for; empty where there is none."""
    traceback: str = ""
    """Of its last run, if that failed."""

    @property
    def has_failed(self) -> bool:
        """Return whether its last run failed, and it is as it was then."""
        return self.standing is not None and self.standing.has_failed

    @property
    def is_unreadable(self) -> bool:
        """Return whether the file is gone, or cannot be read as a notebook."""
        standing = self.standing
        return standing is None or (standing.has_failed and standing.key is None)

    def to_json(self, root: Path) -> dict[str, Any]:
        """Return the JSON form: what scripts read, so no name in it ever changes."""
        return {
            "id": self.record.id,
            "path": self.record.path,
            "reader": self.reader or None,
            "assets": list(self.record.assets),
            "added_at": self.record.added_at,
            "entry_id": self.entry_id,
            "standing": None if self.standing is None else self.standing.to_json(root),
        }


class NotebookList:
    """The notebooks that a user has added to a project, with their IDs.

    Made by ``NotebookCache.notebooks``. Where a notebook is named, its ID will do, as a
    number or as text, or its path; what is not on the list raises RecordNotFoundError.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._project = opened.project

    def add(
        self,
        paths: Iterable[str | Path],
        *,
        reader: str | None = None,
        assets: Iterable[str | Path] = (),
    ) -> tuple[NotebookRecord, ...]:
        """Put notebooks on the list; what is said of one that is there already counts anew.

        :param paths: files; each has to be a notebook.
        :param reader: name of the reader for them; by default the file itself tells.
        :param assets: files that they need where they run in a temporary folder; they have to
            lie in the notebook's folder or below.

        Returns their records. Raises NotebookNotFoundError, NotebookReadError,
        ConfigurationError for an unknown reader, StoreError. Then nothing is added.
        """
        found = [self._locate(path) for path in paths]
        kept = {path: self._relate_assets(path, assets) for path in found}
        for path in found:
            self._require_notebook(path, reader)
        names = {self._project.relate(path): kept[path] for path in found}

        def work(before: ProjectList) -> tuple[ProjectList, tuple[NotebookRecord, ...]]:
            now = time.time()
            for name, own in names.items():
                before = before.add(name, reader=reader or "", assets=own, now=now)
            added = {record.path: record for record in before.notebooks}
            return before, tuple(added[name] for name in names)

        return self._project.store.change_project(work)

    def take_over(self, files: Iterable[ListedFile]) -> None:
        """Put the notebooks of another list on this one, as far as they are there.

        Raises StoreError.
        """
        found = [(item.path, item) for item in files if item.path is not None]
        if not found:
            return

        def work(before: ProjectList) -> tuple[ProjectList, None]:
            now = time.time()
            known = {record.path for record in before.notebooks}
            for path, item in found:
                name, own = self._project.relate(path), _choose_present(path.parent, item.assets)
                if name not in known:
                    reader = "" if item.reader in _BY_SUFFIX else item.reader
                    before = before.add(name, reader=reader, assets=own, now=now)
            return before, None

        self._project.store.change_project(work)

    def list_all(self) -> tuple[ListedNotebook, ...]:
        """Return all notebooks and how they stand, in the order of their IDs.

        Raises StoreError when the list cannot be read.
        """
        return self._describe(tuple(self._opened.list_records().values()))

    def get(self, id_or_path: IdOrPath) -> ListedNotebook:
        """Return one notebook and how it stands."""
        return self._describe(self.find([id_or_path]))[0]

    def find(self, ids_or_paths: Iterable[IdOrPath]) -> tuple[NotebookRecord, ...]:
        """Return the records of some notebooks, each once."""
        records = self._opened.list_records()
        by_id = {record.id: record for record in records.values()}
        found = (_find(given, by_id, records, self._locate) for given in ids_or_paths)
        return tuple(dict.fromkeys(found))

    def find_paths(self, ids_or_paths: Iterable[IdOrPath]) -> list[Path]:
        """Return the files of some notebooks."""
        chosen = {record.id for record in self.find(ids_or_paths)}
        return [path for path, record in self._opened.list_records().items() if record.id in chosen]

    def remove(self, ids_or_paths: Iterable[IdOrPath]) -> tuple[NotebookRecord, ...]:
        """Take notebooks off the list; what the cache has of them stays. Returns their records."""
        records = self.find(ids_or_paths)
        ids = {record.id for record in records}
        self._project.store.change_project(lambda before: (before.remove(ids), None))
        return records

    def clear(self) -> int:
        """Take all notebooks off the list; return how many there were."""

        def work(before: ProjectList) -> tuple[ProjectList, int]:
            ids = [record.id for record in before.notebooks]
            return before.remove(ids), len(ids)

        return self._project.store.change_project(work)

    def invalidate(self, ids_or_paths: Iterable[IdOrPath] | None = None) -> int:
        """Remove what the cache has of notebooks, as they are now, so that they run again.

        :param ids_or_paths: None for all on the list.

        Returns how many entries there were. Raises StoreError.
        """
        records = (
            tuple(self._opened.list_records().values())
            if ids_or_paths is None
            else self.find(ids_or_paths)
        )
        keys = {found.standing.key for found in self._describe(records) if found.standing}
        store = self._project.store
        names = {name for name in store.entries.list_names() if name.partition("/")[0] in keys}
        return len(store.remove_entries(names).entries) if names else 0

    def _describe(self, records: tuple[NotebookRecord, ...]) -> tuple[ListedNotebook, ...]:
        root, store = self._project.root, self._project.store
        there = [record for record in records if (root / record.path).is_file()]
        sources = [Source(record.path, root / record.path) for record in there]
        reading = self._opened.read_files()
        standings = {s.name: s for s in find_standings(sources, reading, self._project)}
        ids = store.number_entries() if standings else {}
        stale = [source for source in sources if not _has_entry(standings.get(source.name))]
        if ids and stale:
            # One that ran in a temporary folder has outputs, though a build would ask again.
            temporary = find_standings(stale, reading, self._opened.temporary)
            standings.update({s.name: s for s in temporary if s.entry is not None})
        return tuple(self._make_listed(record, standings, ids) for record in records)

    def _make_listed(
        self,
        record: NotebookRecord,
        standings: Mapping[str, Standing],
        ids: Mapping[str, int],
    ) -> ListedNotebook:
        standing = standings.get(record.path)
        entry = None if standing is None else standing.entry
        has_failed = standing is not None and standing.has_failed
        index = self._project.store.index
        return ListedNotebook(
            record=record,
            path=self._project.root / record.path,
            standing=standing,
            entry_id=None if entry is None else ids.get(entry),
            reader=record.reader or find_reader(self._project.root / record.path),
            traceback=index.find_traceback(record.path) if has_failed else "",
        )

    def _locate(self, given: str | Path) -> Path:
        return Path(given).resolve()

    def _relate_assets(self, path: Path, assets: Iterable[str | Path]) -> tuple[str, ...]:
        """Return assets relative to the folder of their notebook, in which they have to lie."""
        found: dict[str, None] = {}
        for given in assets:
            asset = self._locate(given)
            if not asset.is_file():
                raise NotebookNotFoundError(asset)
            if not asset.is_relative_to(path.parent):
                raise NotebookNotFoundError(asset, f"it does not lie below {path.parent}")
            found[asset.relative_to(path.parent).as_posix()] = None
        return tuple(found)

    def _require_notebook(self, path: Path, reader: str | None) -> None:
        if not path.is_file():
            reason = "it is a folder" if path.is_dir() else "there is no such file"
            raise NotebookNotFoundError(path, reason)
        if reader is not None:
            load_reader(reader)
        chosen = {path: reader} if reader else {}
        if FileReader(chosen).read(path, read_text(path)) is None:
            raise NotebookReadError(path, NOT_A_NOTEBOOK)


def _has_entry(standing: Standing | None) -> bool:
    return standing is not None and standing.is_fresh


def _choose_present(folder: Path, assets: Iterable[str]) -> list[str]:
    return [name for name in assets if (folder / name).is_file()]


def _find(
    given: IdOrPath,
    by_id: Mapping[int, NotebookRecord],
    by_path: Mapping[Path, NotebookRecord],
    locate: Callable[[str], Path],
) -> NotebookRecord:
    """Return the record that an ID or a path names."""
    record = find_by_id(given, by_id, _NO_ID)
    if record is not None:
        return record
    if (path := locate(str(given))) not in by_path:
        raise RecordNotFoundError(str(given), _NOT_LISTED)
    return by_path[path]
