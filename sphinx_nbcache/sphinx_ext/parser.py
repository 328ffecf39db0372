"""The parser: MyST-NB's own, given notebooks that already have their outputs.

MyST-NB renders; it never executes a page that this parser answers. It is told so with
a changed copy of its configuration for the time of one page, not by patching it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from myst_nb.sphinx_ import Parser as MystNbParser
from nbformat import NotebookNode
from sphinx.application import Sphinx

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Failure, Notebook, Outcome, Status
from sphinx_nbcache.pipeline import READ_ERROR, merge_outputs
from sphinx_nbcache.sphinx_ext.answers import FILETYPE, Answers
from sphinx_nbcache.sphinx_ext.pages import Page, read_page
from sphinx_nbcache.sphinx_ext.records import get_records, to_record

_APPLIED = "nbcache: overrides are applied already"
"""A metadata key that no notebook has: MyST-NB must not apply the overrides again."""


def deliver(text: str, *, notebook: NotebookNode) -> NotebookNode:
    """Return a notebook that is ready; MyST-NB calls this as the reader of one page."""
    return notebook


def add_parser(app: Sphinx, answers: Answers) -> None:
    """Register a subclass of whatever parser is registered for MyST-NB's file type."""
    base: type[MystNbParser] = app.registry.get_source_parser(FILETYPE)

    class Parser(base):  # type: ignore[misc]
        """MyST-NB's parser with outputs from the cache."""

        supported = (FILETYPE,)

        def parse(self, inputstring: str, document: nodes.document) -> None:
            """Parse one page."""
            parse_page(answers, super().parse, inputstring, document)

    app.add_source_parser(Parser, override=True)


def parse_page(answers: Answers, parse: Any, text: str, document: nodes.document) -> None:
    """Parse a page with MyST-NB's ``parse``, outputs merged in where there are some."""
    env = document.settings.env
    path = Path(env.doc2path(env.docname))
    if (document.current_source or "").endswith("<translated>"):
        parse(text, document)
        return
    try:
        page = read_page(path, text, env.myst_config, env.mystnb_config)
    except NotebookReadError as error:
        _show_unreadable(answers, parse, error, text, document)
        return
    if page is None:
        parse(text, document)
        return
    _parse_notebook(answers, page, parse, text, document)


def _parse_notebook(
    answers: Answers, page: Page, parse: Any, text: str, document: nodes.document
) -> None:
    env = document.settings.env
    outcome = answers.ask(env.docname, page)
    if outcome.status is Status.SKIPPED:
        parse(text, document)
    else:
        outcome, outputs = answers.load_outputs(outcome, page)
        notebook = page.notebook.content
        if outputs is not None:
            notebook = merge_outputs(page.notebook, outputs)
        _parse_delivered(page, notebook, parse, text, document)
        _note_execution(env, page, outcome)
    for file in page.loaded_files:
        env.note_dependency(str(file))
    get_records(env)[env.docname] = to_record(outcome)


def _parse_delivered(
    page: Page, notebook: Any, parse: Any, text: str, document: nodes.document
) -> None:
    """Parse with a configuration in which this one page is ready and nothing executes."""
    env = document.settings.env
    reader = (f"{__name__}.{deliver.__name__}", {"notebook": notebook}, page.commonmark_only)
    path = page.notebook.path
    changes: dict[str, Any] = {
        "execution_mode": "off",
        # MyST-NB takes the longest ending of the path; before 1.2 the last suffix only.
        "custom_formats": {str(path): reader, path.suffix: reader},
    }
    if page.is_overridden:
        changes["metadata_key"] = _APPLIED
    original = env.mystnb_config
    env.mystnb_config = page.config.copy(**changes)
    try:
        parse(text, document)
    finally:
        env.mystnb_config = original


def _note_execution(env: Any, page: Page, outcome: Outcome) -> None:
    """Tell MyST-NB what its ``nb-exec-table`` shows, in its own words."""
    failure = outcome.failure
    NbMetadataCollector.set_exec_data(
        env,
        env.docname,
        {
            "mtime": outcome.executed_at or 0.0,
            "runtime": outcome.seconds if outcome.executed_at else None,
            "method": page.config.execution_mode,
            "succeeded": failure is None,
            "error": failure and _name_error(outcome, failure),
            "traceback": failure and failure.traceback,
        },
    )


def _name_error(outcome: Outcome, failure: Failure) -> str:
    """Return nbclient's name of the error, which is what MyST-NB shows."""
    if outcome.status is Status.TIMED_OUT or not failure.line:
        return failure.name
    return "CellExecutionError"


def _show_unreadable(
    answers: Answers, parse: Any, error: NotebookReadError, text: str, document: nodes.document
) -> None:
    """Make a page of a file that is not a readable notebook: the site is built around it."""
    env = document.settings.env
    cell = nbformat.v4.new_markdown_cell(
        f"# {error.path.name}\n\n```{{error}}\nThis notebook could not be read.\n```\n\n"
        f"~~~~~~text\n{error.reason}\n~~~~~~\n",
        id="unreadable",
    )
    notebook = Notebook(error.path, nbformat.v4.new_notebook(cells=[cell]))
    page = Page(notebook, env.mystnb_config, is_overridden=True, commonmark_only=False)
    _parse_delivered(page, notebook.content, parse, text, document)
    outcome = answers.outcomes.get(env.docname) or Outcome(
        name=env.docname,
        path=error.path,
        status=Status.FAILED,
        reason=error.reason,
        failure=Failure(name=READ_ERROR, message=error.reason),
    )
    get_records(env)[env.docname] = to_record(outcome)
