"""What is measured, in which order.

Each tool has a session per round: a tree, an output folder and a cache of its own. A
round takes the scenarios one after the other, and within a scenario the tools in turn,
so that a slow moment of the machine hits all of them.

- cold: empty output folder, empty cache.
- no-op: the same again, nothing changed.
- warm: an empty output folder, the cache of the cold build.
- edited: the output folder of the no-op build, one cell of one notebook changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.errors import BuildFailedError
from benchmarks.measure import measure
from benchmarks.samples import Crash, Sample, Usage
from benchmarks.tools import Tool, build_environment
from benchmarks.trees import Tree, edit_one, pages_without_output, write_tree

SCENARIOS = ("cold", "no-op", "warm", "edited")
# The builds that begin with an empty output folder, and so can be begun once more.
STARTS_AFRESH = ("cold", "warm")
WARM_UP_NOTEBOOKS = 2
LAST_LINES = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    kinds: Sequence[str]
    tools: Sequence[Tool]
    scenarios: Sequence[str]
    notebooks: int
    rounds: int
    keep: bool = False


@dataclass(slots=True)
class Session:
    """One tool at work on one tree."""

    folder: Path
    kind: str
    tool: Tool
    notebooks: int
    tree: Tree | None = None

    def build(self, scenario: str) -> Usage:
        """Prepare and run the build of a scenario, and check that its pages have outputs."""
        tree = self.tree = self._prepare(scenario)
        # The folder around the output is the scenario's too: MyST-NB writes there.
        output = self._surroundings(scenario) / "html"
        command = self.tool.command(tree.source, output, self.folder / "cache")
        run = measure(command, self.folder, build_environment())
        missing = pages_without_output(tree, output)
        if run.exit_code or missing:
            bad_exit = f"exit code {run.exit_code}"
            reason = bad_exit if run.exit_code else f"no outputs in {', '.join(missing)}"
            what = f"The {scenario} build of {self.kind} by {self.tool.name} failed"
            raise BuildFailedError(what, reason, run.exit_code, run.output)
        return run.usage

    def _surroundings(self, scenario: str) -> Path:
        return self.folder / ("built-again" if scenario == "warm" else "built")

    def _prepare(self, scenario: str) -> Tree:
        if scenario == "cold":
            # May be there from an attempt that failed, with half a cache in it.
            shutil.rmtree(self.folder, ignore_errors=True)
            source = self.folder / "source"
            return write_tree(source, self.kind, self.notebooks, self.tool.conf_py)
        if self.tree is None:
            raise RuntimeError("a session begins with the cold build")
        if scenario == "warm":
            shutil.rmtree(self._surroundings(scenario), ignore_errors=True)
        return edit_one(self.tree) if scenario == "edited" else self.tree


def measure_all(plan: Plan, folder: Path) -> Iterator[Sample | Crash]:
    """Run the whole plan inside a folder and yield what happens as it happens."""
    for kind in plan.kinds:
        _warm_up(plan, kind, folder / f"{kind}-warm-up")
        for number in range(1, plan.rounds + 1):
            round_folder = folder / f"{kind}-round-{number}"
            yield from _measure_round(plan, kind, number, round_folder)
            if not plan.keep:
                shutil.rmtree(round_folder, ignore_errors=True)


def _warm_up(plan: Plan, kind: str, folder: Path) -> None:
    # The first build ever compiles modules, fills the disk cache and makes the font
    # cache of matplotlib: without this the first tool of the first round would pay.
    for tool in {tool.conf: replace(tool, jobs=1) for tool in plan.tools}.values():
        Session(folder / tool.name, kind, tool, WARM_UP_NOTEBOOKS).build("cold")
    if not plan.keep:
        shutil.rmtree(folder, ignore_errors=True)


def _measure_round(plan: Plan, kind: str, number: int, folder: Path) -> Iterator[Sample | Crash]:
    sessions = [Session(folder / tool.name, kind, tool, plan.notebooks) for tool in plan.tools]
    for scenario in SCENARIOS:
        # All others go on from the cold build: it runs even if nobody asked for it.
        if scenario not in plan.scenarios and scenario != "cold":
            continue
        for session in list(sessions):
            succeeded = False
            for event in _attempts(session, scenario, number):
                succeeded = isinstance(event, Sample)
                if scenario in plan.scenarios:
                    yield event
            if not succeeded:
                sessions.remove(session)


def _attempts(session: Session, scenario: str, number: int) -> Iterator[Sample | Crash]:
    tool = session.tool
    where = (session.kind, scenario, tool.name, number)
    attempts = tool.attempts if scenario in STARTS_AFRESH else 1
    for attempt in range(1, attempts + 1):
        try:
            usage = session.build(scenario)
        except BuildFailedError as failure:
            if attempts == 1:
                raise
            last_lines = "\n".join(failure.output.splitlines()[-LAST_LINES:])
            yield Crash(*where, attempt, failure.exit_code, failure.reason, last_lines)
        else:
            yield Sample(*where, usage)
            return
