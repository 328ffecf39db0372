"""The answers of one build: document name to outcome, asked for while pages are parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from myst_nb.core.config import NbParserConfig
from sphinx.application import Sphinx
from sphinx.errors import ConfigError, FiletypeNotFoundError, SphinxError
from sphinx.util import get_filetype

from sphinx_nbcache.errors import ConfigurationError, NbCacheError
from sphinx_nbcache.model import Artifact, Notebook, Outcome, Outputs, Report, Settings
from sphinx_nbcache.pipeline import (
    Asked,
    Lookup,
    Project,
    Source,
    Verdict,
    build,
    declare_for_all,
    make_plan,
    note_documentation,
    unite_declared,
)
from sphinx_nbcache.sphinx_ext.pages import Page, PageReading, make_settings
from sphinx_nbcache.sphinx_ext.progress import SphinxProgress

FILETYPE = "myst-nb"


class CacheError(SphinxError):
    """The cache cannot be used."""

    category = "Notebook cache error"


@dataclass(slots=True)
class Answers:
    """Executes what is stale and remembers how each notebook of the build ended."""

    app: Sphinx
    project: Project
    outcomes: dict[str, Outcome]
    configs: dict[str, NbParserConfig]
    """MyST-NB's configuration of each notebook that was read, with its own overrides."""
    told: set[tuple[str, str]] = field(default_factory=set)
    """The warnings given while notebooks were planned and run."""
    lookup: Lookup | None = None
    """The state of the project in this build."""

    def begin(self) -> None:
        """Begin a build: look at the project anew."""
        self.told.clear()
        self.lookup = Lookup(self.project, self._progress.digest, is_online=True)
        settings = make_settings(self._env.mystnb_config)
        note_documentation(self.lookup, self.project, settings, Path(self.app.srcdir))

    def judge(self, outcome: Outcome) -> Verdict:
        """Return whether the outputs of a page that was read before still hold."""
        assert self.lookup is not None
        assert outcome.key is not None
        declared = unite_declared(outcome.declared, declare_for_all(self.project)[0])
        asked = Asked(outcome.name, outcome.key, outcome.kernel, declared)
        return self.lookup.judge(outcome.inputs, asked, outcome.artifacts, outcome.executed_at)

    def collect(
        self,
        docnames: Iterable[str],
        rerun: Mapping[str, str],
        unchanged: Mapping[str, Iterable[Artifact]],
    ) -> Report:
        """Bring the outputs of all notebooks among some documents into the store.

        :param unchanged: what the notebooks of other pages wrote.

        Raises CacheError.
        """
        return self._build(self.list_sources(docnames), rerun, unchanged)

    def list_sources(self, docnames: Iterable[str]) -> list[Source]:
        """Return those documents that may be notebooks."""
        sources = [Source(name, Path(self.app.env.doc2path(name))) for name in docnames]
        return [source for source in sources if self._is_ours(source.path)]

    def make_reading(self, note_config: Callable[[str, NbParserConfig], None]) -> PageReading:
        """Return what reads the pages of this build."""
        return PageReading(self._env.myst_config, self.site_config, note_config)

    @property
    def site_config(self) -> NbParserConfig:
        """Return MyST-NB's configuration of all notebooks, before their own overrides."""
        site: NbParserConfig = self._env.mystnb_config
        return site

    def find_config(self, docname: str) -> NbParserConfig:
        """Return MyST-NB's configuration of a notebook; the site's if it was not read."""
        return self.configs.get(docname, self.site_config)

    def ask(self, docname: str, page: Page) -> Outcome:
        """Return the outcome of a page as it is being parsed.

        The answer is there already, but for a page whose text another extension changed
        with ``source-read``: that one asks something else, and is executed now.
        """
        self.configs[docname] = page.config
        known = self.outcomes.get(docname)
        plan = make_plan(docname, page.notebook, page.settings, project=self.project)
        key = None if plan.job is None else plan.job.key
        if known is not None and known.key == key:
            return known
        return self._execute(docname, page)

    def load_outputs(self, outcome: Outcome, page: Page) -> tuple[Outcome, Outputs | None]:
        """Return the outputs of an outcome; executes again if they are gone meanwhile."""
        for _ in range(2):
            if outcome.outputs is None:
                break
            outputs = self.project.store.load_outputs(outcome.outputs)
            if outputs is not None:
                return outcome, outputs
            outcome = self._execute(outcome.name, page)
        return outcome, None

    def _execute(self, docname: str, page: Page) -> Outcome:
        # A remote that has failed once is not asked again for each page.
        is_online = self.lookup is None or self.lookup.sharing.is_online
        lookup = Lookup(self.project, self._progress.digest, is_online=is_online)
        try:
            report = build(
                [Source(docname, page.notebook.path)],
                reading=_PageInHand(page),
                project=self.project,
                rerun={},
                progress=self._progress,
                lookup=lookup,
            )
        except NbCacheError as error:
            raise _make_error(error) from error
        (outcome,) = report.outcomes
        self.outcomes[docname] = outcome
        return outcome

    def _build(
        self,
        sources: list[Source],
        rerun: Mapping[str, str],
        unchanged: Mapping[str, Iterable[Artifact]],
    ) -> Report:
        reading = self.make_reading(self.configs.__setitem__)
        try:
            report = build(
                sources,
                reading=reading,
                project=self.project,
                rerun=rerun,
                progress=self._progress,
                lookup=self.lookup,
                unchanged=unchanged,
            )
        except NbCacheError as error:
            raise _make_error(error) from error
        self.outcomes.update({outcome.name: outcome for outcome in report.outcomes})
        return report

    @property
    def _progress(self) -> SphinxProgress:
        return SphinxProgress(self.app, self.told)

    @property
    def _env(self) -> Any:
        """Return Sphinx's environment, to which MyST adds its configuration as attributes."""
        return self.app.env

    def _is_ours(self, path: Path) -> bool:
        """Return whether Sphinx gives a file to MyST-NB's parser."""
        try:
            return get_filetype(self.app.config.source_suffix, str(path)) == FILETYPE
        except FiletypeNotFoundError:
            return False


def _make_error(error: NbCacheError) -> SphinxError:
    """Return the error that ends the build with one line."""
    is_wrong_option = isinstance(error, ConfigurationError)
    return ConfigError(str(error)) if is_wrong_option else CacheError(str(error))


class _PageInHand:
    """Reads one page as it is being parsed, whatever its file says."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def read(self, source: Source, text: str) -> tuple[Notebook, Settings]:
        """Return the page's notebook."""
        return self._page.notebook, self._page.settings

    def describe(self, source: Source) -> None:
        """Say that the file's text does not tell."""
