"""Whether inputs still hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.keys import find_changes
from sphinx_nbcache.model import Input, Inputs

inputs = st.lists(
    st.builds(Input, st.sampled_from(["file", "package"]), st.text(), st.text()),
    unique_by=lambda item: (item.kind, item.name),
)


@given(inputs)
def test_inputs_that_are_as_they_were_hold(items: list[Input]) -> None:
    now = {(item.kind, item.name): item.digest for item in items}
    assert find_changes(Inputs(tuple(items)), now) == ()


@given(inputs)
def test_inputs_that_cannot_be_observed_have_changed(items: list[Input]) -> None:
    assert find_changes(Inputs(tuple(items)), {}) == tuple(items)


def test_only_what_changed_is_named() -> None:
    same, other = Input("file", "a.csv", "1"), Input("file", "b.csv", "2")
    now = {("file", "a.csv"): "1", ("file", "b.csv"): "3", ("package", "b.csv"): "2"}
    assert find_changes(Inputs((same, other)), now) == (other,)
