"""What is measured, in which order.

Each tool has a session on a site. A round takes the scenarios one after the other, and
within a scenario the tools in turn, so that a slow moment of the machine hits all of
them. With ``cold``, every round begins anew with that build. Without, each cache is
filled once, from one unmeasured build of ours, and all rounds go on from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.errors import BuildFailedError
from benchmarks.floor import measure_floor
from benchmarks.measure import Measure, measure
from benchmarks.samples import Case, Crash, Event, Sample, Site
from benchmarks.sessions import SCENARIOS, Session
from benchmarks.tools import FILLING_TOOL, Tool

# The builds that begin with an empty output folder, and so can be begun once more.
STARTS_AFRESH = ("cold", "warm")
# What a tool can be asked for that runs no notebook.
WITHOUT_RUNNING = ("no-op", "warm")
WARM_UP_NOTEBOOKS = 2
LAST_LINES = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    sites: Sequence[Site]
    tools: Sequence[Tool]
    scenarios: Sequence[str]
    rounds: int
    keep: bool = False


def measure_all(plan: Plan, folder: Path, measure: Measure = measure) -> Iterator[Event]:
    """Run the whole plan inside a folder and yield what happens as it happens."""
    rounds = _rounds_from_cold if "cold" in plan.scenarios else _rounds_from_full
    for kind in dict.fromkeys(site.kind for site in plan.sites):
        _warm_up(plan, kind, folder / f"{kind}-warm-up", measure)
        for site in plan.sites:
            if site.kind == kind:
                site_folder = folder / f"{kind}-{site.notebooks}"
                yield from rounds(plan, site, site_folder, measure)


def _warm_up(plan: Plan, kind: str, folder: Path, measure: Measure) -> None:
    # The first build ever compiles modules, fills the disk cache and makes the font
    # cache of matplotlib: without this the first tool of the first round would pay.
    tools = {tool.conf: replace(tool, jobs=1) for tool in plan.tools if tool.executes}
    for tool in tools.values():
        site = Site(kind, WARM_UP_NOTEBOOKS)
        Session(folder / tool.name, site, tool, measure).build("cold")
    _throw_away(plan, folder)


def _rounds_from_cold(plan: Plan, site: Site, folder: Path, measure: Measure) -> Iterator[Event]:
    yield measure_floor(site)
    for number in range(1, plan.rounds + 1):
        round_folder = folder / f"round-{number}"
        sessions = _sessions(plan, site, round_folder, measure)
        yield from _measure_scenario(sessions, "cold", number)
        if set(plan.scenarios) & set(WITHOUT_RUNNING):
            _fill([session for session in sessions if not session.tool.executes], sessions)
        yield from _measure_others(plan, sessions, number)
        _throw_away(plan, round_folder)


def _rounds_from_full(plan: Plan, site: Site, folder: Path, measure: Measure) -> Iterator[Event]:
    sessions = _sessions(plan, site, folder, measure)
    _fill(sessions, [])
    for number in range(1, plan.rounds + 1):
        yield from _measure_others(plan, sessions, number)
    _throw_away(plan, folder)


def _sessions(plan: Plan, site: Site, folder: Path, measure: Measure) -> list[Session]:
    return [Session(folder / tool.name, site, tool, measure) for tool in plan.tools]


def _fill(waiting: Sequence[Session], built: Sequence[Session]) -> None:
    """Let sessions begin with the outputs of one that has built, or of one made for it."""
    if not waiting:
        return
    donor = next((session for session in built if session.tool.executes), None)
    if donor is None:
        first = waiting[0]
        folder = first.folder.parent / "filling"
        donor = Session(folder, first.site, FILLING_TOOL, first.measure)
        donor.build("cold")
    for session in waiting:
        session.take_over(donor)


def _measure_others(plan: Plan, sessions: list[Session], number: int) -> Iterator[Event]:
    for scenario in SCENARIOS:
        if scenario in plan.scenarios and scenario != "cold":
            yield from _measure_scenario(sessions, scenario, number)


def _measure_scenario(sessions: list[Session], scenario: str, number: int) -> Iterator[Event]:
    """Measure each session that can; those that never get through are taken out."""
    for session in list(sessions):
        if not session.tool.executes and scenario not in WITHOUT_RUNNING:
            continue
        succeeded = False
        for event in _attempts(session, scenario, number):
            succeeded = isinstance(event, Sample)
            yield event
        if not succeeded:
            sessions.remove(session)


def _attempts(session: Session, scenario: str, number: int) -> Iterator[Sample | Crash]:
    case = Case(session.site, scenario, session.tool.name)
    attempts = session.tool.attempts if scenario in STARTS_AFRESH else 1
    for attempt in range(1, attempts + 1):
        try:
            built = session.build(scenario)
        except BuildFailedError as failure:
            if attempts == 1:
                raise
            last_lines = "\n".join(failure.output.splitlines()[-LAST_LINES:])
            yield Crash(case, number, attempt, failure.exit_code, failure.reason, last_lines)
        else:
            yield Sample(case, number, built.usage, built.runs)
            return


def _throw_away(plan: Plan, folder: Path) -> None:
    if not plan.keep:
        shutil.rmtree(folder, ignore_errors=True)
