"""What differs between two questions."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.keys import explain, make_question
from sphinx_nbcache.testing import Cell, code_cell, make_notebook


def ask(*cells: Cell, kernel: str = "python3", **settings: Any) -> bytes:
    """Return the question of a notebook."""
    settings = {"working_directory": "docs", **settings}
    return make_question(make_notebook(*cells), kernel=kernel, **settings)


def texts(before: bytes, now: bytes) -> list[str]:
    """Return what differs, in words."""
    return [difference.text for difference in explain(before, now)]


def test_the_same_question_differs_in_nothing() -> None:
    assert explain(ask("a", "b"), ask("a", "b")) == ()


def test_a_changed_cell_is_named_with_its_lines() -> None:
    (difference,) = explain(
        ask("a = 1", "b = 2\nc = 3\nd = 4"), ask("a = 1", "b = 2\nc = 5\nd = 4")
    )
    assert difference.text == "cell 2 changed"
    assert "-c = 3" in difference.diff.splitlines()
    assert "+c = 5" in difference.diff.splitlines()


def test_a_long_difference_is_cut_short() -> None:
    before, now = ("\n".join(f"{name}{n}" for n in range(100)) for name in "ab")
    (difference,) = explain(ask(before), ask(now))
    assert len(difference.diff.splitlines()) == 13
    assert difference.diff.endswith("more lines")


def test_cells_that_came_and_went_are_named() -> None:
    assert texts(ask("a", "b"), ask("a", "new", "b")) == ["cell 2 added"]
    assert texts(ask("a", "b", "c"), ask("a", "c")) == ["cell 2 removed"]
    assert texts(ask("a", "b"), ask("b", "a")) != []


def test_tags_kernel_folder_and_errors_are_named() -> None:
    skipped = code_cell("a", tags=["skip-execution"])
    assert texts(ask("a"), ask(skipped)) == ["tags of cell 1: none -> skip-execution"]
    assert texts(ask("a"), ask("a", kernel="ir")) == ["kernel python3 -> ir"]
    assert texts(ask("a"), ask("a", working_directory="book")) == ["working directory docs -> book"]
    assert texts(ask("a"), ask("a", working_directory=None)) == [
        "working directory docs -> a temporary one"
    ]
    assert texts(ask("a"), ask("a", allow_errors=True)) == ["allow-errors False -> True"]


def test_what_is_no_question_differs_in_nothing_that_can_be_told() -> None:
    for data in (b"", b"{}", b"[1]", b"null", b"\xff"):
        assert explain(data, ask("a")) == ()


cells = st.lists(st.sampled_from(["a", "b", "c\nd", "e"]), min_size=1, max_size=6)


@given(cells, cells)
def test_questions_differ_in_something_or_are_the_same(first: list[str], second: list[str]) -> None:
    assert bool(explain(ask(*first), ask(*second))) == (first != second)
