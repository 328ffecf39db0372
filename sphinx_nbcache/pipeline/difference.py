"""How a notebook differs from what the cache has: the code cells, and what they gave."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import nbformat
from nbformat import NotebookNode

from sphinx_nbcache.errors import MissingExtraError
from sphinx_nbcache.model import Notebook


def show_difference(cached: NotebookNode, notebook: Notebook, name: str, path: str) -> str:
    """Return the difference as nbdime writes it to a terminal without colours.

    Text cells and IDs are left out: the cache has none.

    :param name: how the cached notebook is called in it.
    :param path: how the other one is called.

    Raises MissingExtraError without nbdime.
    """
    try:
        from nbdime import diff_notebooks
        from nbdime.prettyprint import PrettyPrintConfig, pretty_print_notebook_diff
    except ImportError as error:
        raise MissingExtraError("nbdime", "diff") from error
    other = _reduce(notebook.content)
    before = _reduce(cached)
    found = diff_notebooks(before, other)
    if not found:
        return ""
    text = io.StringIO()
    config = PrettyPrintConfig(out=text, include=None, use_color=False)
    pretty_print_notebook_diff(f"cached entry {name}", path, before, found, config)
    return text.getvalue()


def _reduce(content: Mapping[str, Any]) -> NotebookNode:
    """Return only the cells that hold code, with what a run gave."""
    cells = [
        {
            "cell_type": "code",
            "source": cell["source"].rstrip(),
            "metadata": {},
            "execution_count": cell.get("execution_count"),
            "outputs": cell.get("outputs") or [],
        }
        for cell in content["cells"]
        if cell["cell_type"] == "code" and cell["source"].strip()
    ]
    fields = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    reduced: NotebookNode = nbformat.from_dict(fields)
    return reduced
