"""The tables made from canned samples."""

from __future__ import annotations

from benchmarks.breakdown import break_down
from benchmarks.samples import Case, Crash, Event, Floor, NotebookRun, Site
from benchmarks.summary import summarise
from benchmarks.tables import (
    breakdown_table,
    floor_table,
    markdown_table,
    scaling_table,
    site_table,
    target_table,
)
from benchmarks.targets import Verdict
from tests.benchmarks.canned import TINY, samples


def _cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_a_table_is_aligned_markdown() -> None:
    table = markdown_table(("name", "n"), [("a", "10"), ("longer", "1")])
    assert table.splitlines() == [
        "| name   |   n |",
        "| ------ | --: |",
        "| a      |  10 |",
        "| longer |   1 |",
    ]


def test_every_peer_that_was_measured_has_a_column() -> None:
    events = [*samples("stock", 12.0), *samples("stock-j2", 9.0), *samples("nbcache", 3.0)]
    header, _, *rows = _cells(site_table(summarise(events), TINY))
    assert header[4:6] == ["x `stock`", "x `stock-j2`"]
    assert rows[2][:6] == ["cold", "nbcache", "1", "3.00 (3.00-3.00)", "4.00", "3.00"]


def test_without_a_peer_there_are_no_ratios() -> None:
    header, _, row = _cells(site_table(summarise(samples("nbcache", 3.0)), TINY))
    assert not [title for title in header if title.startswith("x")]
    assert len(row) == len(header)


def test_a_tool_that_only_crashed_has_dashes_for_numbers() -> None:
    crash = Crash(Case(TINY, "cold", "stock-j2"), 1, 1, 2, "exit code 2", "")
    *_, row = _cells(site_table(summarise([crash]), TINY))
    assert row == ["cold", "stock-j2", "0", "-", "-", "-", "-", "-", "1"]


def test_a_missed_target_stands_out() -> None:
    table = target_table([Verdict("a", "b", is_met=True), Verdict("c", "d", is_met=False)])
    assert [row[-1] for row in _cells(table)[2:]] == ["yes", "**no**"]


def test_the_way_to_the_floor_is_split_where_a_warm_build_was_measured() -> None:
    floor = Floor(TINY, 4.0, images=24, cores=2)
    events: list[Event] = [floor, *samples("stock", 20.0), *samples("nbcache", 8.0)]
    events += samples("nbcache", 3.0, scenario="warm")
    _, _, stock, ours = _cells(floor_table(summarise(events), floor))
    assert stock == ["stock", "20.00", "2.000", "10.0", "-", "-"]
    assert ours == ["nbcache", "8.00", "2.000", "4.0", "3.00", "3.00"]


def test_the_breakdown_has_mean_and_greatest_of_each_phase() -> None:
    runs = (
        NotebookRun("a", 1.0, {"start": 0.1, "ready": 0.2, "cells": 1.0, "shutdown": 0, "save": 0}),
        NotebookRun("b", 1.0, {"start": 0.3, "ready": 0.2, "cells": 2.0, "shutdown": 0, "save": 0}),
        NotebookRun("untold", 1.0),
    )
    *_, row = _cells(breakdown_table(break_down(samples("nbcache", 3.0, runs=runs))))
    assert row[:6] == [str(TINY), "cold", "nbcache", "2", "0.200 / 0.300", "0.200 / 0.200"]


def test_without_phases_there_is_no_breakdown() -> None:
    assert break_down(samples("nbcache", 3.0, runs=(NotebookRun("a", 1.0),))) == ()


def test_scaling_has_the_cost_of_each_and_of_each_further_notebook() -> None:
    events = [
        *samples("nbcache", 30.0, site=Site("tiny", 1000)),
        *samples("nbcache", 3.0, site=Site("tiny", 100)),
        *samples("stock", 90.0, site=Site("tiny", 100)),
    ]
    rows = _cells(scaling_table(summarise(events), "tiny"))[2:]
    assert rows == [
        ["cold", "nbcache", "100", "3.00", "30.0", "-"],
        ["cold", "nbcache", "1000", "30.00", "30.0", "30.0"],
        ["cold", "stock", "100", "90.00", "900.0", "-"],
    ]
