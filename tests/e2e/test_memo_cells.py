"""Pages with memoized cells: an edit below them rebuilds at once, with their text and figure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.build import Result, run_build, write_notebook, write_site

pytestmark = pytest.mark.slow  # each test builds a site several times

LOAD = "%load_ext sphinx_nbcache\nimport time\nimport matplotlib.pyplot as plt"
FUNCTION = "def square(n):\n    return n * n"
MEMO = """\
%%nbmemo {line}
{wait}
text = open("data.txt").read()
print("made at", time.time_ns(), "of", text, square(3))
plt.plot([square(n) for n in range(5)])
plt.title("Squares")
plt.show()
"""
LATER = 'print("later", square(2), len(text))'


def write_page(source: Path, function: str = FUNCTION, later: str = LATER, **memo: str) -> None:
    cell = MEMO.format(**{"line": "always", "wait": "", **memo})
    write_notebook(source / "page.md", LOAD, function, cell, later)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return the folder of a site with one page, whose notebook has a memoized cell."""
    folder = write_site(tmp_path / "project", {"page": ()}, conf="nb_execution_timeout = -1")
    (folder / "data.txt").write_text("data 1")
    write_page(folder)
    return folder


def build(source: Path) -> Result:
    result = run_build(source)
    assert result.status == 0, result.stderr
    assert result.find("page")["status"] == "ran"
    assert "stderr" not in result.read("page")
    return result


def read_time(result: Result) -> str:
    """Return when the memoized cell computed what the page shows."""
    (found,) = re.findall(r"made at (\d+)", result.read("page"))
    return str(found)


def read_figures(result: Result) -> list[bytes]:
    paths = sorted(result.outdir.glob("_images/*.png"))
    return [path.read_bytes() for path in paths if path.name in result.read("page")]


def test_an_edit_below_a_memoized_cell_shows_its_text_and_figure_again(source: Path) -> None:
    first = build(source)
    made_at, figures = read_time(first), read_figures(first)
    assert len(figures) == 1
    write_page(source, later=LATER.replace("later", "edited"))
    second = build(source)
    assert "edited 4 6" in second.read("page")
    assert read_time(second) == made_at
    assert read_figures(second) == figures


def test_an_edit_of_a_function_that_a_memoized_cell_calls_computes_again(source: Path) -> None:
    made_at = read_time(build(source))
    write_page(source, function=FUNCTION.replace("n * n", "n ** 3"))
    second = build(source)
    assert read_time(second) != made_at
    assert "of data 1 27" in second.read("page")


def test_a_file_that_a_memoized_cell_reads_stays_an_input_of_the_page(source: Path) -> None:
    build(source)
    write_page(source, later="print('edited')")
    made_at = read_time(build(source))
    (source / "data.txt").write_text("data 2")
    third = build(source)
    assert read_time(third) != made_at
    assert "of data 2 9" in third.read("page")


def test_a_memoized_cell_that_fails_is_named_with_its_line(source: Path) -> None:
    write_notebook(source / "page.md", LOAD, "%%nbmemo\nn = 0\n1 / n")
    result = run_build(source)
    assert result.status == 1
    assert "ZeroDivisionError in cell 2, line 3: division by zero" in result.stderr


def test_a_cell_of_a_minute_is_kept_without_being_told(source: Path) -> None:
    write_page(source, line="", wait="time.sleep(60)")
    made_at = read_time(build(source))
    write_page(source, later="print('edited')", line="", wait="time.sleep(60)")
    assert read_time(build(source)) == made_at
