"""Notebooks without outputs: what goes, what stays, and that the rest is as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.errors import ConfigurationError, MissingExtraError, NotebookReadError
from sphinx_nbcache.reading import StripRules, strip_bytes
from sphinx_nbcache.testing import code_cell, make_notebook
from tests.conftest import RunPython

PATH = Path("docs/a.ipynb")
STREAM = {"output_type": "stream", "name": "stdout", "text": ["é\n"]}
RESULT = {"output_type": "execute_result", "execution_count": 3, "data": {}, "metadata": {}}


def executed_cell(**metadata: Any) -> dict[str, Any]:
    """Return a code cell as Jupyter saves it after a run."""
    cell = code_cell("print('é')", outputs=[STREAM, RESULT])
    return {**cell, "execution_count": 3, "id": "my-own-id", "metadata": metadata}


def make_content(*cells: Any, **metadata: Any) -> dict[str, Any]:
    """Return the content of a notebook whose keys are in no order."""
    return dict(make_notebook(*cells, metadata=metadata).content)


def strip(content: Any, rules: StripRules = StripRules(), **style: Any) -> Any:  # noqa: B008 - frozen
    """Return content that went through a file."""
    data = json.dumps(content, **(style or {"indent": 1})).encode()
    return json.loads(strip_bytes(PATH, data, rules))


def make_pair() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a notebook with outputs, and what it is to be without."""
    clean = {**executed_cell(), "execution_count": None, "outputs": []}
    return make_content(executed_cell(), "x = 'ü'"), make_content(clean, "x = 'ü'")


def test_outputs_and_counts_go_and_ids_and_sources_stay() -> None:
    (cell,) = strip(make_content(executed_cell(tags=["parameters"])))["cells"]
    assert cell == {
        **code_cell("print('é')", tags=["parameters"]),
        "id": "my-own-id",
    }


@pytest.mark.parametrize(
    "name", ["collapsed", "ExecuteTime", "execution", "heading_collapsed", "hidden", "scrolled"]
)
def test_what_running_and_looking_leave_in_cells_goes(name: str) -> None:
    content = make_content({**code_cell("1"), "metadata": {name: {"at": "noon"}, "own": 1}})
    assert strip(content)["cells"][0]["metadata"] == {"own": 1}


@pytest.mark.parametrize("name", ["signature", "widgets"])
def test_what_running_leaves_in_the_notebook_goes(name: str) -> None:
    assert name not in strip(make_content("1", **{name: {}}))["metadata"]


@pytest.mark.parametrize("metadata", [{"keep_output": True}, {"tags": ["keep_output"]}])
def test_a_cell_keeps_its_outputs_where_it_says_so(metadata: dict[str, Any]) -> None:
    (cell,) = strip(make_content(executed_cell(**metadata)))["cells"]
    assert (len(cell["outputs"]), cell["execution_count"]) == (2, None)


def test_a_notebook_keeps_its_outputs_where_it_says_so() -> None:
    (cell,) = strip(make_content(executed_cell(), keep_output=True))["cells"]
    assert len(cell["outputs"]) == 2


def test_rules_keep_outputs_and_counts() -> None:
    content = make_content(executed_cell())
    assert strip(content, StripRules(keep_output=True, keep_count=True)) == content
    assert strip(content, StripRules(keep_count=True))["cells"][0]["execution_count"] == 3


def test_further_keys_go_where_they_are_named() -> None:
    content = make_content(code_cell("1"), language_info={"name": "python", "version": "3.12.1"})
    rules = StripRules(extra_keys=("metadata.language_info.version",))
    assert strip(content, rules)["metadata"]["language_info"] == {"name": "python"}


@pytest.mark.parametrize("key", ["version", "metadata.", "outputs.x"])
def test_a_key_that_names_no_place_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="--extra-key"):
        StripRules(extra_keys=(key,))


@pytest.mark.parametrize(
    "style",
    [
        {"indent": 1, "ensure_ascii": False},
        {"indent": 1},
        {"indent": 2, "ensure_ascii": False},
        {"indent": "\t"},
        {},
        {"separators": (",", ":")},
    ],
    ids=str,
)
@pytest.mark.parametrize("last", ["", "\n"])
def test_the_rest_is_as_it_was_written(style: dict[str, Any], last: str) -> None:
    before, after = (json.dumps(content, **style) + last for content in make_pair())
    assert strip_bytes(PATH, before.encode(), StripRules()) == after.encode()


def test_line_ends_and_the_mark_of_the_encoding_stay() -> None:
    before, after = (
        ("\ufeff" + json.dumps(content, indent=1) + "\n").replace("\n", "\r\n").encode()
        for content in make_pair()
    )
    assert strip_bytes(PATH, before, StripRules()) == after


def test_what_has_nothing_to_strip_is_the_same_whatever_its_style() -> None:
    data = b'{ "nbformat":4,\n\n "metadata" : {"x": 1.50}, "cells": [ ]  }'
    assert strip_bytes(PATH, data, StripRules()) == data


def test_half_of_a_pair_of_code_units_stays_an_escape() -> None:
    content = make_content(executed_cell(), "x = '\ud800 é'")
    assert strip(content)["cells"][1]["source"] == "x = '\ud800 é'"


def test_an_odd_style_becomes_the_nearest_and_then_stays() -> None:
    text = json.dumps(make_content(executed_cell()), indent=2).replace(": 3", ":  3")
    once = strip_bytes(PATH, text.encode(), StripRules())
    assert once.startswith(b'{\n  "')
    assert strip_bytes(PATH, once, StripRules()) == once


def test_notebooks_of_the_old_format_are_stripped() -> None:
    cell = {"cell_type": "code", "input": "1", "prompt_number": 7, "outputs": [STREAM]}
    content = {"nbformat": 3, "metadata": {}, "worksheets": [{"cells": [cell]}]}
    (sheet,) = strip(content)["worksheets"]
    assert sheet["cells"] == [{**cell, "prompt_number": None, "outputs": []}]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not JSON"),
        (b"<<<<<<< HEAD\n{}", "it is not JSON"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"[]", "has no 'nbformat'"),
        (b'{"nbformat": 4, "metadata": {}}', "it has no list of cells"),
        (b'{"nbformat": 4, "cells": []}', "it has no metadata"),
        (b'{"nbformat": 4, "metadata": {}, "cells": [1]}', "cell 1 is not a cell"),
        (b'{"nbformat": 3, "metadata": {}}', "it has no list of worksheets"),
    ],
)
def test_what_is_no_notebook_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(NotebookReadError, match=reason):
        strip_bytes(PATH, data, StripRules())


def test_metadata_that_contradicts_tags_is_refused() -> None:
    with pytest.raises(NotebookReadError, match="contradicts tags"):
        strip(make_content(executed_cell(keep_output=False, tags=["keep_output"])))


def test_without_the_library_the_extra_is_named(run_python: RunPython) -> None:
    code = """
import sys
from pathlib import Path
sys.modules["nbstripout"] = None
from sphinx_nbcache.errors import MissingExtraError
from sphinx_nbcache.reading import StripRules, strip_bytes
try:
    strip_bytes(Path("a.ipynb"), b"{}", StripRules())
except MissingExtraError as error:
    print(error)
"""
    said = run_python(code).stdout
    assert said == f"{MissingExtraError('nbstripout', 'strip')}\n"
