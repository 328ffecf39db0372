"""In which order notebooks start, and which may start now. Pure: nothing starts here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sphinx_nbcache.model import Demands


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rules by which notebooks share one build."""

    slots: int
    """How many may run at once."""
    capacities: tuple[tuple[str, int], ...] = ()
    """How many may hold a resource at once; one, for a name that is not listed."""

    def rank(self, demands: Demands, seconds: float | None) -> tuple[bool, float]:
        """Return the place of a notebook in the order; the least starts first.

        What takes long comes first, and what is not known before that. What runs alone
        comes before all: nothing flies yet, so no core has to run empty for it. At any
        later time the others would have to end first.

        :param seconds: how long it took last time; None where that is not known.
        """
        return not demands.is_exclusive, float("-inf") if seconds is None else -seconds

    def choose(self, waiting: Iterable[Demands], flying: Collection[Demands]) -> int | None:
        """Return the position of the first that may start; None when all have to wait.

        What must wait is overtaken and keeps its place. Nothing waits for ever: with
        nothing flying the first may always start, and no build has notebooks without end.
        """
        if len(flying) >= self.slots or any(demands.is_exclusive for demands in flying):
            return None
        taken = Counter(name for demands in flying for name in demands.resources)
        full = {name for name, number in taken.items() if number >= self._find_capacity(name)}
        for position, demands in enumerate(waiting):
            is_in_the_way = demands.is_exclusive and flying
            if not is_in_the_way and full.isdisjoint(demands.resources):
                return position
        return None

    def _find_capacity(self, name: str) -> int:
        return dict(self.capacities).get(name, 1)
