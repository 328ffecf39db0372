"""Memoized functions in notebooks of a build: its cache, and what counts for the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.build import run_build, write_notebook, write_site

pytestmark = pytest.mark.slow  # each test builds a site several times

CELL = """\
import helpers
from sphinx_nbcache import memo

@memo(always=True)
def compute(x):
    with open("runs.txt", "a") as file:
        file.write("run\\n")
    return helpers.double(x)

compute({value})"""


def test_a_later_cell_is_edited_and_nothing_is_computed_again(tmp_path: Path) -> None:
    site = write_site(tmp_path, {"page": (CELL.format(value=21), "print('old end')")})
    (site / "helpers.py").write_text("def double(x):\n    return 2 * x\n")
    first = run_build(site)
    assert first.status == 0, first.stderr
    assert "42" in first.read("page")
    runs = site / "runs.txt"
    runs.unlink()
    write_notebook(site / "page.md", CELL.format(value=21), "print('new end')")
    second = run_build(site)
    assert second.totals["ran"] == 1
    assert "new end" in second.read("page")
    assert "42" in second.read("page")
    assert not runs.exists()
    (site / "helpers.py").write_text("def double(x):\n    return 3 * x\n")
    third = run_build(site)
    assert third.totals["ran"] == 1
    assert "63" in third.read("page")


def test_notebooks_use_the_cache_of_their_build_wherever_it_lies(tmp_path: Path) -> None:
    conf = f"nbcache_path = {str(tmp_path / 'elsewhere')!r}"
    text = (
        CELL.format(value=21).replace("helpers.double(x)", "2 * x").replace("import helpers\n", "")
    )
    site = write_site(tmp_path / "site", {"page": (text,)}, conf)
    for options in ((), ("nb_execution_in_temp=1",)):
        result = run_build(site, *(f"-D{option}" for option in options))
        assert result.status == 0, result.stderr
    assert len(list((tmp_path / "elsewhere").glob("memos/*/*/*.json"))) == 1
    assert not (tmp_path / "site/.nbcache").exists()
