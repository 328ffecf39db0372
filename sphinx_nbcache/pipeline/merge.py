"""Outputs into a notebook: the text as it is now, the outputs as they were."""

from __future__ import annotations

import nbformat
from nbformat import NotebookNode

from sphinx_nbcache.model import Notebook, Outputs


def merge_outputs(notebook: Notebook, outputs: Outputs) -> NotebookNode:
    """Return a copy of a notebook with outputs, execution counts and what the kernel told.

    Cells that did not run keep what the source file has. The notebook and the outputs
    belong together by their key; that is the caller's to know.
    """
    content = notebook.content
    cells = [NotebookNode(cell) for cell in content["cells"]]
    for cell, found in zip(notebook.iterate_code_cells(), outputs.cells, strict=True):
        if found is not None:
            cells[cell.position]["execution_count"] = found.execution_count
            cells[cell.position]["outputs"] = nbformat.from_dict(found.outputs)
    merged = NotebookNode(content)
    merged["cells"] = cells
    merged["metadata"] = NotebookNode(
        {**notebook.metadata, **nbformat.from_dict(dict(outputs.metadata))}
    )
    return merged
