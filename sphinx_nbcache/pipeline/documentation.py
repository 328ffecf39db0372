"""What the last ``sphinx-build`` knew, for those who do not read ``conf.py``.

The build leaves it in the index: the options of the documentation that decide what is
asked and whether an answer holds, how MyST-NB executes notebooks, and the pages.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sphinx_nbcache.config import has_secrets
from sphinx_nbcache.model import Settings
from sphinx_nbcache.pipeline.lookup import Lookup
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.store import Index, PageRow

_MEMO = "options of the documentation"
_OPTIONS = (
    *("check_ignore", "depends", "env", "executor", "executor_options", "track"),
    *("remote", "remote_mode"),
)
"""The options that count for every front door: not those that say how one build runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Documentation:
    """What holds for all pages."""

    folder: str
    """That of ``conf.py``, relative to the project root: what options count from."""
    source_folder: str
    """Where the pages lie, relative to the project root."""
    settings: Settings
    """How notebooks are executed, before their own metadata."""
    options: Mapping[str, Any]
    """Name of an option, without prefix, to its value."""
    made: tuple[str, ...] = ()
    """Folders below the root that builds have made, whose content does not count."""

    @classmethod
    def from_json(cls, text: str) -> Documentation | None:
        """Read the stored form back; None for anything else."""
        try:
            folder, source_folder, settings, options, made = json.loads(text)
            return cls(
                folder=folder,
                source_folder=source_folder,
                settings=Settings.from_json(settings),
                options={name: options[name] for name in _OPTIONS},
                made=tuple(made),
            )
        except (ValueError, TypeError, LookupError):
            return None

    def to_json(self) -> str:
        """Return the stored form."""
        settings = self.settings.to_json()
        options = dict(self.options)
        return json.dumps([self.folder, self.source_folder, settings, options, self.made])

    def apply_to(self, project: Project) -> Project:
        """Return a project with what this documentation says about folders."""
        made = (project.root / name for name in self.made)
        folder = project.root / self.folder
        return replace(project, folder=folder, ignored=(*project.ignored, *made))


def note_documentation(
    lookup: Lookup, project: Project, settings: Settings, source_folder: Path
) -> None:
    """Have the index remember what holds for all pages, if it does not know that yet.

    One more output folder is no reason to write: each build into a fresh one would.
    """
    before = Documentation.from_json(lookup.memory.recall(_MEMO) or "")
    documentation = Documentation(
        folder=project.relate(project.folder),
        source_folder=project.relate(source_folder),
        settings=settings,
        options=_choose_options(project),
        made=_list_made(project, () if before is None else before.made),
    )
    if before is None or replace(before, made=()) != _normalise(documentation):
        lookup.memory.note(_MEMO, documentation.to_json())


def _choose_options(project: Project) -> dict[str, Any]:
    """Return the options that count for every front door, without what is not to be written."""
    options = {name: getattr(project.config, name) for name in _OPTIONS}
    return {**options, "remote": ""} if has_secrets(project.config.remote) else options


def _normalise(documentation: Documentation) -> Documentation | None:
    """Return what would be read back, without the folders that builds make."""
    return Documentation.from_json(replace(documentation, made=()).to_json())


def _list_made(project: Project, before: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that this build and others make below the root.

    Those of others are kept, or html and latex in turn would write the index each time.
    """
    root = project.root
    made = (path.resolve() for path in project.ignored if path != project.store.path)
    names = {project.relate(path) for path in made if path.is_relative_to(root)}
    return tuple(sorted(names | {name for name in before if (root / name).is_dir()}))


def recall_documentation(index: Index) -> Documentation | None:
    """Return what the last build left; None where there was none."""
    return Documentation.from_json(index.find_memos().get(_MEMO, ""))


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is a notebook, as a build knew it."""

    path: Path
    name: str
    """Document name; the path relative to the root where two documentations share a name."""
    rules: str


class Pages:
    """All pages that builds have left in the index and that are still there.

    :param documentation: what holds for those that lie in its folder.
    """

    def __init__(self, project: Project, documentation: Documentation | None) -> None:
        self._project = project
        self._documentation = documentation

    @cached_property
    def by_path(self) -> Mapping[Path, Page]:
        """Return the pages by the paths of their files."""
        root = self._project.root
        rows = [
            row for row in self._project.store.index.find_pages() if (root / row.path).is_file()
        ]
        numbers = Counter(row.name for row in rows)
        pages = [self._make_page(row, is_unique=numbers[row.name] == 1) for row in rows]
        return {page.path: page for page in sorted(pages, key=lambda page: page.name)}

    def find(self, name: str) -> list[Page]:
        """Return the pages with a document name: one in each documentation at most."""
        names = (name, Path(name).as_posix())
        rows = {row.path for row in self._project.store.index.find_pages() if row.name in names}
        paths = (self._project.root / path for path in sorted(rows))
        return [self.by_path[path] for path in paths if path in self.by_path]

    def find_settings(self, path: Path) -> Settings | None:
        """Return how a page is executed; None for a file that no build knew as a page.

        What holds for all pages comes before what was remembered of this one: that has its
        own metadata in it, as it was then.
        """
        page = self.by_path.get(path)
        if page is None:
            return None
        common = self._documentation
        if common is not None and path.is_relative_to(self._project.root / common.source_folder):
            return common.settings
        try:
            return Settings.from_json(page.rules)
        except ValueError:
            return None

    def _make_page(self, row: PageRow, *, is_unique: bool) -> Page:
        path = self._project.root / row.path
        return Page(path, row.name if is_unique else row.path, row.rules)
