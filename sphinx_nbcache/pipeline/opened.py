"""A project that a program or a command has opened: its files, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from sphinx_nbcache.config import Config
from sphinx_nbcache.errors import NotebookNotFoundError
from sphinx_nbcache.model import Entry, Mode, Settings
from sphinx_nbcache.pipeline.documentation import Documentation, Pages, recall_documentation
from sphinx_nbcache.pipeline.files import FileReading
from sphinx_nbcache.pipeline.lookup import Asked, Lookup
from sphinx_nbcache.pipeline.plan import Plan, make_plan
from sphinx_nbcache.pipeline.project import Project, read_config
from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.reading import read_text
from sphinx_nbcache.store import NotebookRecord

TEMPORARY = "temp-serial"
"""An executor that runs notebooks in temporary folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What all that works on one project outside Sphinx shares."""

    project: Project
    folder: Path
    """Where the caller is: what relative paths count from."""
    settings: Settings | None
    """How notebooks are executed, before their own metadata; None for what is known."""
    documentation: Documentation | None

    @classmethod
    def open(
        cls, path: str | Path | None, project: str | Path | None, settings: Settings | None
    ) -> Self:
        """Find a project; see ``NotebookCache``.

        Raises ConfigurationError when an environment variable has a wrong value.
        """
        folder = Path(project or Path.cwd()).resolve()
        opened = Project.open(folder, read_config(os.environ, {"path": path}))
        documentation = recall_documentation(opened.store.index)
        if documentation is not None:
            opened = documentation.apply_to(opened)
        made = cls(project=opened, folder=folder, settings=settings, documentation=documentation)
        config = made.read_config(path=opened.store.path)
        return replace(made, project=replace(opened, config=config))

    def read_config(self, **given: object) -> Config:
        """Return the configuration: given values, then variables, then those of ``conf.py``.

        Raises ConfigurationError.
        """
        known = {} if self.documentation is None else self.documentation.options
        return read_config(os.environ, given, known)

    def configure(self, **given: object) -> Project:
        """Return the project with some options as they are given.

        Raises ConfigurationError.
        """
        config = self.read_config(path=self.project.store.path, **given)
        return replace(self.project, config=config)

    def open_pages(self) -> Pages:
        """Return the pages that builds of the documentation have left."""
        return Pages(self.project, self.documentation)

    def list_records(self) -> Mapping[Path, NotebookRecord]:
        """Return the project's list, by path.

        Raises StoreError when it cannot be read.
        """
        records = self.project.store.project_file.read().notebooks
        root = self.project.root
        # As paths of files that are named are: without "..", which is there outside the root.
        return {Path(os.path.normpath(root / record.path)): record for record in records}

    def read_files(
        self, named: Iterable[Path] = (), *, timeout_s: float | None = None
    ) -> FileReading:
        """Return how files are read; what is no notebook among the named ones is an error.

        Raises StoreError when the project's list cannot be read.
        """
        return FileReading(
            self.settings,
            self.open_pages(),
            frozenset(named),
            timeout_s=timeout_s,
            records=self.list_records(),
        )

    @property
    def temporary(self) -> Project:
        """Return the project as it is where notebooks run in temporary folders."""
        config = replace(self.project.config, executor=TEMPORARY)
        return replace(self.project, config=config)

    def plan(self, path: Path, *, is_temporary: bool = False, mode: Mode | None = None) -> Plan:
        """Return what is to be done with one notebook.

        :param is_temporary: whether it runs in a temporary folder, whatever the options say.
        :param mode: the execution mode, in the place of ``auto``.

        Raises NotebookNotFoundError, NotebookReadError.
        """
        if not path.is_file():
            raise NotebookNotFoundError(path)
        name = self.project.relate(path)
        found = self.read_files([path]).read(Source(name, path), read_text(path))
        assert found is not None, "what is named is a notebook, or an error"
        notebook, settings = found
        if mode is not None and settings.mode is Mode.AUTO:
            settings = replace(settings, mode=mode)
        project = self.temporary if is_temporary else self.project
        return make_plan(name, notebook, settings, project=project)

    def find_entry(self, path: Path) -> tuple[Plan, Entry | None]:
        """Return how a notebook is asked for, and the entry that answers it now, if there is one.

        One that ran in a temporary folder answers, too, where there is no other.
        Raises NotebookNotFoundError, NotebookReadError.
        """
        plan = self.plan(path)
        entry = self._look_up(plan)
        if entry is None and plan.job is not None and plan.job.working_directory is not None:
            entry = self._look_up(self.plan(path, is_temporary=True))
        return plan, entry

    def _look_up(self, plan: Plan) -> Entry | None:
        if plan.job is None:
            return None
        lookup, asked = Lookup(self.project), Asked.from_job(plan.job)
        answer = lookup.look_up(asked)
        if answer.is_unfetched and lookup.bring([asked]):
            answer = lookup.look_up(asked)
        return answer.entry
