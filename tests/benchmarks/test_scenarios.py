"""Order, retries and failures, with pretended builds in place of Sphinx."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.errors import BuildFailedError
from benchmarks.samples import Case, Crash, Event, Floor, Sample, Site
from benchmarks.scenarios import Plan, measure_all
from benchmarks.sessions import SCENARIOS
from benchmarks.tools import Tool, find_tool
from tests.benchmarks.builds import PHASES, PretendedBuilds

WITHOUT_COLD = ("no-op", "warm", "edited")


def _tool(name: str) -> Tool:
    tool = find_tool(name)
    assert tool
    return tool


def _plan(
    *tools: str, rounds: int = 1, only: Sequence[str] = SCENARIOS, counts: Sequence[int] = (2,)
) -> Plan:
    formats = "ipynb" if "stock-off" in tools else "mixed"
    sites = [Site("tiny", count, formats) for count in counts]
    return Plan(sites, [_tool(name) for name in tools], only, rounds)


def _measure(plan: Plan, folder: Path, builds: PretendedBuilds) -> list[Event]:
    return list(measure_all(plan, folder, builds))


def _done(events: Sequence[Event]) -> list[tuple[int, str, str]]:
    return [
        (event.round, event.case.scenario, event.case.tool)
        for event in events
        if isinstance(event, Sample)
    ]


def test_tools_take_turns_within_each_scenario(tmp_path: Path) -> None:
    events = _measure(_plan("stock", "nbcache", rounds=2), tmp_path, PretendedBuilds())
    assert _done(events) == [
        (number, scenario, tool)
        for number in (1, 2)
        for scenario in SCENARIOS
        for tool in ("stock", "nbcache")
    ]
    assert list(tmp_path.rglob("*.html")) == []


def test_the_floor_is_measured_once_for_a_site_that_is_built_cold(tmp_path: Path) -> None:
    events = _measure(_plan("nbcache", rounds=2), tmp_path, PretendedBuilds())
    (floor,) = [event for event in events if isinstance(event, Floor)]
    assert (events[0], floor.site) == (floor, Site("tiny", 2))


def test_each_size_is_a_site_of_its_own(tmp_path: Path) -> None:
    plan = _plan("nbcache", only=["warm"], counts=(1, 3))
    events = _measure(plan, tmp_path, PretendedBuilds())
    cases = [event.case for event in events if isinstance(event, Sample)]
    assert cases == [Case(Site("tiny", count), "warm", "nbcache") for count in (1, 3)]


def test_without_cold_everything_runs_once_and_all_rounds_go_on_from_there(tmp_path: Path) -> None:
    builds = PretendedBuilds()
    plan = _plan("nbcache", "nbcache-spawn", rounds=3, only=WITHOUT_COLD)
    events = _measure(plan, tmp_path, builds)
    ran = [len(event.runs) for event in events if isinstance(event, Sample)]
    assert ran == [0, 0, 0, 0, 1, 1] * 3
    assert builds.folders.count("tiny-2/filling") == 1
    assert builds.folders.count("tiny-2/nbcache") == 1 + 3 * len(WITHOUT_COLD)


def test_the_tool_that_runs_nothing_is_asked_only_for_what_it_can(tmp_path: Path) -> None:
    events = _measure(_plan("nbcache", "stock-off"), tmp_path, PretendedBuilds())
    done = [scenario for _, scenario, tool in _done(events) if tool == "stock-off"]
    assert done == ["no-op", "warm"]


def test_what_ran_and_its_phases_stand_in_the_sample(tmp_path: Path) -> None:
    events = _measure(_plan("nbcache", only=["cold"]), tmp_path, PretendedBuilds())
    (cold,) = [event for event in events if isinstance(event, Sample)]
    assert [run.name for run in cold.runs] == ["notebook_0001", "notebook_0002"]
    assert cold.runs[0].phases == PHASES
    assert cold.runs[0].whole_s == pytest.approx(0.61)


def test_cold_crashes_of_parallel_stock_are_reported_and_retried(tmp_path: Path) -> None:
    builds = PretendedBuilds(lambda folder, seen: folder.startswith("round-") and seen <= 2)
    _, *events = _measure(_plan("stock-j2"), tmp_path, builds)
    assert [type(event) for event in events] == [Crash, Crash, Sample, Sample, Sample, Sample]
    case = Case(Site("tiny", 2), "cold", "stock-j2")
    assert events[1] == Crash(case, 1, 2, 2, "exit code 2", "a\nb")


def test_a_tool_that_never_gets_through_is_left_out_of_the_round(tmp_path: Path) -> None:
    builds = PretendedBuilds(lambda folder, _: folder == "round-1/stock-j2")
    events = _measure(_plan("stock-j2", "nbcache"), tmp_path, builds)
    crashes = [event for event in events if isinstance(event, Crash)]
    assert [crash.attempt for crash in crashes] == [1, 2, 3, 4, 5, 6]
    assert {tool for _, _, tool in _done(events)} == {"nbcache"}


@pytest.mark.parametrize("tool", ["stock", "nbcache", "nbcache-j2"])
def test_any_other_failure_ends_the_benchmark(tmp_path: Path, tool: str) -> None:
    builds = PretendedBuilds(lambda folder, _: folder.startswith("round-"))
    sentence = rf"cold build of 2 tiny by {tool} failed: exit code 2"
    with pytest.raises(BuildFailedError, match=sentence):
        _measure(_plan(tool), tmp_path, builds)
