"""Notebooks as people, editors and other tools could write them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sphinx_nbcache.keys import EXECUTION_TAGS
from sphinx_nbcache.testing import code_cell, markdown_cell

TRICKY_LINES = (
    "", "    ", "\t", "---", "...", "+++", "***", "```", "~~~", "````", "`````", "```{code-cell}",
    ":option: value", ":tags: [skip-execution]", ":tags:", ":", "::", "{code-cell} ipython3",
    "# comment", "#", "#'", "# +", "# -", "# ---", "# ```", "# :tags: [a]", "#!/bin/sh",
    "%matplotlib inline", "%%time", "!ls", "?print", "print?", "cd ..", "ls", "%load_ext x",
    "# %matplotlib inline", "# !ls", "x = !ls", "x = %time 1", "'''", '"""', "x = '''", "x;", "@f",
    "if x:", "    return x", "\treturn", "x = 1   ", "   x", "<!-- a -->", "<b>", "$x$", "\\", "é",
    "-", "* a", "1. a", "> a", "[a]: b", "[^a]: b", "(a)=", "% comment", "%%", "pass # noqa",
    "x = '''\n---\n# a\n```\n'''", '"""Docstring.\n\n:param x: y\n"""',
)  # fmt: skip
"""Lines that mean something in one of the formats, or to one of the tools."""

# What Python's str.splitlines() takes for an end of line, beside \n and \r, and NUL, for which
# CommonMark has another character: conversions lose them, see test_conversions.py.
LOST_CHARACTERS = "\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"

_printable = st.text(
    st.characters(codec="utf-8", exclude_characters=LOST_CHARACTERS + "\n\r"), max_size=20
)
_lines = st.sampled_from(TRICKY_LINES) | _printable

plain_sources = st.lists(_lines, min_size=1, max_size=6).map("\n".join)
"""Code of any kind, in which a line ends only at a line feed."""
sources = plain_sources | st.text(max_size=40)
"""Any text at all, lone surrogates and control characters included."""

execution_tags = st.sets(st.sampled_from(sorted(EXECUTION_TAGS)))
other_tags = st.text(max_size=10).filter(lambda tag: tag not in EXECUTION_TAGS)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)

extra_metadata = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name != "tags"), json_values, max_size=3
)


def code_cells(of: st.SearchStrategy[str] = sources) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for code cells with execution tags."""
    return st.builds(code_cell, of, tags=execution_tags)


silent_cells = st.builds(markdown_cell, st.text(max_size=10)) | st.builds(
    lambda text: {"cell_type": "raw", "source": text, "metadata": {}}, st.text(max_size=10)
)
"""Cells that no kernel ever sees."""


def notebooks(of: st.SearchStrategy[str] = sources) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a strategy for lists of cells that hold some code."""
    return st.lists(code_cells(of) | silent_cells, min_size=1, max_size=5)
