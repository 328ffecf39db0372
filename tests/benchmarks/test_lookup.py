"""The benchmark of look-up and merge: both caches give the same notebook."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.lookup import OUTPUT_BYTES, Timing, make_executed, measure


def test_both_caches_answer_the_same_and_are_timed(tmp_path: Path) -> None:
    timing = measure(tmp_path, notebooks=2, rounds=2)
    assert len(timing.ours) == len(timing.theirs) == 2
    assert timing.ratio > 0


def test_the_ratio_is_of_the_best_rounds() -> None:
    assert Timing((2.0, 1.0), (5.0, 4.0)).ratio == pytest.approx(4.0)


def test_a_notebook_has_outputs_of_the_size_that_is_named() -> None:
    code = [cell for cell in make_executed(1)["cells"] if cell["cell_type"] == "code"]
    size = sum(
        len(output.get("text") or output["data"]["image/png"])
        for cell in code
        for output in cell["outputs"]
    )
    assert size == pytest.approx(OUTPUT_BYTES, rel=0.02)
