"""What a key depends on, and what it does not."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sphinx_nbcache.keys import EXECUTION_TAGS, compute_key, make_question, normalise_source
from sphinx_nbcache.model import Key, Notebook
from sphinx_nbcache.testing import code_cell, make_notebook, markdown_cell
from tests.keys.strategies import (
    code_cells,
    extra_metadata,
    json_values,
    notebooks,
    other_tags,
    silent_cells,
    sources,
)

Cells = list[dict[str, Any]]


def key_of(cells: Cells, **changes: Any) -> Key:
    """Return the key of a notebook with these cells, all else being equal."""
    asked = {"kernel": "python3", "working_directory": "docs", **changes}
    return compute_key(make_question(make_notebook(*cells), **asked))


def is_code(cell: dict[str, Any]) -> bool:
    """Return whether a cell has code in it."""
    return cell["cell_type"] == "code" and bool(cell["source"].strip())


def code_positions(cells: Cells) -> list[int]:
    """Return where the cells with code stand."""
    return [position for position, cell in enumerate(cells) if is_code(cell)]


@given(notebooks())
def test_outputs_counts_and_ids_do_not_change_it(cells: Cells) -> None:
    run = copy.deepcopy(cells)
    for number, cell in enumerate(run):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    assert key_of(run) == key_of(cells)


@given(notebooks(), st.lists(other_tags, max_size=3))
def test_tags_that_only_change_how_a_cell_is_shown_do_not_change_it(
    cells: Cells, tags: list[str]
) -> None:
    shown = copy.deepcopy(cells)
    for cell in shown:
        cell["metadata"]["tags"] = [*tags, *cell["metadata"].get("tags", ())]
    assert key_of(shown) == key_of(cells)


@given(notebooks(), extra_metadata)
def test_other_metadata_of_cells_does_not_change_it(cells: Cells, extra: dict[str, Any]) -> None:
    changed = [{**cell, "metadata": {**extra, **cell["metadata"]}} for cell in cells]
    assert key_of(changed) == key_of(cells)


@given(notebooks(), extra_metadata)
def test_metadata_of_the_notebook_does_not_change_it(cells: Cells, extra: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"kernel": "python3", "working_directory": "."}
    plain = compute_key(make_question(make_notebook(*cells, kernel=None), **asked))
    assert compute_key(make_question(make_notebook(*cells, metadata=extra), **asked)) == plain


@given(notebooks(), silent_cells, st.randoms(use_true_random=False))
def test_inserting_text_does_not_change_it(
    cells: Cells, text: dict[str, Any], rng: random.Random
) -> None:
    longer = [*cells]
    longer.insert(rng.randint(0, len(cells)), text)
    assert key_of(longer) == key_of(cells)


@given(notebooks(), st.text(max_size=10))
def test_editing_text_does_not_change_it(cells: Cells, text: str) -> None:
    edited = [cell if cell["cell_type"] == "code" else {**cell, "source": text} for cell in cells]
    assert key_of(edited) == key_of(cells)


@given(notebooks(), st.text(" \t\n"), st.randoms(use_true_random=False))
def test_an_empty_code_cell_does_not_change_it(
    cells: Cells, blank: str, rng: random.Random
) -> None:
    longer = [*cells]
    longer.insert(rng.randint(0, len(cells)), code_cell(blank))
    assert key_of(longer) == key_of(cells)


@given(notebooks(), st.lists(st.text(" \t"), min_size=1).map("\n".join))
def test_blank_lines_at_the_end_of_a_cell_do_not_change_it(cells: Cells, blank: str) -> None:
    longer = [{**cell, "source": cell["source"] + "\n" + blank} for cell in cells]
    assert key_of(longer) == key_of(cells)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@given(cells=notebooks(sources.map(lambda text: text.replace("\r", ""))))
def test_the_kind_of_line_ends_does_not_change_it(end: str, cells: Cells) -> None:
    changed = [{**cell, "source": cell["source"].replace("\n", end)} for cell in cells]
    assert key_of(changed) == key_of(cells)


@given(st.text(max_size=8), st.text(max_size=8))
def test_how_the_kernel_is_called_for_people_does_not_change_it(label: str, language: str) -> None:
    spec = {"name": "python3", "display_name": label, "language": language}
    asked: dict[str, Any] = {"kernel": "python3", "working_directory": "."}
    labelled = compute_key(
        make_question(make_notebook("x = 1", metadata={"kernelspec": spec}), **asked)
    )
    assert labelled == compute_key(make_question(make_notebook("x = 1"), **asked))


@given(notebooks())
def test_the_name_of_the_file_does_not_change_it(cells: Cells) -> None:
    asked: dict[str, Any] = {"kernel": "python3", "working_directory": "."}
    content = make_notebook(*cells).content
    keys = {
        compute_key(make_question(Notebook(path, content), **asked))
        for path in (Path("a.ipynb"), Path("other/b.md"), Path("/c.py"))
    }
    assert len(keys) == 1


@given(notebooks())
def test_computing_it_changes_nothing_in_the_notebook(cells: Cells) -> None:
    before = copy.deepcopy(cells)
    key_of(cells)
    assert cells == before


def test_it_is_the_same_in_every_process_and_version() -> None:
    """A key that changes by accident would make every cache stale: this one is written down."""
    cells = [code_cell("x = 1\n", tags=["parameters", "hide-input"]), markdown_cell("text")]
    key = key_of([*cells, code_cell("print(x)")], allow_errors=True, parameters={"x": 2})
    assert key == "99b75d6f5f3e4c021a60db622fcd96947f2de12a77bad1376ab69417c8cde8e8"


@given(notebooks(), sources, st.data())
def test_editing_the_code_of_a_cell_changes_it(
    cells: Cells, code: str, data: st.DataObject
) -> None:
    positions = code_positions(cells)
    assume(positions)
    at = data.draw(st.sampled_from(positions))
    assume(normalise_source(code) != normalise_source(cells[at]["source"]))
    edited = [*cells]
    edited[at] = {**cells[at], "source": code}
    assert key_of(edited) != key_of(cells)


@given(notebooks(), st.characters(exclude_categories=["Z", "Cc"]), st.data())
def test_one_character_more_anywhere_changes_it(
    cells: Cells, character: str, data: st.DataObject
) -> None:
    positions = code_positions(cells)
    assume(positions)
    at = data.draw(st.sampled_from(positions))
    source = cells[at]["source"]
    where = data.draw(st.integers(0, len(source)))
    edited = [*cells]
    edited[at] = {**cells[at], "source": source[:where] + character + source[where:]}
    assert key_of(edited) != key_of(cells)


@given(st.lists(code_cells(), min_size=2, max_size=5), st.data())
def test_exchanging_two_different_code_cells_changes_it(cells: Cells, data: st.DataObject) -> None:
    positions = code_positions(cells)
    assume(len(positions) > 1)
    a, b = data.draw(st.lists(st.sampled_from(positions), min_size=2, max_size=2, unique=True))
    assume(key_of([cells[a]]) != key_of([cells[b]]))
    exchanged = [*cells]
    exchanged[a], exchanged[b] = cells[b], cells[a]
    assert key_of(exchanged) != key_of(cells)


@given(notebooks(), st.data())
def test_removing_a_code_cell_changes_it(cells: Cells, data: st.DataObject) -> None:
    positions = code_positions(cells)
    assume(positions)
    at = data.draw(st.sampled_from(positions))
    assert key_of(cells[:at] + cells[at + 1 :]) != key_of(cells)


@given(notebooks(), st.sampled_from(sorted(EXECUTION_TAGS)), st.data())
def test_a_tag_that_changes_execution_changes_it(
    cells: Cells, tag: str, data: st.DataObject
) -> None:
    positions = code_positions(cells)
    assume(positions)
    at = data.draw(st.sampled_from(positions))
    tags = set(cells[at]["metadata"].get("tags", ())) ^ {tag}
    tagged = [*cells]
    tagged[at] = {**cells[at], "metadata": {"tags": sorted(tags)}}
    assert key_of(tagged) != key_of(cells)


@given(notebooks())
def test_every_other_way_of_running_it_changes_it(cells: Cells) -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"kernel": "ir"},
        {"working_directory": "docs/other"},
        {"working_directory": None},
        {"working_directory": "None"},
        {"allow_errors": True},
        {"parameters": {"x": 1}},
        {"parameters": {"x": 2}},
        {"parameters": {"x": "1"}},
        {"parameters": {"y": 1}},
    ]
    keys = [key_of(cells, **way) for way in ways]
    assert len(set(keys)) == len(ways)


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=4))
def test_the_order_of_parameters_does_not_change_it(parameters: dict[str, Any]) -> None:
    backwards = dict(reversed(parameters.items()))
    cells = [code_cell("x")]
    assert key_of(cells, parameters=parameters) == key_of(cells, parameters=backwards)


@given(sources)
def test_normalising_code_twice_is_normalising_it_once(source: str) -> None:
    once = normalise_source(source)
    assert normalise_source(once) == once
