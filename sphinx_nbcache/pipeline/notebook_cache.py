"""The Python API: a cache of executed notebooks, without Sphinx."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nbformat import NotebookNode

from sphinx_nbcache.errors import NotCachedError, NotebookNotFoundError, NotebookReadError
from sphinx_nbcache.model import Entry, Notebook, Outcome, Report, Settings
from sphinx_nbcache.pipeline.build import Source, build
from sphinx_nbcache.pipeline.lookup import look_up
from sphinx_nbcache.pipeline.merge import merge_outputs
from sphinx_nbcache.pipeline.plan import (
    Plan,
    apply_execution_metadata,
    apply_mystnb_metadata,
    make_plan,
)
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project, read_config
from sphinx_nbcache.reading import FileReader, read_text
from sphinx_nbcache.store import Problem

_FOLDER_SUFFIXES = (".ipynb", ".md")
NOT_A_NOTEBOOK = "it is text without a notebook's header, or of an unknown format"


class NotebookCache:
    """The cache of one project.

    :param path: folder of the cache; by default the environment variable
        ``NBCACHE_PATH``, else ``.nbcache`` in the project root.
    :param project: a folder of the project, whose root is the nearest folder above with
        a ``.git`` or a ``pyproject.toml``; by default the current folder.
    :param settings: how notebooks are executed, before their own metadata.

    Raises ConfigurationError when an environment variable has a wrong value.

    The same notebook has the same outputs here and in ``sphinx-build``, as long as both
    use the same settings (``allow_errors``, ``in_temp``, kernel aliases).
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        project: str | Path | None = None,
        settings: Settings | None = None,
    ) -> None:
        config = read_config(os.environ, {"path": path})
        self._project = Project.open(Path(project or Path.cwd()), config)
        self._settings = settings or Settings()
        self._reader = FileReader()

    @property
    def path(self) -> Path:
        """Return the cache's folder; it is made when something is stored."""
        return self._project.store.path

    def execute(  # noqa: PLR0913 - one option of the user each
        self,
        paths: Iterable[str | Path],
        *,
        jobs: int | None = None,
        executor: str | None = None,
        force: bool = False,
        frozen: bool | None = None,
        on_finished: Callable[[Outcome], None] | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Execute the notebooks that are stale and store their outputs.

        :param paths: notebooks, and folders that are searched for ``.ipynb`` and MyST
            Markdown notebooks.
        :param jobs: kernels at once; by default as many as there are usable cores.
        :param executor: one of ``local-parallel`` (default), ``local-serial``,
            ``temp-parallel``, ``temp-serial``.
        :param force: run them all, whatever the cache has.
        :param frozen: start no kernel; what is not cached is a failure.
        :param on_finished: called with each outcome of a notebook that was run.
        :param progress: a listener for all that happens; ``on_finished`` is then not used.

        Returns a report with one outcome for each notebook, failed ones included. Raises
        NotebookNotFoundError, ConfigurationError, StoreError.
        """
        given = {"jobs": jobs, "executor": executor, "frozen": frozen}
        config = read_config(os.environ, {"path": self.path, **given})
        found = dict(_expand(paths))
        sources = [Source(self._project.relate(path), path) for path in found]

        def read(source: Source) -> tuple[Notebook, Settings] | None:
            notebook = self._read_source(source)
            if notebook is None and found[source.path]:
                raise NotebookReadError(source.path, NOT_A_NOTEBOOK)
            return notebook

        return build(
            sources,
            read=read,
            project=Project(self._project.root, self._project.store, config),
            rerun=dict.fromkeys((source.name for source in sources), "force") if force else {},
            progress=progress or _Callback(on_finished),
        )

    def find(self, path: str | Path) -> Entry | None:
        """Return the entry that holds a notebook's outputs, or None.

        Raises NotebookNotFoundError, NotebookReadError.
        """
        job = self._plan(Path(path).resolve()).job
        return None if job is None else look_up(job, store=self._project.store, progress=Silence())

    def merge(self, path: str | Path) -> NotebookNode:
        """Return a notebook with its stored outputs in it; the file stays as it is.

        Raises NotCachedError when there are none, NotebookNotFoundError, NotebookReadError.
        """
        path = Path(path).resolve()
        entry = self.find(path)
        outputs = None if entry is None else self._project.store.load_outputs(entry.outputs)
        if outputs is None:
            raise NotCachedError(path)
        return merge_outputs(self._plan(path).notebook, outputs)

    def verify(self, *, repair: bool = False) -> list[Problem]:
        """Read everything in the cache and return what is damaged.

        :param repair: remove it; the notebooks concerned will run again.
        """
        return self._project.store.verify(repair=repair)

    def _plan(self, path: Path) -> Plan:
        if not path.is_file():
            raise NotebookNotFoundError(path)
        name = self._project.relate(path)
        found = self._read_source(Source(name, path))
        if found is None:
            raise NotebookReadError(path, NOT_A_NOTEBOOK)
        return make_plan(name, *found, project=self._project)

    def _read_source(self, source: Source) -> tuple[Notebook, Settings] | None:
        notebook = self._reader.read(source.path, read_text(source.path))
        if notebook is None:
            return None
        settings = apply_mystnb_metadata(self._settings, notebook.metadata)
        return notebook, apply_execution_metadata(settings, notebook.metadata)


class _Callback(Silence):
    """A listener that passes outcomes on."""

    def __init__(self, on_finished: Callable[[Outcome], None] | None) -> None:
        self._on_finished = on_finished

    def finish(self, outcome: Outcome) -> None:
        """Pass the outcome on."""
        if self._on_finished is not None:
            self._on_finished(outcome)


def _expand(paths: Iterable[str | Path]) -> Iterator[tuple[Path, bool]]:
    """Yield the files that paths name, and whether each was named itself.

    Folders give the notebooks that lie below them.
    """
    for given in paths:
        path = Path(given).resolve()
        if not path.exists():
            raise NotebookNotFoundError(path)
        if path.is_dir():
            yield from ((found, False) for found in _walk(path))
        else:
            yield path, True


def _walk(folder: Path) -> Iterator[Path]:
    """Yield what may be a notebook below a folder, hidden and built folders left out."""
    for suffix in _FOLDER_SUFFIXES:
        for path in sorted(folder.rglob(f"*{suffix}")):
            parts = path.relative_to(folder).parts
            if path.is_file() and not any(part.startswith((".", "_")) for part in parts):
                yield path
