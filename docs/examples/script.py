# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A script: rule 110
#
# This page is the file `script.py`: Python with `# %%` between the cells, which jupytext reads.
# You can run it, import it and check it like any other Python file. One line in `conf.py` makes
# it a page:
#
# ```python
# nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}
# ```
#
# Sphinx then takes every `.py` file for a page. Name those that are none in `exclude_patterns`,
# `conf.py` itself for one.
#
# Rule 110 is a row of cells that are alive or not. In the next row a cell depends on itself and
# its two neighbours. These eight cases are all there is to it, and yet it can compute whatever
# a computer can.

# %%
from itertools import product

RULE = 110
CASES = product((0, 1), repeat=3)
NEXT = {case: RULE >> number & 1 for number, case in enumerate(CASES)}

# %% [markdown]
# Start with one living cell at the right:


# %%
def step(row: list[int]) -> list[int]:
    """Return the row after this one; beyond both ends nothing lives."""
    return [NEXT[trio] for trio in zip([0, *row], row, [*row[1:], 0], strict=False)]


def grow(width: int, rows: int) -> str:
    """Return some rows as text."""
    row = [0] * (width - 1) + [1]
    lines = []
    for _ in range(rows):
        lines.append("".join(" █"[cell] for cell in row).rstrip())
        row = step(row)
    return "\n".join(lines)


# %%
print(grow(width=64, rows=40))  # noqa: T201
