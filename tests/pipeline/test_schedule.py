"""Which notebook may start next: rules that hold for every mixture of demands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.model import Demands
from sphinx_nbcache.pipeline.schedule import Schedule

ALONE = Demands(is_exclusive=True)
GPU = Demands(resources=("gpu",))
BOTH = Demands(resources=("gpu", "licence"))
LICENCE = Demands(resources=("licence",))
ANY = Demands()


class Flight(NamedTuple):
    """A notebook that starts and ends in a simulated build."""

    demands: Demands
    seconds: int


names = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3).map(tuple)
demands = st.builds(Demands, is_exclusive=st.booleans(), resources=names)
flights = st.lists(st.builds(Flight, demands, st.integers(1, 9)), max_size=12)
schedules = st.builds(
    Schedule,
    st.integers(1, 4),
    st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 3)).map(lambda d: tuple(d.items())),
)


def simulate(schedule: Schedule, waiting: Iterable[Flight]) -> Iterator[tuple[int, list[Flight]]]:
    """Yield what flies, and for how long, from start to end of a build."""
    waiting = list(waiting)
    ends: list[tuple[int, Flight]] = []
    now = 0
    while waiting or ends:
        while True:
            flying = [flight.demands for _, flight in ends]
            position = schedule.choose((flight.demands for flight in waiting), flying)
            if position is None:
                break
            flight = waiting.pop(position)
            ends.append((now + flight.seconds, flight))
        for flight in waiting:
            assert has_to_wait(schedule, flight.demands, flying)
        assert ends, "all wait, and nothing flies that they could wait for"
        soon = min(end for end, _ in ends)
        yield soon - now, [flight for _, flight in ends]
        now, ends = soon, [(end, flight) for end, flight in ends if end > soon]


def has_to_wait(schedule: Schedule, demands: Demands, flying: list[Demands]) -> bool:
    """Return whether there is a reason to wait, found in another way than in the schedule."""
    capacities = dict(schedule.capacities)
    holders = {name: [f for f in flying if name in f.resources] for name in demands.resources}
    return (
        len(flying) == schedule.slots
        or any(f.is_exclusive for f in flying)
        or (demands.is_exclusive and bool(flying))
        or any(len(found) >= capacities.get(name, 1) for name, found in holders.items())
    )


def order(schedule: Schedule, flights: list[Flight]) -> list[Flight]:
    """Return flights in the order of their rank."""
    return sorted(flights, key=lambda flight: schedule.rank(flight.demands, flight.seconds))


@given(schedules, flights)
def test_no_capacity_is_ever_exceeded_and_everything_runs_once(
    schedule: Schedule, flights: list[Flight]
) -> None:
    """In whatever order they wait; nothing that could start waits either."""
    flown = 0
    for seconds, flying in simulate(schedule, flights):
        taken = Counter(name for flight in flying for name in flight.demands.resources)
        assert len(flying) <= schedule.slots
        assert all(number <= dict(schedule.capacities).get(n, 1) for n, number in taken.items())
        assert len(flying) == 1 or not any(flight.demands.is_exclusive for flight in flying)
        flown += seconds * len(flying)
    assert flown == sum(flight.seconds for flight in flights)


@given(schedules, flights)
def test_what_runs_alone_costs_its_own_time_and_no_more(
    schedule: Schedule, flights: list[Flight]
) -> None:
    """In the order of rank no core runs empty because the others have to end first."""

    def measure(flights: list[Flight]) -> int:
        return sum(seconds for seconds, _ in simulate(schedule, order(schedule, flights)))

    alone = [flight for flight in flights if flight.demands.is_exclusive]
    others = [flight for flight in flights if not flight.demands.is_exclusive]
    assert measure(flights) == sum(flight.seconds for flight in alone) + measure(others)


@pytest.mark.parametrize(
    ("waiting", "flying", "position"),
    [
        ([ANY, ANY], [], 0),
        ([], [ANY], None),
        ([ANY], [ANY, ANY, ANY], None),
        ([GPU, ANY], [GPU], 1),
        ([GPU, LICENCE], [GPU], 1),
        ([BOTH, LICENCE], [GPU], 1),
        ([BOTH, GPU], [LICENCE], 1),
        ([ALONE, ANY], [], 0),
        ([ALONE, ANY], [ANY], 1),
        ([ALONE], [ANY], None),
        ([ANY], [ALONE], None),
    ],
)
def test_what_must_wait_is_overtaken(
    waiting: list[Demands], flying: list[Demands], position: int | None
) -> None:
    assert Schedule(3).choose(waiting, flying) == position


def test_a_resource_is_held_by_as_many_as_its_capacity_says() -> None:
    schedule = Schedule(9, (("gpu", 2),))
    assert schedule.choose([GPU], [GPU]) == 0
    assert schedule.choose([GPU], [GPU, GPU]) is None
    assert schedule.choose([LICENCE], [LICENCE]) is None


def test_unknown_comes_before_the_longest_and_what_runs_alone_before_all() -> None:
    rank = Schedule(2).rank
    times = [(ANY, 1.0), (ALONE, 2.0), (ANY, None), (GPU, 5.0), (ALONE, None), (ALONE, 3.0)]
    assert sorted(times, key=lambda item: rank(*item)) == [
        (ALONE, None), (ALONE, 3.0), (ALONE, 2.0), (ANY, None), (GPU, 5.0), (ANY, 1.0),
    ]  # fmt: skip
