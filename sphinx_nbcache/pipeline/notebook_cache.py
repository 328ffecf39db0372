"""The Python API: a cache of executed notebooks, without Sphinx."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.config import Config
from sphinx_nbcache.errors import (
    ConfigurationError,
    NotCachedError,
    NotebookNotFoundError,
    NotebookWriteError,
)
from sphinx_nbcache.model import Entry, Outcome, Report, Settings, Topic
from sphinx_nbcache.pipeline.build import build
from sphinx_nbcache.pipeline.drift import Drift, check
from sphinx_nbcache.pipeline.entry_list import EntryList
from sphinx_nbcache.pipeline.files import Choice, FileReading, choose_files, choose_pages
from sphinx_nbcache.pipeline.handover import Handover
from sphinx_nbcache.pipeline.notebook_list import NotebookList
from sphinx_nbcache.pipeline.opened import Opened
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.remote_cache import RemoteCache
from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.pipeline.standing import Standing, find_standings
from sphinx_nbcache.pipeline.taking_over import list_sources, take_over
from sphinx_nbcache.store import Problem, Tracking, place_atomically, read_jupyter_cache

if TYPE_CHECKING:
    from nbformat import NotebookNode

_LOGGER = logging.getLogger("sphinx_nbcache")
_NOT_FROZEN = "False for a check: it starts kernels"
_NO_MATCH = "no notebook that is looked at has a name that this pattern matches"


class NotebookCache:
    """The cache of one project.

    :param path: folder of the cache; by default the environment variable
        ``NBCACHE_PATH``, else ``.nbcache`` in the project root.
    :param project: a folder of the project, whose root is the nearest folder above with
        a ``.git`` or a ``pyproject.toml``; by default the current folder.
    :param settings: how notebooks are executed, before their own metadata; by default, for
        pages of a documentation, as the last ``sphinx-build`` did.

    Raises ConfigurationError when an environment variable has a wrong value.

    The same notebook has the same outputs here and in ``sphinx-build``: what ``conf.py``
    says of execution, and of what outputs depend on, is known from the last build.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        project: str | Path | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._origin = (path, project, settings)
        self._opened = Opened.open(path, project, settings)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as what it was opened with; it is opened again there."""
        path, project, settings = self._origin
        place = self.path if path is None else Path(path).resolve()
        folder = self._opened.folder if project is None else Path(project).resolve()
        return _reopen, (place, folder, settings)

    @property
    def root(self) -> Path:
        """Return the project root."""
        return self._opened.project.root

    @property
    def path(self) -> Path:
        """Return the cache's folder; it is made when something is stored."""
        return self._opened.project.store.path

    @property
    def notebooks(self) -> NotebookList:
        """Return the project's list of notebooks: to add to, to look at, to take from."""
        return NotebookList(self._opened)

    @property
    def entries(self) -> EntryList:
        """Return the entries of the cache: to look at, to add to, to prune."""
        return EntryList(self._opened)

    @property
    def remote(self) -> RemoteCache:
        """Return the remote that the cache is configured with: to look at, push, pull, prune."""
        return RemoteCache(self._opened)

    def execute(  # noqa: PLR0913 - one option of the user each
        self,
        paths: Iterable[str | Path] | None = None,
        *,
        jobs: int | None = None,
        executor: str | None = None,
        timeout: float | None = None,
        executor_options: Mapping[str, Any] | str | None = None,
        force: bool = False,
        frozen: bool | None = None,
        fail_fast: bool = False,
        on_finished: Callable[[Outcome], None] | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Execute the notebooks that are stale and store their outputs.

        :param paths: notebooks, and folders that are searched for ``.ipynb`` and MyST
            Markdown notebooks; by default all notebooks on the project's list.
        :param jobs: kernels at once; by default as many as there are usable cores.
        :param executor: one of ``local-parallel`` (default), ``local-serial``,
            ``temp-parallel``, ``temp-serial``, ``dask``, or the name of a plug-in.
        :param executor_options: what that executor is told, such as ``{"address": ...}``; a text
            such as ``address=...,jobs=4`` says the same.
        :param timeout: longest time for one cell, in seconds, unless a notebook says another.
        :param force: run them all, whatever the cache has.
        :param frozen: start no kernel; what is not cached is a failure.
        :param fail_fast: start no more notebooks when one has failed.
        :param on_finished: called with each outcome of a notebook that was run.
        :param progress: a listener for all that happens; ``on_finished`` is then not used.

        Returns a report with one outcome for each notebook, failed ones included. Raises
        NotebookNotFoundError, ConfigurationError, StoreError.
        """
        project = self._opened.configure(
            jobs=jobs, executor=executor, executor_options=executor_options, frozen=frozen
        )
        choice = self._choose_listed() if paths is None else choose_files(paths, project)
        names = (source.name for source in choice.sources)
        return build(
            choice.sources,
            reading=self._opened.read_files(choice.named, timeout_s=timeout),
            project=project,
            rerun=dict.fromkeys(names, "force") if force else {},
            progress=progress or _Callback(on_finished),
            fail_fast=fail_fast,
        )

    def explain(self, names: Iterable[str | Path] | None = None) -> tuple[Standing, ...]:
        """Tell which notebooks would run, and why; nothing is run or written.

        :param names: names of pages, paths of notebooks and of folders; by default all
            pages of the documentation as the last ``sphinx-build`` knew them, or else all
            notebooks below the project's folder that was given.

        Returns one value for each notebook. Raises NotebookNotFoundError.
        """
        choice, reading = self._choose(names)
        return find_standings(choice.sources, reading, self._opened.project)

    def check(
        self,
        names: Iterable[str | Path] | None = None,
        *,
        patterns: Iterable[str] = (),
        jobs: int | None = None,
        ignore: Iterable[str] = (),
        on_finished: Callable[[Drift], None] | None = None,
    ) -> tuple[Drift, ...]:
        """Run notebooks again whose outputs are cached, and compare what they give.

        They run in a scratch place: nothing is stored, and nothing in the project is
        written as long as notebooks use relative paths.

        :param names: as for ``explain``.
        :param patterns: of names of pages or paths; only what one of them matches is checked.
        :param jobs: kernels at once.
        :param ignore: regular expressions; what they match in text outputs does not count.
            Those of the option ``check_ignore`` hold, too.
        :param on_finished: called with each result as it comes.

        Returns one value for each notebook that has code, those that are not checked
        included. Raises NotebookNotFoundError for a pattern that matches nothing, too, and
        ConfigurationError.
        """
        project = self._opened.configure(jobs=jobs)
        if project.config.frozen:
            raise ConfigurationError("frozen", value=True, expected=_NOT_FROZEN)
        both = (*project.config.check_ignore, *Config.read_option("check_ignore", list(ignore)))
        choice, reading = self._choose(names)
        return check(
            self._filter(choice.sources, tuple(patterns)),
            reading=reading,
            project=replace(project, config=replace(project.config, check_ignore=both)),
            finished=on_finished or (lambda drift: None),
        )

    def find(self, path: str | Path) -> Entry | None:
        """Return the entry that holds a notebook's outputs, or None.

        Raises NotebookNotFoundError, NotebookReadError.
        """
        return self._opened.find_entry(self._locate(path))[1]

    def merge(self, path: str | Path) -> NotebookNode:
        """Return a notebook with its stored outputs in it; the file stays as it is.

        Raises NotCachedError when there are none, NotebookNotFoundError, NotebookReadError.
        """
        from sphinx_nbcache.pipeline.merge import merge_outputs

        path = self._locate(path)
        plan, entry = self._opened.find_entry(path)
        store = self._opened.project.store
        outputs = None if entry is None else store.load_outputs(entry.outputs)
        if outputs is None:
            raise NotCachedError(path)
        return merge_outputs(plan.notebook, outputs)

    def merge_into(self, path: str | Path, output_path: str | Path) -> None:
        """Write a notebook with its stored outputs to another file, as ``.ipynb``.

        Raises NotCachedError, NotebookNotFoundError, NotebookReadError, and NotebookWriteError
        when the file cannot be written, or is a source: those are never changed.
        """
        import nbformat

        target, merged = self._locate(output_path), self.merge(path)
        if target == self._locate(path):
            raise NotebookWriteError(target, "it is the source itself, which is never changed")
        if target in self._opened.list_records() or target in self._opened.open_pages().by_path:
            raise NotebookWriteError(
                target, "it is a source of the project, which is never changed"
            )
        if target.is_dir():
            raise NotebookWriteError(target, "it is a folder")
        data = (nbformat.writes(merged) + "\n").encode("utf-8")
        try:
            place_atomically(target, [data], mode=0o644, confirm=lambda: None)
        except OSError as error:
            raise NotebookWriteError(target, str(error)) from error

    def find_format(self) -> str | None:
        """Return the format of the cache's folder; None where there is none yet."""
        return self._opened.project.store.find_format()

    def import_jupyter_cache(self, path: str | Path) -> Handover:
        """Take over what a jupyter-cache holds, for the notebooks of this project.

        These are the pages that the last ``sphinx-build`` knew, the notebooks below the
        project's folder that was given, and the files of the project that the jupyter-cache
        names. The old folder stays as it is.

        What is on the old project list and still there comes onto ours.

        Returns what was taken over, what was not, and the old project list. Raises StoreError
        when ``path`` is not the folder of a jupyter-cache, its database is damaged, or the
        cache cannot be written.
        """
        old = read_jupyter_cache(Path(path).resolve())
        opened = self._opened
        sources = list_sources(old, opened.open_pages(), opened.project, opened.folder)
        handover = take_over(old, sources, reading=opened.read_files(), project=opened.project)
        self.notebooks.take_over(handover.listed)
        return handover

    def verify(self, *, repair: bool = False) -> list[Problem]:
        """Read everything in the cache and return what is damaged.

        :param repair: remove it; the notebooks concerned will run again.
        """
        return self._opened.project.store.verify(repair=repair)

    def make(self) -> None:
        """Make the folder of the cache before anything is stored; it stays if it is there.

        Raises StoreError when it cannot be written.
        """
        self._opened.project.store.make()

    def track(self, *, lfs: bool = False) -> Tracking:
        """Have the git repository around the cache take it; its folder is made if need be.

        Writes the cache's own ``.gitignore``, which leaves out what belongs to one machine, and
        its ``.gitattributes``. Lines of yours in them stay; nothing is added to a commit.

        :param lfs: keep the objects in git LFS.

        Raises GitError outside of a repository, and StoreError.
        """
        return self._opened.project.store.track(has_lfs=lfs)

    def clear(self) -> None:
        """Remove the cache with all that is in it: entries, the project's list, settings.

        Raises StoreError, also where the folder is no cache.
        """
        self._opened.project.store.clear()

    def _locate(self, path: str | Path) -> Path:
        return Path(path).resolve()

    def _choose_listed(self) -> Choice:
        """Return the notebooks on the project's list; a file that is gone is a failure of it."""
        records = self._opened.list_records()
        sources = (Source(record.path, path) for path, record in records.items())
        return Choice(tuple(sources), frozenset(records))

    def _choose(self, names: Iterable[str | Path] | None) -> tuple[Choice, FileReading]:
        opened = self._opened
        choice = choose_pages(names, opened.open_pages(), opened.project, opened.folder)
        return choice, opened.read_files(choice.named)

    def _filter(self, sources: Iterable[Source], patterns: tuple[str, ...]) -> list[Source]:
        """Return the sources that one of some patterns names; all if there are none."""
        sources = list(sources)
        if not patterns:
            return sources
        names = {
            source: (source.name, self._opened.project.relate(source.path)) for source in sources
        }
        found = {
            pattern: {s for s in sources if any(fnmatchcase(name, pattern) for name in names[s])}
            for pattern in patterns
        }
        for pattern in patterns:
            if not found[pattern]:
                raise NotebookNotFoundError(Path(pattern), _NO_MATCH)
        chosen = set().union(*found.values())
        return [source for source in sources if source in chosen]


def _reopen(path: Path, project: Path, settings: Settings | None) -> NotebookCache:
    return NotebookCache(path, project=project, settings=settings)


class _Callback(Silence):
    """A listener that passes outcomes on, and warnings to the program's log."""

    def __init__(self, on_finished: Callable[[Outcome], None] | None) -> None:
        self._on_finished = on_finished

    def finish(self, outcome: Outcome) -> None:
        """Pass the outcome on."""
        if self._on_finished is not None:
            self._on_finished(outcome)

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Log the warning; a program that sets up no log has it on its standard error."""
        _LOGGER.warning("%s", f"{name}: {message}" if name else message)
