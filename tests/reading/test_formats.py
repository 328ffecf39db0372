"""Which file is read how, and what is said of files that cannot be read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Notebook
from sphinx_nbcache.reading import JUPYTEXT_SUFFIXES, FileReader, read_text, read_with
from sphinx_nbcache.testing import code_cell, make_notebook, markdown_cell

MYST = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n# Title\n\n{}"
CELL = "```{code-cell}\n:tags: [hide-input]\n\nx = 1\n```\n"
JUPYTEXT_HEADER = (
    "---\njupytext:\n  text_representation:\n    extension: .md\n    format_name: myst\n"
    "kernelspec:\n  name: ir\n  display_name: R\n---\n"
)


def read(name: str, text: str) -> Notebook | None:
    """Read a text as the file of a name."""
    return FileReader().read(Path(name), text)


def read_codes(name: str, text: str) -> list[str]:
    """Return the code that is found in a notebook's text."""
    notebook = read(name, text)
    assert notebook is not None
    return [cell.source for cell in notebook.iterate_code_cells()]


def make_ipynb(*cells: Any, **changes: Any) -> str:
    """Return an .ipynb file's text; None as a value leaves a field out."""
    content = {**make_notebook(*cells).content, **changes}
    return json.dumps({name: value for name, value in content.items() if value is not None})


class TestIpynb:
    """Jupyter's own format."""

    @pytest.mark.parametrize("minor", [0, 1, 2, 3, 4])
    def test_of_version_4_is_read(self, minor: int) -> None:
        text = make_ipynb("x = 1", markdown_cell("text"), nbformat_minor=minor)
        assert read_codes("a.ipynb", text) == ["x = 1"]

    def test_of_version_4_5_is_read(self) -> None:
        cell = {**code_cell("x = 1"), "id": "a"}
        assert read_codes("a.ipynb", make_ipynb(cell, nbformat_minor=5)) == ["x = 1"]

    def test_of_version_3_is_read_as_version_4(self) -> None:
        cell = {"cell_type": "code", "input": ["x = 1\n", "y"], "outputs": [], "metadata": {},
                "language": "python", "collapsed": False}  # fmt: skip
        old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "a"},
               "worksheets": [{"cells": [cell], "metadata": {}}]}  # fmt: skip
        notebook = read("a.ipynb", json.dumps(old))
        assert notebook is not None
        assert notebook.content["nbformat"] == 4
        assert read_codes("a.ipynb", json.dumps(old)) == ["x = 1\ny"]

    def test_with_sources_as_lists_of_lines_is_read(self) -> None:
        cell = {**code_cell(""), "source": ["x = 1\n", "y = 2"]}
        assert read_codes("a.ipynb", make_ipynb(cell)) == ["x = 1\ny = 2"]

    def test_keeps_its_path_kernel_and_tags(self) -> None:
        notebook = read("a.ipynb", make_ipynb(code_cell("x", tags=["a"])))
        assert notebook is not None
        assert (notebook.path, notebook.kernel_name) == (Path("a.ipynb"), "python3")
        assert [cell.tags for cell in notebook.iterate_code_cells()] == [{"a"}]

    def test_may_have_tags_as_a_text(self) -> None:
        cell = {**code_cell("x"), "metadata": {"tags": "hide-input, parameters"}}
        notebook = read("a.ipynb", make_ipynb(cell))
        assert notebook is not None
        assert [c.tags for c in notebook.iterate_code_cells()] == [{"hide-input", "parameters"}]

    def test_without_a_kernel_has_the_default_one(self) -> None:
        notebook = read("a.ipynb", make_ipynb("x", metadata={}))
        assert notebook is not None
        assert notebook.kernel_name == "python3"


class TestMyst:
    """MyST Markdown."""

    def test_with_mystnbs_header_is_a_notebook(self) -> None:
        assert read_codes("a.md", MYST.format(CELL)) == ["x = 1"]

    def test_with_jupytexts_header_is_a_notebook(self) -> None:
        notebook = read("a.md", JUPYTEXT_HEADER + CELL)
        assert notebook is not None
        assert notebook.kernel_name == "ir"
        assert [cell.tags for cell in notebook.iterate_code_cells()] == [{"hide-input"}]

    def test_can_load_code_from_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "code.py").write_text("loaded = True")
        text = MYST.format("```{code-cell}\n:load: code.py\n```\n")
        notebook = FileReader().read(tmp_path / "a.md", text)
        assert notebook is not None
        assert [cell.source for cell in notebook.iterate_code_cells()] == ["loaded = True"]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "# Title\n\n```{code-cell}\nx\n```\n",
            "---\ntitle: Only a title\n---\n",
            "---\n---\n",
            "---\n- a\n- list\n---\n",
            "---\nnot: [closed\n---\n",
            "---\nnever ends",
            JUPYTEXT_HEADER.replace("myst", "markdown"),
        ],
    )
    def test_without_a_notebooks_header_is_not_a_notebook(self, text: str) -> None:
        assert read("a.md", text) is None

    @pytest.mark.parametrize("value", ["1", "null", "{text_representation: null}", "[a]"])
    def test_with_a_strange_header_is_not_a_notebook(self, value: str) -> None:
        assert read("a.md", f"---\njupytext: {value}\n---\n") is None

    def test_with_a_bad_cell_option_names_the_cell_and_its_line(self) -> None:
        with pytest.raises(NotebookReadError, match=r"Code cell 1 at line 9") as caught:
            read("a.md", MYST.format("```{code-cell}\n---\ntags: [a\n---\nx\n```\n"))
        assert caught.value.path == Path("a.md")


class TestJupytext:
    """Jupytext's formats."""

    def test_percent_script_is_read(self) -> None:
        text = "# ---\n# kernelspec:\n#   name: python3\n# ---\n\n# %% [markdown]\n# text\n\n" \
            '# %% tags=["parameters"]\nx = 1\n\n# %%\nprint(x)\n'  # fmt: skip
        notebook = read("a.py", text)
        assert notebook is not None
        found = [(cell.source, cell.tags) for cell in notebook.iterate_code_cells()]
        assert found == [("x = 1", {"parameters"}), ("print(x)", frozenset())]

    def test_r_markdown_is_read(self) -> None:
        text = "---\ntitle: A\n---\n\ntext\n\n```{r}\nx <- 1\n```\n"
        assert read_codes("a.Rmd", text) == ["x <- 1"] or read_codes("a.Rmd", text) == [
            "%%R\nx <- 1"
        ]

    def test_light_script_is_read(self) -> None:
        assert read_codes("a.py", "# text\n\nx = 1\n\n# +\ny = 2\nz = 3\n# -\n") == [
            "x = 1",
            "y = 2\nz = 3",
        ]

    @pytest.mark.parametrize("suffix", JUPYTEXT_SUFFIXES)
    def test_knows_every_suffix_that_is_offered(self, suffix: str) -> None:
        if suffix == ".qmd" and shutil.which("quarto") is None:
            pytest.skip("jupytext reads .qmd with quarto, which is not installed")
        assert read(f"a{suffix}", "x\n") is not None


@pytest.mark.parametrize("name", ["a.rst", "a.txt", "a", "a.html", "a.ipynb.bak"])
def test_a_file_of_another_kind_is_not_a_notebook(name: str) -> None:
    assert read(name, "text") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "."),
        ("null", "."),
        ("1", "."),
        ("{}", "."),
        (make_ipynb(nbformat=9), "9"),
        (make_ipynb(nbformat="4"), "."),
        (make_ipynb(cells=None), "cells"),
        (make_ipynb(cells={}), "cells"),
        (make_ipynb(cells="x"), "."),
        (make_ipynb(cells=["x"]), "."),
        (make_ipynb({"cell_type": "code", "metadata": {}, "outputs": []}), "source"),
        (make_ipynb({"cell_type": "code", "source": "x", "outputs": []}), "metadata"),
        (make_ipynb({"source": "x", "metadata": {}, "outputs": []}), "cell_type"),
        (make_ipynb({**code_cell("x"), "source": None}), "."),
        (make_ipynb({**code_cell("x"), "source": 1}), "."),
        (make_ipynb({**code_cell("x"), "metadata": None}), "."),
        (make_ipynb({**code_cell("x"), "metadata": {"tags": 1}}), "."),
        (make_ipynb({**code_cell("x"), "metadata": {"tags": [["a"]]}}), "."),
        (make_ipynb("x", metadata={"kernelspec": "python3"}), "."),
        (make_ipynb("x", metadata={"kernelspec": {"name": 1}}), "."),
        (make_ipynb("x", metadata=[]), "."),
    ],
)
def test_a_broken_ipynb_is_an_error_that_names_path_and_reason(text: str, reason: str) -> None:
    with pytest.raises(NotebookReadError, match=reason) as caught:
        read("docs/a.ipynb", text)
    assert str(caught.value).startswith(f"{Path('docs/a.ipynb')}: cannot be read as a notebook: ")
    assert "\n" not in str(caught.value)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
FIELDS = ("cell_type", "source", "metadata", "outputs")


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values)),
    st.fixed_dictionaries({}, optional={"kernelspec": json_values}),
)
def test_whatever_is_read_can_be_used(change: dict[str, Any], metadata: dict[str, Any]) -> None:
    """A file that gets past the reader holds what the rest of the package relies on."""
    text = make_ipynb({**code_cell("x"), **change}, metadata=metadata)
    try:
        notebook = read("a.ipynb", text)
    except NotebookReadError:
        return
    assert notebook is not None
    assert isinstance(notebook.kernel_name, str)
    for cell in notebook.iterate_code_cells():
        assert isinstance(cell.source, str)
        assert all(isinstance(tag, str) for tag in cell.tags)
        assert isinstance(notebook.content["cells"][cell.position].get("outputs", []), list)


def test_any_error_of_a_reader_is_a_read_error_with_its_cause() -> None:
    def fail(path: Path, text: str) -> dict[str, Any]:
        raise ZeroDivisionError("one\ntwo")

    with pytest.raises(NotebookReadError, match=r"ZeroDivisionError: one$") as caught:
        read_with(fail, Path("a.x"), "")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("answer", [None, [], {}, {"cells": None}])
def test_what_is_no_notebook_is_not_taken_from_any_reader(answer: Any) -> None:
    with pytest.raises(NotebookReadError):
        read_with(lambda path, text: answer, Path("a.x"), "")


class TestText:
    """``read_text``."""

    def test_drops_a_byte_order_mark(self, tmp_path: Path) -> None:
        path = tmp_path / "a.md"
        path.write_bytes(b"\xef\xbb\xbf" + MYST.format(CELL).encode())
        assert FileReader().read(path, read_text(path)) is not None

    def test_has_one_kind_of_line_ends(self, tmp_path: Path) -> None:
        path = tmp_path / "a.md"
        path.write_bytes(b"a\r\nb\rc\n")
        assert read_text(path) == "a\nb\nc\n"

    @pytest.mark.parametrize("data", [b"\xff", "é".encode("latin-1"), "text".encode("utf-16")])
    def test_that_is_not_utf8_is_an_error_that_says_so(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "a.md"
        path.write_bytes(data)
        with pytest.raises(NotebookReadError, match="it is not UTF-8 text") as caught:
            read_text(path)
        assert caught.value.path == path

    def test_of_a_missing_file_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(NotebookReadError, match="No such file"):
            read_text(tmp_path / "a.md")

    def test_of_a_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(NotebookReadError, match=str(tmp_path.name)):
            read_text(tmp_path)
