"""Notebooks outside Sphinx: which ones a user names, and how their files are read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from sphinx_nbcache.errors import NotebookNotFoundError, NotebookReadError
from sphinx_nbcache.model import Notebook, Settings, digest_json
from sphinx_nbcache.observing import is_excluded_name
from sphinx_nbcache.pipeline.documentation import Pages
from sphinx_nbcache.pipeline.plan import (
    apply_execution_metadata,
    apply_mystnb_metadata,
    find_exclusion,
)
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.reading import FileReader, describe_versions, find_suffixes
from sphinx_nbcache.store import NotebookRecord

_FOLDER_SUFFIXES = (".ipynb", ".md")
NOT_A_NOTEBOOK = "it is text without a notebook's header, or of an unknown format"
_ONLY_IN_SPHINX = (
    "its format is known to conf.py alone (nb_custom_formats): sphinx-build reads it, this does not"
)
_NO_SUCH_PAGE = "no page of the documentation has this name, and there is no such file"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a user has chosen to look at."""

    sources: tuple[Source, ...]
    named: frozenset[Path] = frozenset()
    """Files that were named: what is no notebook among them is an error."""


def choose_files(paths: Iterable[str | Path], project: Project) -> Choice:
    """Return the notebooks that paths of files and folders name.

    Raises NotebookNotFoundError.
    """
    found = dict(_expand(paths, project))
    sources = tuple(Source(project.relate(path), path) for path in found)
    return Choice(sources, frozenset(path for path in found if found[path]))


def choose_pages(
    names: Iterable[str | Path] | None, pages: Pages, project: Project, folder: Path
) -> Choice:
    """Return the notebooks that names of pages and paths of files and folders name.

    :param names: None for all pages of the documentation.
    :param folder: where notebooks are looked for when no build has left any page.

    Raises NotebookNotFoundError.
    """
    if names is None:
        found = dict.fromkeys(pages.by_path, False) or dict(_expand([folder], project))
    else:
        found = dict(item for name in names for item in _find_named(name, pages, project))
    known = pages.by_path
    sources = (
        Source(known[path].name if path in known else project.relate(path), path) for path in found
    )
    return Choice(tuple(sources), frozenset(path for path in found if found[path]))


def _find_named(name: str | Path, pages: Pages, project: Project) -> Iterator[tuple[Path, bool]]:
    """Yield the files that one name stands for, and whether it names just this one.

    A folder stands for its pages and for its notebooks that are no pages yet.
    """
    if found := pages.find(str(name)):
        yield from ((page.path, True) for page in found)
        return
    try:
        paths = list(_expand([name], project))
    except NotebookNotFoundError:
        raise NotebookNotFoundError(Path(name), _NO_SUCH_PAGE) from None
    folder = Path(name).resolve()
    yield from ((path, False) for path in pages.by_path if path.is_relative_to(folder))
    yield from paths


def _expand(paths: Iterable[str | Path], project: Project) -> Iterator[tuple[Path, bool]]:
    """Yield the files that paths name, and whether each was named itself.

    Folders give the notebooks that lie below them.
    """
    for given in paths:
        path = Path(given).resolve()
        if not path.exists():
            raise NotebookNotFoundError(path)
        if path.is_dir():
            yield from ((found, False) for found in walk(path, project.ignored))
        else:
            yield path, True


def walk(folder: Path, made: Iterable[Path] = (), suffixes: Iterable[str] = ()) -> Iterator[Path]:
    """Yield what may be a notebook below a folder, hidden and built folders left out.

    :param made: what builds have made; below it is looked only when it is named itself.
    :param suffixes: of the files; by default those of all notebooks that are looked for.
    """
    suffixes = tuple(suffixes) or (*_FOLDER_SUFFIXES, *find_suffixes())
    others = {os.fspath(path) for path in made if not folder.is_relative_to(path)}
    found: dict[str, list[Path]] = {suffix: [] for suffix in suffixes}
    for place, folders, names in os.walk(folder):
        # What is not looked into is not even listed: environments have many thousand files.
        folders[:] = (
            name
            for name in folders
            if not _is_passed_over(name) and os.path.join(place, name) not in others  # noqa: PTH118
        )
        for name in names:
            suffix = next(filter(name.endswith, suffixes), None)
            if suffix and not _is_passed_over(name):
                found[suffix].append(Path(place, name))
    for paths in found.values():
        yield from (path for path in sorted(paths) if path.is_file())


def _is_passed_over(name: str) -> bool:
    return name.startswith((".", "_")) or is_excluded_name(name)


class FileReading:
    """Reads files outside Sphinx.

    :param settings: how notebooks are executed, before their own metadata; None for what
        a build of the documentation has left of each page, and the defaults elsewhere.
    :param named: files that the caller named; what is no notebook among them is an error.
    :param timeout_s: longest time for one cell, unless a notebook itself says another; None
        for what the settings say.
    :param records: the project's list, by path: which reader reads a file, and what assets
        it has.
    """

    def __init__(
        self,
        settings: Settings | None,
        pages: Pages,
        named: frozenset[Path],
        *,
        timeout_s: float | None = None,
        records: Mapping[Path, NotebookRecord] = MappingProxyType({}),
    ) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._pages = pages
        self._named = named
        readers = {path: record.reader for path, record in records.items() if record.reader}
        self._reader = FileReader(readers)
        self._records = records
        self._rules: dict[Settings, str] = {}

    def read(self, source: Source, text: str) -> tuple[Notebook, Settings] | None:
        """Return a notebook with its settings; None for a text that is no notebook."""
        path = source.path
        notebook = self._reader.read(path, text)
        if notebook is not None:
            settings = self._find_settings(path)
            if self._timeout_s is not None:
                settings = replace(settings, timeout_s=self._timeout_s)
            settings = replace(settings, assets=self._find_assets(path))
            settings = apply_mystnb_metadata(settings, notebook.metadata)
            return notebook, apply_execution_metadata(settings, notebook.metadata)
        if path.suffix not in _FOLDER_SUFFIXES and path in self._pages.by_path:
            raise NotebookReadError(path, _ONLY_IN_SPHINX)
        if path in self._named:
            raise NotebookReadError(path, NOT_A_NOTEBOOK)
        return None

    def describe(self, source: Source) -> str | None:
        """Return the settings that hold for a file, and who reads it.

        None where it is a reader whose code may change while its version stays.
        """
        reader = self._reader.describe(source.path)
        if reader is None:
            return None
        settings = self._find_settings(source.path)
        if settings not in self._rules:
            flags = [settings.mode, settings.allow_errors, settings.in_temp]
            description = ["file", describe_versions(), flags, settings.kernel_rgx_aliases]
            self._rules[settings] = digest_json(description)
        exclusion = find_exclusion(source.path, settings.excludepatterns)
        is_required = source.path in self._named or source.path in self._pages.by_path
        assets = self._find_assets(source.path)
        return json.dumps([self._rules[settings], reader, exclusion, is_required, assets])

    def _find_assets(self, path: Path) -> tuple[str, ...]:
        record = self._records.get(path)
        return () if record is None else record.assets

    def _find_settings(self, path: Path) -> Settings:
        if self._settings is not None:
            return self._settings
        return self._pages.find_settings(path) or Settings()
