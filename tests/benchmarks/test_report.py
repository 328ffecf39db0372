"""The text and the JSON file made from canned samples."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.report import circumstances, describe, write_json
from benchmarks.samples import Case, Crash, Event, Floor, NotebookRun, Site
from tests.benchmarks.canned import TINY, samples

CRASH = Crash(Case(TINY, "cold", "stock-j2"), 1, 1, 2, "exit code 2", "table already exists")
FLOOR = Floor(TINY, 3.0, images=24, cores=2)
PHASES = {"start": 0.1, "ready": 0.1, "cells": 0.2, "shutdown": 0.0, "save": 0.1}


def _titles(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("## ")]


def test_the_text_has_a_section_for_each_thing_that_was_measured() -> None:
    run = NotebookRun("a", 0.4, PHASES)
    events: list[Event] = [
        FLOOR,
        *samples("stock-j2", 12.0),
        *samples("nbcache", 2.0, runs=(run,)),
        *samples("nbcache", 2.0, site=Site("tiny", 100)),
    ]
    text = describe(events, None, "pss")
    assert _titles(text) == [
        "## Targets",
        "## 24 tiny notebooks, half MyST Markdown, half .ipynb",
        "## 100 tiny notebooks, half MyST Markdown, half .ipynb",
        "## Seconds of a notebook, mean / greatest",
        "## Cost per notebook, tiny",
    ]
    assert "6.0 x wanted, 6.0 x measured" in text
    assert "Floor: 1.500 s = 3.000 CPU seconds of the cells alone (24 images) on 2 cores" in text


def test_the_text_has_no_empty_sections() -> None:
    text = describe(samples("nbcache", 2.0), None, "pss")
    assert _titles(text) == ["## 24 tiny notebooks, half MyST Markdown, half .ipynb"]


def test_circumstances_name_what_was_used() -> None:
    line = circumstances(4, "pss")
    assert "4 kernels of ours at a time" in line
    assert "memory as PSS; Python 3." in line
    assert "as many kernels as cores of ours at a time" in circumstances(None, "pss")


def test_json_holds_all_raw_samples_and_what_they_were_made_with(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    run = NotebookRun("a", 0.4, PHASES)
    events: list[Event] = [FLOOR, *samples("nbcache", 12.0, 10.0, runs=(run,)), CRASH]
    write_json(path, events, {"rounds": 2}, "pss")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert len(content["samples"]) == 2
    first = content["samples"][0]
    usage = {"wall_s": 12.0, "cpu_s": 6.0, "peak_mib": 120.0, "lingered_s": 0.0}
    assert first["usage"] == usage
    assert first["runs"] == [{"name": "a", "seconds": 0.4, "phases": PHASES}]
    assert content["crashes"][0]["attempt"] == 1
    assert content["floors"][0]["cpu_s"] == 3.0
    assert content["host"]["cores"] >= 1
    assert content["host"]["memory_measure"] == "pss"
    assert {"sphinx", "myst-nb", "sphinx-nbcache"} <= set(content["versions"])
