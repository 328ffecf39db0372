"""Which notebook has to wait for which: declared, and learned from what they read and wrote.

Pure. Edges go from a name to the names that have to end before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from itertools import compress
from operator import or_
from pathlib import Path, PurePosixPath

from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.store import Flow

Edges = dict[str, set[str]]


def index_sources(sources: Iterable[Source]) -> dict[str, str]:
    """Return the names of sources by their paths, with and without ending."""
    by_path: dict[str, str] = {}
    for source in sources:
        by_path[source.path.as_posix()] = source.name
        by_path[source.path.with_suffix("").as_posix()] = source.name
    return by_path


def resolve_after(
    wanted: Iterable[str], source: Source, table: Mapping[str, str], folder: Path
) -> tuple[set[str], tuple[str, ...]]:
    """Return the sources that a notebook names as those before it, and the names of none.

    :param wanted: paths without or with ending, relative to the notebook's folder; from
        ``folder``, that of ``conf.py``, where they begin with a slash.
    :param table: all sources there are, as ``index_sources`` gives them.
    """
    found, unknown = set(), []
    for name in wanted:
        start = folder if name.startswith("/") else source.path.parent
        path = PurePosixPath(_normalise(start / name.lstrip("/")))
        other_name = table.get(path.as_posix())
        if other_name is None:
            unknown.append(name)
        else:
            found.add(other_name)
    return found, tuple(unknown)


def _normalise(path: Path) -> str:
    return Path(os.path.normpath(path)).as_posix()


def find_cycle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names of one cycle, each once, in the order of waiting; empty if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        cycle = list(error.args[1][:-1])
        first = cycle.index(min(cycle))  # the same in each build, or its message is another one
        return cycle[first:] + cycle[:first]
    return []


def take_out_cycles(edges: Edges) -> list[list[str]]:
    """Return all cycles, and remove their names from the edges."""
    cycles = []
    while cycle := find_cycle(edges):
        cycles.append(cycle)
        for name in cycle:
            del edges[name]
    return cycles


def learn_edges(declared: Edges, flows: Mapping[str, Flow]) -> Edges:
    """Return the declared edges, and those that reading and writing add without a cycle.

    A notebook waits for those that write what it reads, unless it writes that itself: those
    that add to one file or folder do not need each other.

    :param flows: name to what its last run read and wrote.
    """
    edges: Edges = {name: set(before) for name, before in declared.items()}
    names = sorted({*flows, *edges, *(name for before in edges.values() for name in before)})
    order = _Order(names)
    for name, before in edges.items():
        order.add(name, order.pack(before))
    writers: dict[str, int] = {}
    for name, flow in flows.items():
        for path in flow.writes:
            writers[path] = writers.get(path, 0) | order.bits[name]
    for name in sorted(flows):
        found = 0
        for path in flows[name].reads - flows[name].writes:
            found |= writers.get(path, 0)
        if found and (added := order.add(name, found)):
            edges.setdefault(name, set()).update(order.unpack(added))
    return edges


class _Order:
    """Who waits for whom, however many are between: sets of names as bits of a number.

    Some hundred notebooks that share a folder have a hundred thousand edges; so no
    edge is looked at alone.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.bits = {name: 1 << position for position, name in enumerate(names)}
        self._before = dict.fromkeys(names, 0)

    def pack(self, names: Iterable[str]) -> int:
        """Return a set of names as a number."""
        return reduce(or_, map(self.bits.__getitem__, names), 0)

    def unpack(self, packed: int) -> Iterable[str]:
        """Return the names of a set."""
        return compress(self.bits, map("1".__eq__, bin(packed)[:1:-1]))

    def add(self, name: str, wanted: int) -> int:
        """Let a notebook wait for those of a set that do not wait for it; return them."""
        bit = self.bits[name]
        behind = [other for other, before in self._before.items() if before & bit]
        added = wanted & ~(bit | self.pack(behind))
        if more := added & ~self._before[name]:
            closure = reduce(or_, map(self._before.__getitem__, self.unpack(more)), added)
            for other in (name, *behind):
                self._before[other] |= closure
        return added
