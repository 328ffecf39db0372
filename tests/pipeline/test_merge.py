"""Outputs into a notebook: the text as it is now, the outputs as they were."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import nbformat
import pytest

from sphinx_nbcache.model import CellOutputs, Outputs
from sphinx_nbcache.pipeline import merge_outputs
from sphinx_nbcache.testing import Cell, code_cell, make_notebook, markdown_cell


def stream(text: str) -> dict[str, Any]:
    """Return an output that was printed."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def merge(*cells: Cell, outputs: Outputs) -> Any:
    """Return a merged notebook, which was read with nbformat as all readers do."""
    notebook = make_notebook(*cells)
    content = nbformat.from_dict(dict(notebook.content))
    return merge_outputs(replace(notebook, content=content), outputs)


def test_cells_get_the_outputs_and_counts_of_the_run() -> None:
    outputs = Outputs((CellOutputs(1, [stream("a")]), CellOutputs(2, [])))
    merged = merge(
        "x", markdown_cell("text"), code_cell("y", outputs=[stream("old")]), outputs=outputs
    )
    assert [cell.cell_type for cell in merged.cells] == ["code", "markdown", "code"]
    assert (merged.cells[0].execution_count, merged.cells[0].outputs) == (1, [stream("a")])
    assert (merged.cells[2].execution_count, merged.cells[2].outputs) == (2, [])


def test_prose_tags_and_metadata_are_as_they_are_now() -> None:
    cell = code_cell("x", tags=["hide-input"])
    outputs = Outputs((CellOutputs(1, []),))
    merged = merge(markdown_cell("edited"), cell, outputs=outputs)
    assert merged.cells[0].source == "edited"
    assert merged.cells[1].metadata.tags == ["hide-input"]
    assert merged.metadata.kernelspec.name == "python3"


def test_a_cell_that_did_not_run_keeps_what_the_file_has() -> None:
    cell = code_cell("x", outputs=[stream("kept")])
    merged = merge(cell, "y", outputs=Outputs((None, CellOutputs(1, [stream("new")]))))
    assert [cell.outputs for cell in merged.cells] == [[stream("kept")], [stream("new")]]


def test_an_empty_cell_is_passed_over() -> None:
    merged = merge("", "x", " \n", outputs=Outputs((CellOutputs(1, [stream("a")]),)))
    assert [cell.outputs for cell in merged.cells] == [[], [stream("a")], []]


def test_what_the_kernel_told_comes_into_the_metadata() -> None:
    widgets: dict[str, Any] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    told = {"language_info": {"name": "python"}, "widgets": widgets}
    notebook = make_notebook("x", metadata={"language_info": {"name": "old"}, "title": "T"})
    merged = merge_outputs(notebook, Outputs((CellOutputs(1, []),), told))
    assert merged.metadata.language_info.name == "python"
    assert merged.metadata.widgets == widgets
    assert merged.metadata.title == "T"


def test_neither_the_notebook_nor_the_outputs_are_changed() -> None:
    notebook = make_notebook(code_cell("x", outputs=[stream("old")]))
    outputs = Outputs((CellOutputs(1, [stream("new")]),), {"language_info": {"name": "python"}})
    before = copy.deepcopy((notebook, outputs))
    merged = merge_outputs(notebook, outputs)
    merged.cells[0].outputs[0].text = "changed later"
    merged.metadata.language_info.name = "changed later"
    merged.cells[0].outputs.append(stream("added later"))
    assert (notebook, outputs) == before


def test_the_result_can_be_written_by_nbformat() -> None:
    outputs = Outputs((CellOutputs(1, [stream("a")]),), {"language_info": {"name": "python"}})
    text = nbformat.writes(merge_outputs(make_notebook("x"), outputs))
    assert nbformat.reads(text, as_version=4).cells[0].outputs[0].text == "a"


def test_outputs_of_another_notebook_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        merge("x", "y", outputs=Outputs((CellOutputs(1, []),)))
