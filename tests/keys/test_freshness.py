"""Whether inputs still hold."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.keys import find_changes
from sphinx_nbcache.model import Change, Input

items = st.builds(Input, st.sampled_from(["file", "package"]), st.text(), st.text())
inputs = st.lists(items, unique_by=lambda item: (item.kind, item.name))


def find(found: list[Input], now: Mapping[tuple[str, str], str]) -> tuple[Change, ...]:
    """Return what changed, given what is known of now."""
    return find_changes(found, lambda item: now.get((item.kind, item.name)))


@given(inputs)
def test_inputs_that_are_as_they_were_hold(found: list[Input]) -> None:
    now = {(item.kind, item.name): item.digest for item in found}
    assert find(found, now) == ()


@given(inputs)
def test_what_cannot_be_told_holds(found: list[Input]) -> None:
    assert find(found, {}) == ()


def test_only_what_changed_is_named_with_what_it_is_now() -> None:
    same, other = Input("file", "a.csv", "1"), Input("file", "b.csv", "2")
    now = {("file", "a.csv"): "1", ("file", "b.csv"): "3", ("package", "b.csv"): "2"}
    assert find([same, other], now) == (Change(other, "3"),)
