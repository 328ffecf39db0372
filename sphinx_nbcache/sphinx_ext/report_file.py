"""The machine-readable report and the closing line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from sphinx_nbcache.model import Failure, Outcome, Report, Totals
from sphinx_nbcache.pipeline import Project

REPORT_FORMAT = 1
REPORT_PATH = Path("_nbcache", "report.json")
_HEAD_LINES = 2
"""At the beginning of the file: all but the notebooks."""
_LOG = ".err.log"


def write_report(report: Report, outdir: Path, project: Project, *, state: str) -> Path:
    """Write ``_nbcache/report.json`` below the output folder; return its path.

    :param state: digest of all that the report is made from.
    """
    totals = asdict(report.totals)
    rounded = {name: round(value, 3) for name, value in totals.items()}
    # One line for each notebook: Python's JSON is ten times as slow where it indents.
    lines = ",\n".join(json.dumps(_to_json(outcome, project)) for outcome in report.outcomes)
    head = f'{{"format": {REPORT_FORMAT}, "state": "{state}",\n"totals": {json.dumps(rounded)},\n'
    path = outdir / REPORT_PATH
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(f'{head}"notebooks": [\n{lines}\n]}}\n', encoding="utf-8")
    draft.replace(path)  # torn, it could pass for a report of this state
    return path


def read_totals(outdir: Path, state: str) -> Totals | None:
    """Return the totals of the report in the output folder, if it is one of this state."""
    try:
        with (outdir / REPORT_PATH).open(encoding="utf-8") as file:
            head = "".join(islice(file, _HEAD_LINES)).rstrip().removesuffix(",")
        value = json.loads(f"{head}}}")
        return Totals(**value["totals"]) if value["state"] == state else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _to_json(outcome: Outcome, project: Project) -> dict[str, Any]:
    return {
        "docname": outcome.name,
        "path": project.relate(outcome.path),
        "status": str(outcome.status),
        "reason": outcome.reason,
        "key": outcome.key,
        "seconds": round(outcome.seconds, 3),
        "kernel": outcome.kernel,
        "cells": [
            {"index": cell.number, "seconds": round(cell.seconds, 3), "status": str(cell.status)}
            for cell in outcome.cells
        ],
        "error": _describe_error(outcome.failure),
        "attempts": outcome.attempts,
        "first_error": _describe_error(outcome.first_failure),
        "changes": list(outcome.changes),
        "notes": list(outcome.notes),
        "artifacts": [artifact.path for artifact in outcome.artifacts],
        "phases": {name: round(seconds, 4) for name, seconds in outcome.phases.items()},
    }


def _describe_error(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "cell": failure.cell,
        "line": failure.line,
        "name": failure.name,
        "message": failure.message,
        "traceback": failure.traceback,
    }


def write_tracebacks(failures: Iterable[Outcome], executed: AbstractSet[str], outdir: Path) -> None:
    """Write each failed notebook's traceback to ``reports/<page>.err.log``, as MyST-NB does.

    The file goes when the notebook is mended; those of skipped ones are MyST-NB's.

    :param executed: names of all notebooks whose files are ours.
    """
    folder = outdir / "reports"
    written = set()
    for outcome in failures:
        assert outcome.failure is not None
        path = folder / f"{outcome.name}{_LOG}"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"{outcome.failure.describe()}\n\n{outcome.failure.traceback}"
        path.write_text(text.strip() + "\n", encoding="utf-8")
        written.add(path)
    for path in folder.rglob(f"*{_LOG}"):
        name = path.relative_to(folder).as_posix().removesuffix(_LOG)
        if name in executed and path not in written:
            path.unlink(missing_ok=True)


def close(totals: Totals) -> str:
    """Return the closing line of a build."""
    parts = [_count(totals.hits, "hit"), _count_runs(totals), f"{totals.failed} failed"]
    if totals.skipped:
        parts.append(f"{totals.skipped} not executed")
    text = f"nbcache: {_count(totals.notebooks, 'notebook')}: {', '.join(parts)}"
    saved = totals.saved_seconds
    return f"{text}; saved {format_seconds(saved)}" if saved >= 1 else text


def _count_runs(totals: Totals) -> str:
    if not totals.ran:
        return "0 ran"
    retried = f" ({totals.retried} after a retry)" if totals.retried else ""
    return f"{totals.ran} ran{retried} in {format_seconds(totals.seconds)}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def format_seconds(seconds: float) -> str:
    """Return a duration for people: ``5.1 s``, ``4 min 12 s``, ``2 h 3 min``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
