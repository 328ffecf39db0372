"""The table and the JSON file made from canned samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.report import Spread, circumstances, summarise, table, write_json
from benchmarks.samples import Crash, Sample, Usage


def _samples(tool: str, *usages: tuple[float, float, float]) -> list[Sample]:
    return [
        Sample("tiny", "cold", tool, number, Usage(*usage))
        for number, usage in enumerate(usages, start=1)
    ]


STOCK = _samples("stock", (12.0, 8.0, 100.0), (10.0, 7.0, 120.0), (40.0, 9.0, 110.0))
NBCACHE = _samples("nbcache", (3.0, 6.0, 330.0), (2.0, 4.0, 220.0), (9.0, 2.0, 110.0))
CRASH = Crash("tiny", "cold", "stock-j2", 1, 1, 2, "exit code 2", "table settings already exists")


def test_rows_have_medians_and_ranges() -> None:
    (row,) = summarise(STOCK)
    assert row.wall_s == Spread(12.0, 10.0, 40.0)
    assert row.cpu_s == Spread(8.0, 7.0, 9.0)
    assert row.peak_mib == Spread(110.0, 100.0, 120.0)
    assert row.rounds == 3


def test_ratios_are_those_of_the_medians() -> None:
    stock, nbcache = summarise([*STOCK, *NBCACHE])
    assert stock.ratios == (1.0, 1.0, 1.0)
    assert nbcache.ratios == pytest.approx((0.25, 0.5, 2.0))


def test_without_stock_there_are_no_ratios() -> None:
    (row,) = summarise(NBCACHE)
    assert row.ratios is None
    assert table([row])


def test_crashes_are_counted_beside_samples() -> None:
    rows = summarise([*STOCK, CRASH, CRASH, *_samples("stock-j2", (6.0, 8.0, 220.0))])
    assert [(row.tool, row.rounds, row.crashes) for row in rows] == [
        ("stock", 3, 0),
        ("stock-j2", 1, 2),
    ]


def test_a_tool_that_only_crashed_has_a_row_without_numbers() -> None:
    (row,) = summarise([CRASH])
    assert (row.rounds, row.crashes, row.wall_s, row.ratios) == (0, 1, None, None)
    assert table([row]).splitlines()[-1].split() == [
        *("tiny", "cold", "stock-j2", "0"),
        *("-", "-", "-", "-", "-", "-"),
        "1",
    ]


def test_scenarios_and_kinds_are_not_mixed() -> None:
    other = Sample("scientific", "cold", "stock", 1, Usage(99.0, 99.0, 99.0))
    warm = Sample("tiny", "warm", "stock", 1, Usage(1.0, 1.0, 50.0))
    rows = summarise([*STOCK, other, warm, *NBCACHE])
    ratios = {(row.kind, row.scenario, row.tool): row.ratios for row in rows}
    assert ratios["tiny", "cold", "nbcache"] == pytest.approx((0.25, 0.5, 2.0))
    assert len(ratios) == 4


def test_table_is_aligned_and_readable() -> None:
    lines = table(summarise([*STOCK, *NBCACHE])).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert "3.00 (2.00-9.00)     0.25  4.00 (2.00-6.00)     0.50  220 (110-330)" in lines[3]


def test_circumstances_name_what_was_used() -> None:
    line = circumstances(24, "pss")
    assert line.startswith("24 notebooks per tree, ")
    assert "memory as PSS; Python 3." in line


def test_json_holds_all_raw_samples_and_what_they_were_made_with(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    write_json(path, [*STOCK, CRASH], {"rounds": 3}, "pss")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert len(content["samples"]) == 3
    assert content["samples"][0]["usage"] == {"wall_s": 12.0, "cpu_s": 8.0, "peak_mib": 100.0}
    assert content["crashes"][0]["attempt"] == 1
    assert content["host"]["cores"] >= 1
    assert content["host"]["memory_measure"] == "pss"
    assert {"sphinx", "myst-nb", "sphinx-nbcache"} <= set(content["versions"])
