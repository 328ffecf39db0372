"""What a memoized cell changes without naming it: the notebook goes on as after a plain cell."""

from __future__ import annotations

import re

import pytest

from tests.memo.kernels import Cell, read_text, run_notebook

# One worker runs the kernels whose cells the tests look at.
pytestmark = pytest.mark.xdist_group("cell_state")

LOAD = "%load_ext sphinx_nbcache"
STATUS = "%nbmemo_status"
ONCE = {
    "a list that a function changes": (
        "log = []\ndef note(x): log.append(x)", "note(1)", "print(log)", "[1]",
    ),
    "a dict that a function's function changes": (
        "seen = {}\ndef put(x): seen[x] = x\ndef go(x): put(x)", "go(1)", "print(seen)", "{1: 1}",
    ),
    "a list in another variable": (
        "a = [1]; d = {'a': a}", "d['a'].append(2)", "print(a, d['a'] is a)", "[1, 2] True",
    ),
    "another variable that holds it": (
        "b = [1]; e = {'b': b}", "b.append(2)", "print(e['b'], e['b'] is b)", "[1, 2] True",
    ),
    "an attribute that holds it": (
        "class Box: pass\nbox = Box(); f = box.f = [1]", "f.append(2)",
        "print(box.f, box.f is f)", "[1, 2] True",
    ),
    "a function that holds it": (
        "g = [1]\nget = (lambda held: lambda: held)(g)", "g.append(2)",
        "print(get(), get() is g)", "[1, 2] True",
    ),
    "an array that it is a view of": (
        "import numpy as np\nwhole = np.zeros(2); part = whole[1:]", "part[0] = 5",
        "print(whole)", "[0. 5.]",
    ),
    "a name for an object that was there": (
        "h = [1]", "same = h", "print(same is h)", "True",
    ),
}  # fmt: skip
NEVER = {
    "a default": (
        "def add(x, to=[]):\n    to.append(x)\n    return len(to)", "n = add(1)",
        "print(add(2))", "2",
    ),
    "an attribute of a function": (
        "def count(): count.n += 1\ncount.n = 0", "count()", "print(count.n)", "1",
    ),
    "a variable around a function": (
        "def make():\n    n = 0\n    def more():\n        nonlocal n\n        n += 1\n"
        "        return n\n    return more\nmore = make()", "m = more()", "print(more())", "2",
    ),
    "an attribute of a class": (
        "class C:\n    made = []\n    def __init__(self): self.made.append(1)", "c = C()",
        "print(C.made)", "[1]",
    ),
}  # fmt: skip
ALL = ONCE | NEVER


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Cell], list[Cell]]:
    """Run all cells twice, each time in a new kernel."""
    folder = tmp_path_factory.mktemp("state")
    (folder / "pyproject.toml").touch()
    cells = [
        cell
        for first, memo, look, _ in ALL.values()
        for cell in (first, f"%%nbmemo always\n{memo}", look)
    ]
    cells = [LOAD, *cells, STATUS]
    return run_notebook(folder, *cells), run_notebook(folder, *cells)


@pytest.mark.parametrize("name", ALL)
def test_what_a_cell_changes_is_changed_again(
    name: str, runs: tuple[list[Cell], list[Cell]]
) -> None:
    number = 3 + 3 * [*ALL].index(name)
    assert [read_text(run[number]).strip() for run in runs] == [ALL[name][3]] * 2


def test_only_what_can_be_put_back_is_kept(runs: tuple[list[Cell], list[Cell]]) -> None:
    states = re.findall(r"^\[\d+\] +(ran|hit)", read_text(runs[1][-1]), re.MULTILINE)
    assert states == ["hit"] * len(ONCE) + ["ran"] * len(NEVER)


@pytest.mark.parametrize("name", NEVER)
def test_what_cannot_be_put_back_is_told(name: str, runs: tuple[list[Cell], list[Cell]]) -> None:
    number = 2 + 3 * [*ALL].index(name)
    assert re.search("it changes what .* keeps, which cannot", read_text(runs[0][number], "stderr"))
