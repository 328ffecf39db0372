"""One build of one Sphinx application: from the list of pages to their outcomes.

Owns the moments at which Sphinx calls and the answers that the parser asks for. All
execution happens in ``on_env_before_read_docs``, in the main process, before parallel
readers are forked; they inherit the answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from operator import itemgetter
from os.path import normpath
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config as SphinxConfig
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Outcome, Report, Status, Topic, Totals, digest_bytes
from sphinx_nbcache.pipeline import READ_ERROR, Project
from sphinx_nbcache.reading import read_text
from sphinx_nbcache.sphinx_ext.answers import Answers
from sphinx_nbcache.sphinx_ext.moving_over import take_over_once
from sphinx_nbcache.sphinx_ext.options import choose_mode, exclude_executed, read_options
from sphinx_nbcache.sphinx_ext.parser import add_parser
from sphinx_nbcache.sphinx_ext.progress import SphinxProgress
from sphinx_nbcache.sphinx_ext.records import (
    from_record,
    get_artifacts,
    get_records,
    get_table_docs,
    mark_unchanged,
    to_record,
)
from sphinx_nbcache.sphinx_ext.report_file import (
    REPORT_FORMAT,
    close,
    read_totals,
    write_report,
    write_tracebacks,
)
from sphinx_nbcache.sphinx_ext.warnings import LOGGER, WarningSubtype, warn


class NotebookExecutionError(SphinxError):
    """A notebook failed whose configuration says ``nb_execution_raise_on_error``."""

    category = "Notebook execution error"


class Session:
    """The extension's side of one Sphinx application."""

    def __init__(self) -> None:
        self._answers: Answers | None = None
        self._seconds = 0.0
        self._has_news = False
        self._lost: list[Outcome] = []

    @property
    def answers(self) -> Answers:
        """Return the answers, which exist once the configuration is read."""
        assert self._answers is not None
        return self._answers

    def on_config_inited(self, app: Sphinx, config: SphinxConfig) -> None:
        """Check the options and put the parser in place."""
        choose_mode(config)
        exclude_executed(app, config)
        made = (Path(app.outdir), Path(app.doctreedir))
        project = Project.open(Path(app.confdir), read_options(config), made)
        self._answers = Answers(app, project, {}, {})
        add_parser(app, self._answers)

    def on_env_get_outdated(
        self,
        app: Sphinx,
        env: BuildEnvironment,
        added: set[str],
        changed: set[str],
        removed: set[str],
    ) -> Iterable[str]:
        """Return the known notebooks whose outputs do not hold any more.

        Sphinx itself knows the text of a page and the files that it shows, by their mtime.
        """
        self.answers.begin()
        return [outcome.name for outcome in _list_known(env) if self._find_reason(outcome)]

    def _find_reason(self, outcome: Outcome) -> str:
        """Return why the notebook of a page that Sphinx need not read is to be asked for again."""
        if pattern := self._find_pattern(outcome.name):
            return f"asked to by nbcache_rerun = {pattern!r}"
        if outcome.key is None or outcome.status.is_failure:
            return ""  # a failed one is tried again in any case
        if not outcome.declared.is_cached:
            return "cache: false in its metadata"
        verdict = self.answers.judge(outcome)
        progress = SphinxProgress(self.answers.app, self.answers.told)
        for notice in verdict.notices:  # nobody else tells of a page that is not read
            progress.warn(notice, Topic.INPUTS, outcome.name)
        return "; ".join(verdict.changes)

    def on_env_before_read_docs(
        self, app: Sphinx, env: BuildEnvironment, docnames: list[str]
    ) -> None:
        """Execute what is stale, before any page is read.

        Notebooks that failed in an earlier build are tried again, and those that read what
        another one has just written; their pages are read again only if that changed what
        the page says.
        """
        take_over_once(self.answers)
        records = get_records(env)
        names = {*docnames, *_list_failed(env)}
        others = {name: records[name] for name in records.keys() - names}
        for record in others.values():
            mark_unchanged(record)
        unchanged = {name: get_artifacts(record) for name, record in others.items()}
        rerun = {
            name: f"asked to by nbcache_rerun = {pattern!r}"
            for name in docnames
            if (pattern := self._find_pattern(name))
        }
        report = self.answers.collect(sorted(names), rerun, unchanged)
        while affected := self._find_affected(env, names, report):
            names |= affected
            report = report.unite(self.answers.collect(sorted(affected), {}, {}))
        self._take(app, env, docnames, report)

    def _find_affected(self, env: BuildEnvironment, names: set[str], report: Report) -> set[str]:
        """Return the pages that were not asked for and read what was written in this build."""
        if not report.changed:
            return set()
        others = (outcome for outcome in _list_known(env) if outcome.name not in names)
        return {outcome.name for outcome in others if self._find_reason(outcome)}

    def _take(
        self, app: Sphinx, env: BuildEnvironment, docnames: list[str], report: Report
    ) -> None:
        """Take up how all notebooks ended: decide which pages are read."""
        self._seconds = report.seconds
        for outcome in report.outcomes:
            self._place(env, docnames, outcome)
            LOGGER.verbose(f"nbcache: {outcome.name}: {outcome.status}: {outcome.reason}")
        showing = _find_showing(env, {self.answers.project.root / name for name in report.changed})
        docnames += sorted(showing - set(docnames))
        docnames.sort()
        self._has_news = bool(docnames)
        self._warn_of_patterns(app, report)

    def _place(self, env: BuildEnvironment, docnames: list[str], outcome: Outcome) -> None:
        """Add a page to those to be read if what it says has changed.

        A page that Sphinx itself could not read, which would end the build, is taken out.
        """
        if outcome.name in docnames and _is_unreadable_text(outcome):
            docnames.remove(outcome.name)
            env.found_docs.discard(outcome.name)
            self._lost.append(outcome)
            return
        record = get_records(env).get(outcome.name)
        if record is None or outcome.name in docnames:
            return
        if _says_the_same(from_record(outcome.name, outcome.path, record), outcome):
            record.update(to_record(outcome))
        else:
            docnames.append(outcome.name)

    def _warn_of(self, app: Sphinx, outcome: Outcome) -> None:
        """Give the warning of one failure, at its line where the file has lines."""
        failure = outcome.failure
        assert failure is not None
        if _is_read_error(outcome):
            message = f"cannot be read as a notebook: {failure.message}"
            warn(app.config, message, WarningSubtype.READ, outcome.name)
            return
        message = f"Executing notebook failed: {failure.describe()}"
        if self.answers.find_config(outcome.name).execution_show_tb and failure.traceback:
            message = f"{message}\n{failure.traceback.strip()}"
        line = failure.file_line
        location = outcome.name if line is None else (outcome.name, line)
        warn(app.config, message, WarningSubtype.EXEC, location)

    def _warn_of_patterns(self, app: Sphinx, report: Report) -> None:
        executed = [o.name for o in report.outcomes if o.status is not Status.SKIPPED]
        for pattern in self.answers.project.config.rerun:
            if not any(fnmatchcase(name, pattern) for name in executed):
                message = f"nbcache_rerun = {pattern!r} matches no notebook that is executed"
                warn(app.config, message, WarningSubtype.RERUN)

    def _find_pattern(self, docname: str) -> str | None:
        """Return the first pattern of ``nbcache_rerun`` that names a document."""
        patterns = self.answers.project.config.rerun
        return next((pattern for pattern in patterns if fnmatchcase(docname, pattern)), None)

    def on_env_updated(self, app: Sphinx, env: BuildEnvironment) -> Iterable[str]:
        """Say what failed, now that every page has its final answer.

        Returns the pages with tables, if anything that they show changed.
        """
        records = get_records(env)
        failed = sorted(name for name, record in records.items() if record["failure"])
        failures = [*_load_outcomes(env, failed), *self._lost]
        executed = {name for name in records if records[name]["status"] != Status.SKIPPED}
        write_tracebacks(failures, executed, Path(app.outdir))
        for outcome in failures:
            self._warn_of(app, outcome)
        for outcome in failures:
            config = self.answers.find_config(outcome.name)
            if config.execution_raise_on_error and not _is_read_error(outcome):
                assert outcome.failure is not None
                raise NotebookExecutionError(f"{outcome.path}: {outcome.failure.describe()}")
        return sorted(get_table_docs(env)) if self._has_news else []

    def on_build_finished(self, app: Sphinx, exception: Exception | None) -> None:
        """Write the report, say how it went, and set the exit status."""
        if self._answers is None or exception is not None:
            return
        totals = self._report(app)
        if not totals.notebooks:
            return
        LOGGER.info(close(totals))
        config = self.answers.project.config
        if totals.failed and (config.on_error == "fail" or config.frozen):
            app.statuscode = 1

    def _report(self, app: Sphinx) -> Totals:
        """Write the report of all notebooks, read in this build or not; return its totals.

        A report that says the same already is left alone.
        """
        project, outdir = self.answers.project, Path(app.outdir)
        lost = [(outcome.name, to_record(outcome)) for outcome in self._lost]
        records = sorted([*get_records(app.env).items(), *lost], key=itemgetter(0))
        facts = [REPORT_FORMAT, str(project.root), str(app.srcdir), self._seconds, records]
        state = digest_bytes(json.dumps(facts).encode("ascii"))
        known = read_totals(outdir, state)
        if known is not None:
            return known
        outcomes = _load_outcomes(app.env, sorted(get_records(app.env)))
        report = Report((*outcomes, *self._lost), self._seconds)
        path = write_report(report, outdir, project, state=state)
        LOGGER.debug(f"nbcache: report in {path}")
        return report.totals


def _load_outcomes(env: BuildEnvironment, names: Iterable[str]) -> list[Outcome]:
    """Return how some notebooks stand."""
    records = get_records(env)
    return [from_record(name, Path(env.doc2path(name)), records[name]) for name in names]


def _list_known(env: BuildEnvironment) -> list[Outcome]:
    """Return how the notebooks stood whose pages are still there."""
    return _load_outcomes(env, (name for name in get_records(env) if name in env.found_docs))


def _says_the_same(before: Outcome, now: Outcome) -> bool:
    """Return whether a page shows the same of two outcomes of its notebook."""
    if before.failure is not None:
        return before.failure.is_same_as(now.failure)
    return now.failure is None and before.outputs == now.outputs


def _find_showing(env: BuildEnvironment, changed: AbstractSet[Path]) -> set[str]:
    """Return the pages that show a file that has just changed: image, include, download.

    Sphinx looked at them before, when it chose which pages to read.
    """
    if not changed:
        return set()
    folder = Path(env.srcdir)
    return {
        docname
        for docname, files in env.dependencies.items()
        if docname in env.found_docs
        and any(Path(normpath(folder / str(file))) in changed for file in files)
    }


def _is_read_error(outcome: Outcome) -> bool:
    """Return whether the file is no readable notebook; a cell may raise what it likes."""
    failure = outcome.failure
    return failure is not None and failure.cell is None and failure.name == READ_ERROR


def _is_unreadable_text(outcome: Outcome) -> bool:
    """Return whether not even the text of a file can be had: rights, or another encoding."""
    try:
        return _is_read_error(outcome) and not read_text(outcome.path)
    except NotebookReadError:
        return True


def _list_failed(env: BuildEnvironment) -> list[str]:
    """Return the documents whose notebook failed in the build that read them."""
    return [
        name
        for name, record in get_records(env).items()
        if Status(record["status"]).is_failure and name in env.found_docs
    ]
