"""Which notebook has to wait for which: declared, and learned from what they read and wrote.

Pure. Edges go from a name to the names that have to end before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.store import Flow

Edges = dict[str, set[str]]


def resolve_after(
    wanted: Iterable[str], source: Source, sources: Iterable[Source], folder: Path
) -> tuple[set[str], tuple[str, ...]]:
    """Return the sources that a notebook names as those before it, and the names of none.

    :param wanted: paths without or with ending, relative to the notebook's folder; from
        ``folder``, that of ``conf.py``, where they begin with a slash.
    :param sources: all there are.
    """
    by_path: dict[str, str] = {}
    for other in sources:
        by_path[other.path.as_posix()] = other.name
        by_path[other.path.with_suffix("").as_posix()] = other.name
    found, unknown = set(), []
    for name in wanted:
        start = folder if name.startswith("/") else source.path.parent
        path = PurePosixPath(_normalise(start / name.lstrip("/")))
        other_name = by_path.get(path.as_posix())
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

    :param flows: name to what its last run read and wrote.
    """
    edges: Edges = {name: set(before) for name, before in declared.items()}
    for reader, writer in _find_pairs(flows):
        if not _waits_for(writer, reader, edges):
            edges.setdefault(reader, set()).add(writer)
    return edges


def _find_pairs(flows: Mapping[str, Flow]) -> Iterator[tuple[str, str]]:
    """Yield pairs of which the first reads what the second writes."""
    writers: dict[str, list[str]] = {}
    for name in sorted(flows):
        for path in flows[name].writes:
            writers.setdefault(path, []).append(name)
    for name in sorted(flows):
        found = {writer for path in flows[name].reads for writer in writers.get(path, ())}
        yield from ((name, writer) for writer in sorted(found - {name}))


def _waits_for(name: str, other: str, edges: Edges) -> bool:
    """Return whether a notebook waits for another, however many are between."""
    seen, todo = {name}, [name]
    while todo:
        for before in edges.get(todo.pop(), ()):
            if before == other:
                return True
            if before not in seen:
                seen.add(before)
                todo.append(before)
    return False
