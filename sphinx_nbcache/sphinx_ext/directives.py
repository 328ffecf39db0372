"""``nbcache-report`` and ``nbcache-cells``: tables of how notebooks ran.

A directive leaves a placeholder; it becomes a table when the page is written, after all
pages were read, and so shows the build that it is part of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from posixpath import dirname, relpath
from typing import Any, ClassVar

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import docname_join
from sphinx.util.docutils import SphinxDirective

from sphinx_nbcache.model import CellRun, Outcome
from sphinx_nbcache.sphinx_ext.records import from_record, get_records, get_table_docs
from sphinx_nbcache.sphinx_ext.warnings import WarningSubtype, warn


def _format_time(moment: float | None, form: str = "%Y-%m-%d %H:%M") -> str:
    return "" if moment is None else time.strftime(form, time.localtime(moment))


def _format_slowest(outcome: Outcome) -> str:
    cell = outcome.slowest_cell
    return "" if cell is None else f"{cell.number} ({cell.seconds:.2f} s)"


def _format_error(outcome: Outcome) -> str:
    """Return why a notebook failed, at last or at first."""
    failure = outcome.failure or outcome.first_failure
    if failure is None:
        return ""
    before = "" if outcome.failure else "first attempt: "
    where = f" ({failure.place})" if failure.place else ""
    return f"{before}{failure.name}: {failure.message}{where}"


COLUMNS: dict[str, tuple[str, Callable[[Outcome], str], Callable[[Outcome], Any]]] = {
    "page": ("Page", lambda o: o.name, lambda o: o.name),
    "status": ("Status", lambda o: str(o.status), lambda o: str(o.status)),
    "when": ("When", lambda o: _format_time(o.executed_at), lambda o: o.executed_at or 0.0),
    "seconds": ("Seconds", lambda o: f"{o.seconds:.2f}", lambda o: o.seconds),
    "cells": ("Cells", lambda o: str(len(o.cells) or ""), lambda o: len(o.cells)),
    "slowest": (
        "Slowest cell",
        _format_slowest,
        lambda o: o.slowest_cell.seconds if o.slowest_cell else 0.0,
    ),
    "kernel": ("Kernel", lambda o: o.kernel, lambda o: o.kernel),
    "reason": ("Reason", lambda o: o.reason, lambda o: o.reason),
    "notes": ("Notes", lambda o: ", ".join(o.notes), lambda o: ", ".join(o.notes)),
    "attempts": ("Attempts", lambda o: str(o.attempts), lambda o: o.attempts),
    "error": ("Error", _format_error, _format_error),
}
"""Column name to heading, text and sort value."""
DEFAULT_COLUMNS = ("page", "status", "when", "seconds", "cells", "slowest", "error")


class TablePlaceholder(nodes.General, nodes.Element):
    """Where a table will stand."""


def _check_columns(value: str | None) -> tuple[str, ...]:
    names = tuple((value or "").replace(",", " ").split())
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not names:
        known = ", ".join(COLUMNS)
        raise ValueError(f"unknown column {' '.join(unknown)!r}; there are: {known}")
    return names


def _check_sort(value: str | None) -> tuple[str, bool]:
    name = (value or "").strip()
    _check_columns(name.removeprefix("-"))
    return name.removeprefix("-"), name.startswith("-")


def _check_patterns(value: str | None) -> tuple[str, ...]:
    return tuple((value or "").replace(",", " ").split())


class ReportDirective(SphinxDirective):
    """A table of all notebooks: ``:columns:``, ``:sort:``, ``:filter:``."""

    option_spec: ClassVar[dict[str, Callable[[str], Any]]] = {
        "columns": _check_columns,
        "sort": _check_sort,
        "filter": _check_patterns,
    }

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        get_table_docs(self.env).add(self.env.docname)
        placeholder = TablePlaceholder(
            kind="report",
            columns=self.options.get("columns", DEFAULT_COLUMNS),
            sort=self.options.get("sort", ("page", False)),
            filter=self.options.get("filter", ()),
        )
        return [placeholder]


class CellsDirective(SphinxDirective):
    """A table of the cells of one page: its own, or the one that is named."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        docname = self.env.docname
        get_table_docs(self.env).add(docname)
        target = docname_join(docname, self.arguments[0]) if self.arguments else docname
        return [TablePlaceholder(kind="cells", target=target)]


class TableTransform(SphinxPostTransform):
    """Replaces placeholders by tables; before references are resolved (priority 10)."""

    default_priority = 8

    def run(self, **kwargs: Any) -> None:
        """Replace every placeholder of the page."""
        if self.env.docname not in get_table_docs(self.env):
            return  # most pages: looking through all their nodes would cost more than all else
        for placeholder in list(self.document.findall(TablePlaceholder)):
            make = _make_report if placeholder["kind"] == "report" else _make_cells
            placeholder.replace_self(make(self.env, placeholder))


def _load(env: BuildEnvironment) -> list[Outcome]:
    return [from_record(name, Path(name), record) for name, record in get_records(env).items()]


def _make_report(env: BuildEnvironment, placeholder: nodes.Element) -> nodes.Node:
    patterns = placeholder["filter"]
    column, is_descending = placeholder["sort"]
    outcomes = sorted(_load(env), key=lambda outcome: outcome.name)
    outcomes.sort(key=COLUMNS[column][2], reverse=is_descending)
    rows = [
        [_make_cell(env, name, outcome) for name in placeholder["columns"]]
        for outcome in outcomes
        if not patterns or any(fnmatchcase(outcome.name, pattern) for pattern in patterns)
    ]
    if not rows:
        return nodes.paragraph(text="No notebook to report.")
    return make_table([COLUMNS[name][0] for name in placeholder["columns"]], rows)


def _make_cell(env: BuildEnvironment, name: str, outcome: Outcome) -> nodes.Node:
    text = COLUMNS[name][1](outcome)
    if name != "page":
        return nodes.Text(text)
    here = env.docname
    link = pending_xref(
        refdoc=here,
        reftarget=relpath(outcome.name, dirname(here) or "."),
        reftype="doc",
        refdomain="std",
        refexplicit=True,
        refwarn=True,
    )
    link += nodes.inline(text=text)
    return link


def _make_cells(env: BuildEnvironment, placeholder: nodes.Element) -> nodes.Node:
    record = get_records(env).get(placeholder["target"])
    if record is None:
        text = f"{placeholder['target']} is not a notebook"
        warn(env.config, f"nbcache-cells: {text}", WarningSubtype.DIRECTIVE, env.docname)
        return nodes.paragraph(text=f"{text}.")
    cells = from_record(placeholder["target"], Path(), record).cells
    if not cells:  # it is not executed, or was taken over from jupyter-cache
        return nodes.paragraph(text="Nothing is known of a run of its cells.")
    total = sum(cell.seconds for cell in cells) or 1.0
    rows = [[nodes.Text(text) for text in _describe_cell(cell, total)] for cell in cells]
    return make_table(["Cell", "Status", "Started", "Seconds", "Share"], rows)


def _describe_cell(cell: CellRun, total: float) -> list[str]:
    started = (
        ""
        if cell.started_at is None
        else time.strftime("%H:%M:%S", time.localtime(cell.started_at))
    )
    share = f"{100 * cell.seconds / total:.0f} %"
    return [str(cell.number), str(cell.status), started, f"{cell.seconds:.3f}", share]


def make_table(headings: list[str], rows: Sequence[Sequence[nodes.Node]]) -> nodes.table:
    """Return a table node with one inline node in each cell."""
    group = nodes.tgroup(cols=len(headings))
    group += [nodes.colspec(colwidth=1) for _ in headings]
    head, body = nodes.thead(), nodes.tbody()
    head += _make_row([nodes.Text(heading) for heading in headings])
    body += [_make_row(row) for row in rows]
    group += [head, body]
    table = nodes.table(classes=["colwidths-auto", "nbcache-table"])
    table += group
    return table


def _make_row(cells: Sequence[nodes.Node]) -> nodes.row:
    row = nodes.row()
    row += [nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells]
    return row
