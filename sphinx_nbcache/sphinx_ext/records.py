"""What is remembered of each page in Sphinx's environment, as plain builtins.

The environment is pickled, and merged from parallel readers: a record is a dict, so
that a pickle of one version never breaks another.
"""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector

from sphinx_nbcache.model import Artifact, CellRun, Declared, Failure, Inputs, Key, Outcome, Status

Record = dict[str, Any]
_PAGES = "nbcache_pages"
_TABLES = "nbcache_tables"


def get_records(env: BuildEnvironment) -> dict[str, Record]:
    """Return document name to record, for every page that is a notebook."""
    records: dict[str, Record] = env.__dict__.setdefault(_PAGES, {})
    return records


def get_table_docs(env: BuildEnvironment) -> set[str]:
    """Return the documents that show a report and change with other pages."""
    docs: set[str] = env.__dict__.setdefault(_TABLES, set())
    return docs


def to_record(outcome: Outcome) -> Record:
    """Return the record of an outcome."""
    return {
        "status": str(outcome.status),
        "reason": outcome.reason,
        "key": outcome.key,
        "kernel": outcome.kernel,
        "seconds": outcome.seconds,
        "executed_at": outcome.executed_at,
        "cells": [cell.to_json() for cell in outcome.cells],
        "failure": _to_builtins(outcome.failure),
        "attempts": outcome.attempts,
        "first_failure": _to_builtins(outcome.first_failure),
        "outputs": outcome.outputs,
        "changes": list(outcome.changes),
        # One text: thousands of short ones would make the environment slow to load.
        "inputs": json.dumps(outcome.inputs.to_json()),
        "artifacts": [(item.path, item.digest, item.mode) for item in outcome.artifacts],
        "declared": _to_builtins(outcome.declared),
        "notes": list(outcome.notes),
        "phases": dict(outcome.phases),
    }


def _to_builtins(value: Failure | Declared | None) -> Record | None:
    return None if value is None else {name: getattr(value, name) for name in value.__slots__}


def from_record(docname: str, path: Path, record: Record) -> Outcome:
    """Return the outcome in a record."""
    failure, first_failure = record["failure"], record.get("first_failure")
    return Outcome(
        name=docname,
        path=path,
        status=Status(record["status"]),
        reason=record["reason"],
        key=record["key"] and Key(record["key"]),
        kernel=record["kernel"],
        seconds=record["seconds"],
        executed_at=record["executed_at"],
        cells=tuple(map(CellRun.from_json, record["cells"])),
        failure=failure and Failure(**failure),
        attempts=record.get("attempts", 1),
        first_failure=first_failure and Failure(**first_failure),
        phases=record.get("phases", {}),
        outputs=record.get("outputs"),
        changes=tuple(record.get("changes", ())),
        inputs=Inputs.from_json(json.loads(record.get("inputs", "[]"))),
        artifacts=get_artifacts(record),
        declared=Declared(**record.get("declared") or {}),
        notes=tuple(record.get("notes", ())),
    )


def get_artifacts(record: Record) -> tuple[Artifact, ...]:
    """Return the files that the notebook of a record wrote."""
    return tuple(
        Artifact(path=path, digest=digest, mode=mode)
        for path, digest, mode in record.get("artifacts", ())
    )


def mark_unchanged(record: Record) -> None:
    """Make a record of an earlier build one of this build, in which nothing ran."""
    if record["status"] == Status.RAN:
        record["status"] = str(Status.HIT)
        record["reason"] = "page unchanged"
        record["changes"] = []
    record["attempts"], record["first_failure"], record["phases"] = 1, None, {}


class PageCollector(EnvironmentCollector):
    """Purges and merges the records as Sphinx purges and merges pages."""

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Forget a page that is read again or gone."""
        get_records(env).pop(docname, None)
        get_table_docs(env).discard(docname)

    def merge_other(
        self,
        app: Sphinx,
        env: BuildEnvironment,
        docnames: AbstractSet[str],
        other: BuildEnvironment,
    ) -> None:
        """Take over what a parallel reader found out."""
        found = get_records(other)
        get_records(env).update({name: found[name] for name in docnames if name in found})
        get_table_docs(env).update(get_table_docs(other) & set(docnames))

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Do nothing: the parser and the directives keep the records."""
