"""The Python API: a cache of executed notebooks, without Sphinx."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nbformat import NotebookNode

from sphinx_nbcache.errors import NotCachedError, NotebookNotFoundError, NotebookReadError
from sphinx_nbcache.model import (
    Entry,
    Notebook,
    Outcome,
    Report,
    Settings,
    Topic,
    digest_json,
)
from sphinx_nbcache.pipeline.build import build
from sphinx_nbcache.pipeline.lookup import look_up
from sphinx_nbcache.pipeline.merge import merge_outputs
from sphinx_nbcache.pipeline.plan import (
    Plan,
    apply_execution_metadata,
    apply_mystnb_metadata,
    find_exclusion,
    make_plan,
)
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project, read_config
from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.reading import FileReader, describe_versions, read_text
from sphinx_nbcache.store import Problem

_LOGGER = logging.getLogger("sphinx_nbcache")
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

        return build(
            sources,
            reading=_FileReading(self._settings, frozenset(p for p in found if found[p])),
            project=Project(self._project.root, self._project.store, config),
            rerun=dict.fromkeys((source.name for source in sources), "force") if force else {},
            progress=progress or _Callback(on_finished),
        )

    def find(self, path: str | Path) -> Entry | None:
        """Return the entry that holds a notebook's outputs, or None.

        Raises NotebookNotFoundError, NotebookReadError.
        """
        return self._find(self._plan(Path(path).resolve()))

    def merge(self, path: str | Path) -> NotebookNode:
        """Return a notebook with its stored outputs in it; the file stays as it is.

        Raises NotCachedError when there are none, NotebookNotFoundError, NotebookReadError.
        """
        path = Path(path).resolve()
        plan = self._plan(path)
        entry = self._find(plan)
        outputs = None if entry is None else self._project.store.load_outputs(entry.outputs)
        if outputs is None:
            raise NotCachedError(path)
        return merge_outputs(plan.notebook, outputs)

    def verify(self, *, repair: bool = False) -> list[Problem]:
        """Read everything in the cache and return what is damaged.

        :param repair: remove it; the notebooks concerned will run again.
        """
        return self._project.store.verify(repair=repair)

    def _plan(self, path: Path) -> Plan:
        if not path.is_file():
            raise NotebookNotFoundError(path)
        name = self._project.relate(path)
        reading = _FileReading(self._settings, frozenset([path]))
        found = reading.read(Source(name, path), read_text(path))
        assert found is not None, "what is named is a notebook, or an error"
        return make_plan(name, *found, project=self._project)

    def _find(self, plan: Plan) -> Entry | None:
        if plan.job is None:
            return None
        key, store = plan.job.key, self._project.store
        return look_up(key, plan.name, store=store, progress=Silence())


class _FileReading:
    """Reads files outside Sphinx.

    :param settings: how notebooks are executed, before their own metadata.
    :param named: files that the caller named; what is no notebook among them is an error.
    """

    def __init__(self, settings: Settings, named: frozenset[Path]) -> None:
        self._settings = settings
        self._named = named
        self._reader = FileReader()
        self._rules: str | None = None

    def read(self, source: Source, text: str) -> tuple[Notebook, Settings] | None:
        """Return a notebook with its settings; None for a text that is no notebook."""
        notebook = self._reader.read(source.path, text)
        if notebook is not None:
            settings = apply_mystnb_metadata(self._settings, notebook.metadata)
            return notebook, apply_execution_metadata(settings, notebook.metadata)
        if source.path in self._named:
            raise NotebookReadError(source.path, NOT_A_NOTEBOOK)
        return None

    def describe(self, source: Source) -> str:
        """Return the settings that hold for a file, and who reads it."""
        if self._rules is None:
            aliases = self._settings.kernel_rgx_aliases
            flags = [self._settings.mode, self._settings.allow_errors, self._settings.in_temp]
            self._rules = digest_json(["file", describe_versions(), flags, aliases])
        exclusion = find_exclusion(source.path, self._settings.excludepatterns)
        return json.dumps([self._rules, exclusion, source.path in self._named])


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
