"""Outputs into a notebook: the text as it is now, the outputs as they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from sphinx_nbcache.model import Notebook, Outputs


def merge_outputs(notebook: Notebook, outputs: Outputs) -> NotebookNode:
    """Return a copy of a notebook with outputs, execution counts and what the kernel told.

    Cells that did not run keep what the source file has. The notebook and the outputs
    belong together by their key; that is the caller's to know. Texts and images are not
    copied, and nothing is validated: the outputs are as a kernel gave them.
    """
    cells = [_copy(cell) for cell in notebook.content["cells"]]
    for cell, found in zip(notebook.iterate_code_cells(), outputs.cells, strict=True):
        if found is not None:
            merged = cells[cell.position]
            dict.__setitem__(merged, "execution_count", found.execution_count)
            dict.__setitem__(merged, "outputs", [_to_node(output) for output in found.outputs])
    told = {name: _to_node(value) for name, value in outputs.metadata.items()}
    metadata = _make_node({**_copy(notebook.metadata), **told})
    return _make_node({**notebook.content, "cells": cells, "metadata": metadata})


def _copy(fields: Mapping[str, Any]) -> NotebookNode:
    """Return a copy whose values are the same; those of a reader's notebook are nodes already."""
    if isinstance(fields, NotebookNode):
        return _make_node(fields)
    return _make_node({name: _to_node(value) for name, value in fields.items()})


def _to_node(value: Any) -> Any:
    """Return a JSON value with nodes for its objects, as nbformat reads it."""
    if isinstance(value, Mapping):
        return _make_node({name: _to_node(item) for name, item in value.items()})
    if isinstance(value, list):
        return [_to_node(item) for item in value]
    return value


def _make_node(fields: Mapping[str, Any]) -> NotebookNode:
    """Return a node of fields that are nodes already, without looking at each again."""
    node = NotebookNode()
    dict.update(node, fields)
    return node
