"""One notebook in several file formats has one key, wherever its code is the same.

What conversions do to code is not ours: the last tests show what they really lose.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.keys import compute_key, make_question
from sphinx_nbcache.model import Key
from sphinx_nbcache.reading import FileReader
from sphinx_nbcache.testing import code_cell, make_notebook, markdown_cell
from tests.keys.strategies import LOST_CHARACTERS, code_cells, notebooks, plain_sources

Cells = list[dict[str, Any]]
Content = dict[str, Any]

SUFFIXES = {"md:myst": ".md", "py:percent": ".py"}

LOST_IN_PERCENT = re.compile(r"^\s*(#\s*)*%%", re.MULTILINE)
"""Cell marks, and cell magics, which are written as comments or as cells of their own kind."""
LOST_IN_YAML = re.compile("[^\t\n\x20-\x7e\xa0-\ufffd\U00010000-\U0010ffff]")
"""What PyYAML does not read; jupytext gives it the whole text when it looks for a header."""


def _survives_percent(source: str) -> bool:
    return not LOST_IN_PERCENT.search(source) and _has_closed_strings(source)


def _has_closed_strings(source: str) -> bool:
    """Return whether no string of many lines runs on into the next cell."""
    return not re.search("'''|\"\"\"", source) or _is_python(source)


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _has_first_line(source: str) -> bool:
    return bool(source.split("\n", maxsplit=1)[0].strip())


myst_sources = plain_sources.filter(_has_first_line)
jupytext_sources = plain_sources.filter(lambda source: not LOST_IN_YAML.search(source))
percent_sources = jupytext_sources.filter(_survives_percent)
prose = st.just(markdown_cell("Some *text*.\n\n# Title"))
"""What Markdown cells lose is no matter here, as long as they do not swallow code."""


def make_content(cells: Cells) -> Content:
    """Return nbformat 4.5 content."""
    content = {**make_notebook(*cells).content, "nbformat_minor": 5}
    content["cells"] = [{**cell, "id": f"cell-{n}"} for n, cell in enumerate(cells)]
    for cell in content["cells"]:
        if cell["cell_type"] != "code":
            cell.pop("outputs", None)
    return content


def key_of(suffix: str, text: str) -> Key:
    """Return the key of a file's text, as it is read by its suffix."""
    notebook = FileReader().read(Path("notebook" + suffix), text)
    assert notebook is not None
    return compute_key(make_question(notebook, kernel=notebook.kernel_name, working_directory="."))


def key_of_ipynb(cells: Cells) -> Key:
    """Return the key of cells as they lie in an ``.ipynb`` file."""
    return key_of(".ipynb", json.dumps(make_content(cells)))


def convert(cells: Cells, fmt: str) -> str:
    """Return cells in one of jupytext's formats."""
    text: str = jupytext.writes(nbformat.from_dict(make_content(cells)), fmt=fmt)
    return text


@given(notebooks(), st.integers(0, 4))
def test_writing_json_in_another_way_keeps_it(cells: Cells, indent: int) -> None:
    content = make_content(cells)
    for cell in content["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    text = json.dumps(content, indent=indent, sort_keys=bool(indent % 2), ensure_ascii=indent < 2)
    assert key_of(".ipynb", text) == key_of_ipynb(cells)


@given(notebooks())
def test_writing_it_with_nbformat_keeps_it(cells: Cells) -> None:
    text = nbformat.writes(nbformat.from_dict(make_content(cells)))
    assert key_of(".ipynb", text) == key_of_ipynb(cells)


@pytest.mark.parametrize("minor", [0, 2, 4])
@given(cells=notebooks())
def test_an_older_minor_version_keeps_it(minor: int, cells: Cells) -> None:
    old = {**make_notebook(*cells).content, "nbformat_minor": minor}
    assert key_of(".ipynb", json.dumps(old)) == key_of_ipynb(cells)


@given(st.lists(code_cells(), min_size=1, max_size=4))
def test_upgrading_from_format_3_keeps_it(cells: Cells) -> None:
    # Format 3 knows neither tags nor kernels.
    cells = [code_cell(cell["source"]) for cell in cells]
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"metadata": {}, "cells": [_downgrade(cell) for cell in cells]}],
    }
    assert key_of(".ipynb", json.dumps(old)) == key_of_ipynb(cells)


def _downgrade(cell: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "collapsed": False,
        "input": cell["source"],
        "language": "python",
        "metadata": {},
        "outputs": [],
        "prompt_number": 1,
    }


@given(st.lists(code_cells(myst_sources) | prose, min_size=1, max_size=4))
def test_myst_markdown_has_the_key_of_the_ipynb(cells: Cells) -> None:
    assert key_of(".md", convert(cells, "md:myst")) == key_of_ipynb(cells)


@given(st.lists(code_cells(percent_sources) | prose, min_size=1, max_size=4))
def test_a_percent_script_has_the_key_of_the_ipynb(cells: Cells) -> None:
    assert key_of(".py", convert(cells, "py:percent")) == key_of_ipynb(cells)


@given(
    st.lists(code_cells(jupytext_sources.filter(_has_first_line)) | prose, min_size=1, max_size=4)
)
def test_myst_markdown_written_back_to_ipynb_keeps_it(cells: Cells) -> None:
    back = jupytext.reads(convert(cells, "md:myst"), fmt="md:myst")
    assert key_of(".ipynb", nbformat.writes(back)) == key_of_ipynb(cells)


@pytest.mark.parametrize("fmt", SUFFIXES)
@pytest.mark.parametrize("tag", ["skip-execution", "raises-exception", "parameters"])
def test_a_tag_that_changes_execution_survives(fmt: str, tag: str) -> None:
    cells = [code_cell("1 / 0", tags=["hide-input", tag])]
    assert key_of(SUFFIXES[fmt], convert(cells, fmt)) == key_of_ipynb(cells)


@pytest.mark.parametrize(
    ("fmt", "source"),
    [
        pytest.param("md:myst", "\nx = 1", id="myst drops a blank first line"),
        *(
            pytest.param(fmt, f"x = 'a{character}b'", id=f"{fmt} breaks a line at {character!r}")
            for fmt in SUFFIXES
            for character in LOST_CHARACTERS[1:]
        ),
        pytest.param("py:percent", "x = 1\n# %%\ny = 2", id="percent splits a cell at its mark"),
    ],
)
def test_what_a_conversion_changes_in_the_code_changes_the_key(fmt: str, source: str) -> None:
    """These losses are the converters'; the other code has another key, which is right."""
    cells = [code_cell(source)]
    assert key_of(SUFFIXES[fmt], convert(cells, fmt)) != key_of_ipynb(cells)
