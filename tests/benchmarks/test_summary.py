"""Medians, ranges and speed-ups made from canned samples."""

from __future__ import annotations

import pytest

from benchmarks.samples import Case, Crash, Floor, NotebookRun, Site
from benchmarks.summary import Row, Spread, summarise
from tests.benchmarks.canned import TINY, samples

CRASH = Crash(Case(TINY, "cold", "stock-j2"), 1, 1, 2, "exit code 2", "table already exists")


def test_rows_have_medians_and_ranges() -> None:
    (row,) = summarise(samples("stock", 12.0, 10.0, 40.0)).rows
    assert row.wall_s == Spread(12.0, 10.0, 40.0)
    assert row.cpu_s == Spread(6.0, 5.0, 20.0)
    assert row.peak_mib == Spread(120.0, 100.0, 400.0)
    assert row.rounds == 3


def test_speed_ups_are_those_of_the_medians() -> None:
    summary = summarise([*samples("stock", 12.0, 10.0, 40.0), *samples("nbcache", 3.0, 2.0, 9.0)])
    assert summary.speed_up(TINY, "cold", of="nbcache", over="stock") == pytest.approx(4.0)
    assert summary.speed_up(TINY, "warm", of="nbcache", over="stock") is None


def test_crashes_are_counted_beside_samples() -> None:
    rows = summarise([*samples("stock", 12.0), CRASH, CRASH, *samples("stock-j2", 6.0)]).rows
    counts = [(row.case.tool, row.rounds, row.crashes) for row in rows]
    assert counts == [("stock", 1, 0), ("stock-j2", 1, 2)]


def test_a_tool_that_only_crashed_has_a_row_without_numbers() -> None:
    assert summarise([CRASH]).rows == (Row(CRASH.case, 0, 1),)


def test_sites_and_scenarios_are_not_mixed() -> None:
    other = Site("tiny", 300)
    summary = summarise(
        [
            *samples("stock", 12.0),
            *samples("stock", 99.0, site=other),
            *samples("stock", 1.0, scenario="warm"),
        ]
    )
    assert summary.sites == (TINY, other)
    assert summary.wall_s(TINY, "cold", "stock") == 12.0
    assert summary.wall_s(other, "cold", "stock") == 99.0
    assert summary.wall_s(TINY, "warm", "stock") == 1.0


def test_floors_are_kept_apart_and_divided_by_the_cores() -> None:
    floor = Floor(TINY, 3.0, images=24, cores=2)
    summary = summarise([floor, *samples("stock", 12.0)])
    assert summary.floors == (floor,)
    assert floor.seconds == 1.5


def test_a_notebooks_own_run_is_the_sum_of_its_phases_where_they_are_told() -> None:
    told = NotebookRun("a", 0.5, {"start": 0.2, "cells": 0.5, "save": 0.1})
    untold = NotebookRun("a", 0.5)
    for run, seconds in ((told, 0.8), (untold, 0.5)):
        (row,) = summarise(samples("nbcache", 3.0, scenario="edited", runs=(run,))).rows
        assert row.own_run_s == pytest.approx(seconds)
