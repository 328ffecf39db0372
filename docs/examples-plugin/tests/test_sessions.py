"""The reader ``doctest``."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbcache_example.sessions import read

from sphinx_nbcache.testing import check_reader

EXAMPLE = Path(__file__).parent / "gcd.doctest"
CODES = [
    "from math import gcd\ngcd(12, 18)",
    "gcd(1.0, 2)",
    "while True:  # doctest: +SKIP\n    pass",
    "a, b = 12, 18",
    "while b:\n    a, b = b, a % b\nprint(a)",
]


def test_it_keeps_the_contract() -> None:
    check_reader(read, EXAMPLE, codes=CODES, broken=">>> 1\n  >>> 2\n>>>3\n")


def test_a_text_without_an_example_is_refused() -> None:
    with pytest.raises(ValueError, match="it has no example"):
        read(EXAMPLE, "prose\n")


def test_prose_is_markdown() -> None:
    cells = read(EXAMPLE, "Prose\n\n>>> 1\n1\n\nMore\n")["cells"]
    assert [(cell["cell_type"], cell["source"]) for cell in cells] == [
        ("markdown", "Prose"),
        ("code", "1"),
        ("markdown", "More"),
    ]


def test_examples_that_raise_or_are_skipped_are_tagged() -> None:
    cells = read(EXAMPLE, EXAMPLE.read_text(encoding="utf-8"))["cells"]
    tags = [cell["metadata"].get("tags", []) for cell in cells if cell["cell_type"] == "code"]
    assert tags == [[], ["raises-exception"], ["skip-execution"], [], []]
