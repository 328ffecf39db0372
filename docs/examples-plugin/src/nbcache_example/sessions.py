"""A reader for doctest files: prose, and Python examples that begin with ``>>>``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from doctest import SKIP, DocTestParser, Example
from pathlib import Path
from typing import Any

_METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def read(path: Path, text: str) -> dict[str, Any]:
    """Return the notebook in a doctest file, as nbformat 4 content.

    A code cell ends where the file shows a result or has an empty line. The results are left
    out: what the code gives is shown instead. Examples that raise, or are marked with
    ``# doctest: +SKIP``, get the tags that say so to Jupyter.

    Raises ValueError for a text that is not of this format.
    """
    parts = DocTestParser().parse(text, path.name)
    if not any(isinstance(part, Example) for part in parts):
        raise ValueError("it has no example: no line begins with >>>")
    return {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": _METADATA,
        "cells": list(_make_cells(parts)),
    }


read.suffixes = (".doctest",)  # type: ignore[attr-defined]


def read_page(text: str) -> Any:
    """Return the notebook in a doctest file for ``nb_custom_formats`` in ``conf.py``."""
    import nbformat

    return nbformat.from_dict(read(Path("page.doctest"), text))


def _make_cells(parts: Iterable[str | Example]) -> Iterator[dict[str, Any]]:
    block: list[Example] = []
    for part in (*parts, "\n"):
        if block and (isinstance(part, str) or _is_skipped(part)) and part != "":
            yield _make_code_cell(block)
            block = []
        if isinstance(part, Example):
            block.append(part)
            if part.want or _is_skipped(part):
                yield _make_code_cell(block)
                block = []
        elif part.strip():
            yield {"cell_type": "markdown", "metadata": {}, "source": part.strip()}


def _make_code_cell(block: list[Example]) -> dict[str, Any]:
    """Return one cell for examples, of which only the last may show something."""
    last = block[-1]
    tags = {"raises-exception": last.exc_msg is not None, "skip-execution": _is_skipped(last)}
    chosen = [tag for tag, is_set in tags.items() if is_set]
    return {
        "cell_type": "code",
        "metadata": {"tags": chosen} if chosen else {},
        "source": "".join(example.source for example in block).rstrip("\n"),
        "execution_count": None,
        "outputs": [],
    }


def _is_skipped(example: Example) -> bool:
    return example.options.get(SKIP, False)
