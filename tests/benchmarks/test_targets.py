"""Targets are judged where they were measured, and only there."""

from __future__ import annotations

import pytest

from benchmarks.samples import NotebookRun, Sample, Site
from benchmarks.summary import summarise
from benchmarks.targets import Verdict, judge
from tests.benchmarks.canned import TINY, samples

SCIENTIFIC = Site("scientific", 100)
LARGE = Site("tiny", 1000, "ipynb")


def _only(*groups: list[Sample], kernels: int | None = None) -> Verdict:
    (verdict,) = judge(summarise([sample for group in groups for sample in group], kernels))
    return verdict


def test_a_speed_up_stands_beside_the_one_that_is_wanted() -> None:
    stock = samples("stock-j2", 113.0, site=SCIENTIFIC)
    verdict = _only(stock, samples("nbcache", 10.0, site=SCIENTIFIC))
    what = "100 scientific, cold: `nbcache` as fast as `stock-j2`"
    assert verdict == Verdict(what, "10.0 x wanted, 11.3 x measured", is_met=True)


def test_a_speed_up_that_is_too_small_is_not_met() -> None:
    stock = samples("stock-j2", 29.0, site=SCIENTIFIC)
    verdict = _only(stock, samples("nbcache-fork", 10.0, site=SCIENTIFIC))
    assert verdict.figures == "3.0 x wanted, 2.9 x measured"
    assert not verdict.is_met


def test_other_sizes_are_not_judged() -> None:
    other = Site("scientific", 24)
    events = [*samples("stock-j2", 90.0, site=other), *samples("nbcache", 1.0, site=other)]
    assert judge(summarise(events)) == ()


@pytest.mark.parametrize(("ours_s", "is_met"), [(20.9, True), (21.1, False)])
def test_a_warm_build_may_be_a_little_slower_than_one_that_runs_nothing(
    ours_s: float, is_met: bool
) -> None:
    peer = samples("stock-off", 20.0, site=LARGE, scenario="warm")
    verdict = _only(peer, samples("nbcache", ours_s, site=LARGE, scenario="warm"))
    assert verdict.figures.startswith("at most 1.05 x wanted, 1.0")
    assert verdict.is_met is is_met


def test_an_edited_notebook_may_cost_its_own_run_and_a_little() -> None:
    runs = (NotebookRun("a", 2.0),)
    no_op = samples("nbcache", 3.0, site=LARGE, scenario="no-op")
    edited = samples("nbcache", 6.0, site=LARGE, scenario="edited", runs=runs)
    assert _only(no_op, edited).figures == "at most 1.50 s wanted, 1.00 s measured"


def test_memory_is_judged_when_as_many_kernels_run_as_the_peer_has() -> None:
    groups = (samples("stock-j4", 80.0), samples("nbcache", 60.0))
    assert _only(*groups, kernels=4).figures == "at most 1.00 x wanted, 0.75 x measured"
    assert judge(summarise([*groups[0], *groups[1]], kernels=2)) == ()


def test_tiny_notebooks_have_a_target_of_their_own() -> None:
    verdict = _only(samples("stock-j2", 12.0), samples("nbcache", 2.0))
    assert verdict.what.startswith(f"{TINY}, cold")
    assert verdict.is_met
