"""What ran in a build of ours is read from its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.breakdown import read_runs
from benchmarks.samples import NotebookRun


def _write(output: Path, *notebooks: dict[str, Any]) -> None:
    (output / "_nbcache").mkdir()
    text = json.dumps({"format": 1, "notebooks": notebooks})
    (output / "_nbcache" / "report.json").write_text(text, encoding="utf-8")


def test_only_notebooks_that_ran_are_read(tmp_path: Path) -> None:
    phases = {"start": 0.1, "ready": 0.1, "cells": 0.2, "shutdown": 0.0, "save": 0.1}
    _write(
        tmp_path,
        {"docname": "a", "status": "ran", "seconds": 0.4, "phases": phases},
        {"docname": "b", "status": "hit", "seconds": 0.4},
        {"docname": "c", "status": "failed", "seconds": 0.2},
    )
    assert read_runs(tmp_path) == (NotebookRun("a", 0.4, phases), NotebookRun("c", 0.2))


def test_a_build_without_report_tells_nothing(tmp_path: Path) -> None:
    assert read_runs(tmp_path) is None
