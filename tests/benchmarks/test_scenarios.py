"""Order, retries and failures, with canned builds in place of Sphinx."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks import scenarios
from benchmarks.errors import BuildFailedError
from benchmarks.measure import Run
from benchmarks.samples import Crash, Sample, Usage
from benchmarks.scenarios import SCENARIOS, Plan, measure_all
from benchmarks.tools import TOOLS
from benchmarks.trees import Tree

Fails = Callable[[str, int], bool]


class CannedBuilds:
    """Stands in for ``measure``: notes each build and fails when told to."""

    def __init__(self, fails: Fails) -> None:
        self.fails = fails
        self.folders: list[str] = []

    def __call__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
        self.folders.append(f"{folder.parent.name}/{folder.name}")
        seen = self.folders.count(self.folders[-1])
        exit_code = 2 if self.fails(self.folders[-1], seen) else 0
        return Run(exit_code, "a\nb\n", Usage(1.0, 1.0, 1.0))


Canned = Callable[[Fails], CannedBuilds]


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> Canned:
    def install(fails: Fails) -> CannedBuilds:
        builds = CannedBuilds(fails)
        monkeypatch.setattr(scenarios, "measure", builds)
        monkeypatch.setattr(scenarios, "pages_without_output", _nothing_missing)
        return builds

    return install


def _nothing_missing(tree: Tree, output: Path) -> tuple[str, ...]:
    return ()


def _plan(*tools: str, rounds: int = 1, only: Sequence[str] = SCENARIOS) -> Plan:
    return Plan(["tiny"], [TOOLS[tool] for tool in tools], only, notebooks=2, rounds=rounds)


def _never(folder: str, seen: int) -> bool:
    return False


def test_tools_take_turns_within_each_scenario(tmp_path: Path, canned: Canned) -> None:
    canned(_never)
    events = list(measure_all(_plan("stock", "nbcache", rounds=2), tmp_path))
    assert [(event.round, event.scenario, event.tool) for event in events] == [
        (number, scenario, tool)
        for number in (1, 2)
        for scenario in SCENARIOS
        for tool in ("stock", "nbcache")
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_cold_build_runs_unreported_when_not_asked_for(tmp_path: Path, canned: Canned) -> None:
    builds = canned(_never)
    events = list(measure_all(_plan("stock", only=["warm"]), tmp_path))
    assert [event.scenario for event in events] == ["warm"]
    assert builds.folders == ["tiny-warm-up/stock", *["tiny-round-1/stock"] * 2]


def test_cold_crashes_of_parallel_stock_are_reported_and_retried(
    tmp_path: Path, canned: Canned
) -> None:
    canned(lambda folder, seen: folder.startswith("tiny-round") and seen <= 2)
    events = list(measure_all(_plan("stock-j2"), tmp_path))
    assert [type(event) for event in events] == [Crash, Crash, Sample, Sample, Sample, Sample]
    assert events[1] == Crash("tiny", "cold", "stock-j2", 1, 2, 2, "exit code 2", "a\nb")


def test_a_tool_that_never_gets_through_is_left_out_of_the_round(
    tmp_path: Path, canned: Canned
) -> None:
    canned(lambda folder, _: folder == "tiny-round-1/stock-j2")
    events = list(measure_all(_plan("stock-j2", "nbcache"), tmp_path))
    crashes = [event for event in events if isinstance(event, Crash)]
    assert [crash.attempt for crash in crashes] == [1, 2, 3, 4, 5, 6]
    assert {event.tool for event in events if isinstance(event, Sample)} == {"nbcache"}


@pytest.mark.parametrize("tool", ["stock", "nbcache", "nbcache-j2"])
def test_any_other_failure_ends_the_benchmark(tmp_path: Path, canned: Canned, tool: str) -> None:
    canned(lambda folder, _: folder.startswith("tiny-round"))
    with pytest.raises(
        BuildFailedError, match=rf"cold build of tiny by {tool} failed: exit code 2"
    ):
        list(measure_all(_plan(tool), tmp_path))


def test_pages_without_outputs_are_a_failure(
    tmp_path: Path, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    canned(_never)
    monkeypatch.setattr(scenarios, "pages_without_output", lambda *_: ("notebook_0002",))
    with pytest.raises(BuildFailedError, match="no outputs in notebook_0002"):
        list(measure_all(_plan("nbcache"), tmp_path))
