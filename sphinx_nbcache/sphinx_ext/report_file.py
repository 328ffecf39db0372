"""The machine-readable report and the closing line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sphinx_nbcache.model import Outcome, Report, Status
from sphinx_nbcache.pipeline import Project

REPORT_FORMAT = 1
REPORT_PATH = Path("_nbcache", "report.json")


def write_report(report: Report, outdir: Path, project: Project) -> Path:
    """Write ``_nbcache/report.json`` below the output folder; return its path."""
    totals = report.totals
    value = {
        "format": REPORT_FORMAT,
        "totals": {
            "notebooks": totals.notebooks,
            "hits": totals.hits,
            "ran": totals.ran,
            "failed": totals.failed,
            "seconds": round(totals.seconds, 3),
            "saved_seconds": round(totals.saved_seconds, 3),
        },
        "notebooks": [_to_json(outcome, project) for outcome in report.outcomes],
    }
    path = outdir / REPORT_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    return path


def _to_json(outcome: Outcome, project: Project) -> dict[str, Any]:
    failure = outcome.failure
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
        "error": failure
        and {
            "cell": failure.cell,
            "line": failure.line,
            "name": failure.name,
            "message": failure.message,
            "traceback": failure.traceback,
        },
    }


def write_tracebacks(outcomes: Iterable[Outcome], outdir: Path) -> None:
    """Write each failed notebook's traceback to ``reports/<page>.err.log``, as MyST-NB does.

    The file goes when the notebook is mended; those of skipped ones are MyST-NB's.
    """
    for outcome in outcomes:
        path = outdir / "reports" / f"{outcome.name}.err.log"
        if outcome.failure is None:
            if outcome.status is not Status.SKIPPED:
                path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"{outcome.failure.describe()}\n\n{outcome.failure.traceback}"
        path.write_text(text.strip() + "\n", encoding="utf-8")


def close(report: Report) -> str:
    """Return the closing line of a build."""
    totals = report.totals
    ran = f"{totals.ran} ran" + (f" in {format_seconds(totals.seconds)}" if totals.ran else "")
    parts = [_count(totals.hits, "hit"), ran, f"{totals.failed} failed"]
    if totals.skipped:
        parts.append(f"{totals.skipped} not executed")
    text = f"nbcache: {_count(totals.notebooks, 'notebook')}: {', '.join(parts)}"
    saved = totals.saved_seconds
    return f"{text}; saved {format_seconds(saved)}" if saved >= 1 else text


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
