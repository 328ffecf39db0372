"""Who waits for whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.pipeline import Source
from sphinx_nbcache.pipeline.ordering import (
    find_cycle,
    index_sources,
    learn_edges,
    resolve_after,
    take_out_cycles,
)
from sphinx_nbcache.store import Flow

SITE = Path("/site")
SOURCES = [
    Source("intro", SITE / "intro.md"),
    Source("a/prepare", SITE / "a/prepare.ipynb"),
    Source("a/fit", SITE / "a/fit.md"),
]
TABLE = index_sources(SOURCES)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("prepare", "a/prepare"),
        ("prepare.ipynb", "a/prepare"),
        ("./prepare", "a/prepare"),
        ("../intro", "intro"),
        ("/intro", "intro"),
        ("/a/prepare", "a/prepare"),
    ],
)
def test_a_notebook_is_named_as_links_name_it(name: str, found: str) -> None:
    assert resolve_after([name], SOURCES[2], TABLE, SITE) == ({found}, ())


def test_what_is_no_notebook_is_told() -> None:
    assert resolve_after(["intro", "prepare"], SOURCES[2], TABLE, SITE) == (
        {"a/prepare"},
        ("intro",),
    )


def test_cycles_are_found_and_taken_out() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"e"}}
    cycles = take_out_cycles(edges)
    assert sorted(map(sorted, cycles)) == [["a", "b", "c"], ["e"]]
    assert edges == {"d": {"a"}}


def flow(reads: str = "", writes: str = "") -> Flow:
    """Return what a notebook read and wrote, each name one letter."""
    return Flow(frozenset(reads), frozenset(writes))


def test_who_reads_waits_for_who_writes() -> None:
    flows = {"a": flow(writes="x"), "b": flow("x", "y"), "c": flow("yx")}
    assert learn_edges({}, flows) == {"b": {"a"}, "c": {"a", "b"}}


def test_nobody_waits_for_itself_or_in_a_circle() -> None:
    flows = {"a": flow("xy", "x"), "b": flow("x", "y")}
    assert learn_edges({}, flows) == {"a": {"b"}}


def test_what_is_declared_comes_before_what_is_learned() -> None:
    flows = {"a": flow("y", "x"), "b": flow("x", "y")}
    assert learn_edges({"b": {"a"}}, flows) == {"b": {"a"}}


def test_those_that_list_and_write_one_folder_do_not_wait_for_each_other() -> None:
    flows = {"a": flow("f", "fx"), "b": flow("f", "fy"), "c": flow("fx", "f"), "d": flow("f")}
    assert learn_edges({}, flows) == {"c": {"a"}, "d": {"a", "b", "c"}}


def test_a_cycle_over_others_is_not_learned() -> None:
    flows = {"a": flow("z", "x"), "b": flow("x", "y"), "c": flow("y", "z")}
    assert learn_edges({}, flows) == {"a": {"c"}, "b": {"a"}}
    declared = {"c": {"o"}, "o": {"b"}, "b": {"a"}}
    assert learn_edges(declared, flows) == {"c": {"o", "b"}, "o": {"b"}, "b": {"a"}}


def test_many_that_list_and_write_one_folder_do_not_wait_for_each_other() -> None:
    flows = {
        f"n{number}": Flow(frozenset({"out"}), frozenset({"out", f"out/{number}"}))
        for number in range(100)
    }
    assert learn_edges({}, flows) == {}


def test_many_that_read_each_others_files_are_put_in_an_order() -> None:
    flows = {
        f"n{number:03}": Flow(
            frozenset(f"out/{other}" for other in range(100) if other != number),
            frozenset({f"out/{number}"}),
        )
        for number in range(100)
    }
    edges = learn_edges({}, flows)
    assert find_cycle(edges) == []
    assert sum(map(len, edges.values())) == 100 * 99 / 2


names = st.text("abc", max_size=2)
flows = st.dictionaries(st.sampled_from("pqrst"), st.builds(flow, names, names))


@given(flows)
def test_learning_never_makes_a_cycle(found: dict[str, Flow]) -> None:
    assert find_cycle(learn_edges({}, found)) == []
