"""Where a line of a cell stands in its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sphinx_nbcache.reading import FileReader, find_file_line
from sphinx_nbcache.testing import make_notebook

MYST = """---
file_format: mystnb
---

# x = 1

```{code-cell}
x = 1
```

```{code-cell}
:tags: [hide-input]

x = 1

y = 2
```

```{code-cell}
```

```{code-cell}
---
tags: [a]
---
z = 3
```
"""

PERCENT = """# ---
# jupytext: {}
# ---

# %%
x = 1

# %% [markdown]
# x = 1

# %%
x = 1
y = 2

# %%
%matplotlib inline
z = 3
"""


def find(name: str, text: str, cell: int, line: int = 1) -> int | None:
    """Return the file's line of a cell's line."""
    notebook = FileReader().read(Path(name), text)
    assert notebook is not None
    return find_file_line(notebook, text, cell=cell, line=line)


@pytest.mark.parametrize(
    ("cell", "line", "expected"), [(1, 1, 8), (2, 1, 14), (2, 3, 16), (4, 1, 26)]
)
def test_a_line_of_myst_markdown_is_found(cell: int, line: int, expected: int) -> None:
    assert find("a.md", MYST, cell, line) == expected
    assert MYST.splitlines()[expected - 1].startswith(("x", "y", "z"))


@pytest.mark.parametrize(("cell", "line", "expected"), [(1, 1, 6), (2, 1, 12), (2, 2, 13)])
def test_a_line_of_a_percent_script_is_found(cell: int, line: int, expected: int) -> None:
    assert find("a.py", PERCENT, cell, line) == expected


def test_a_magic_that_is_written_as_a_comment_is_not_found() -> None:
    text = PERCENT.replace("%matplotlib", "# %matplotlib")
    assert find("a.py", text, 3) is None


def test_cells_after_one_that_is_not_found_are_found() -> None:
    text = MYST.replace("y = 2", "y = 2", 1)
    loaded = text.replace("```{code-cell}\nx = 1", "```{code-cell}\n:load: gone.py\nx = 1", 1)
    notebook = FileReader().read(Path("a.md"), text)
    assert notebook is not None
    assert find_file_line(notebook, loaded, cell=4) == 27


def test_a_cell_that_does_not_exist_is_not_found() -> None:
    assert find("a.md", MYST, 9) is None


def test_the_lines_of_an_ipynb_mean_nothing() -> None:
    text = json.dumps(make_notebook("x").content)
    assert find("a.ipynb", text, 1) is None


def test_of_two_cells_with_the_same_code_each_has_its_own_line() -> None:
    text = "---\nfile_format: mystnb\n---\n" + "```{code-cell}\nx\n```\n\n" * 3
    assert [find("a.md", text, cell) for cell in (1, 2, 3)] == [5, 9, 13]


def test_a_cell_that_begins_as_an_earlier_line_is_found_as_a_whole() -> None:
    text = "---\nfile_format: mystnb\n---\nx = 1\n\n```{code-cell}\nx = 1\ny = 2\n```\n"
    assert find("a.md", text, 1) == 7
