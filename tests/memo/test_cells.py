"""Memoized cells in real kernels: what the first run shows and binds, the second does, too."""

from __future__ import annotations

import pytest

from tests.memo.kernels import Cell, read_text, run_notebook

# One worker runs the kernels whose cells the tests look at.
pytestmark = pytest.mark.xdist_group("cells")

LOAD = "%load_ext sphinx_nbcache"
STATUS = "%nbmemo_status"

SHOWN = {
    "text": "print('a')\nprint('b', end='')",
    "two streams": "import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)",
    "rich output": "from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'))",
    "metadata": "display({'text/plain': 'x'}, raw=True, metadata={'text/plain': {'k': 1}})",
    "result": "x = 6 * 7\nx + 1",
    "several": "print(1)\ndisplay('a')\nprint(2)\n'result'",
    "no result": "x;",
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('figure')",
    "shown figure": "plt.plot([2, 1])\nplt.show()\nprint('after')",
    "table": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "update": "handle = display('a', display_id='one')\nhandle.update('b')",
    "cleared": "from IPython.display import clear_output\nprint(0)\nclear_output()\nprint(1)",
    "film": "for i in range(3):\n    clear_output(wait=True)\n    display(i)",
    "log": "import logging\nlogging.getLogger().warning('logged before')",
    "warning": "import warnings\nwarnings.warn('careful')",
    "magics": "%time y = 1\n!echo shell $y",
    "task": "import asyncio\nt = asyncio.create_task(asyncio.sleep(0, 6))\nprint(await t)\ndel t",
    "await": "import asyncio\nawait asyncio.sleep(0.01)\nprint(1)\nawait asyncio.sleep(0, 5)",
}
KEPT = {
    "plain": ("a = 1\nb = [a]", "print(a, b)", "1 [1]"),
    "loops": ("for n in range(9):\n    if n == 3: break\nelse:\n    n = 0", "print(n)", "3"),
    "shared": ("a = [0]\nb = [a]", "print(b[0] is a)", "True"),
    "imports": ("import math as m\nfrom os import path", "print(m.pi > 3, path.sep)", "True /"),
    "function": ("def add(n):\n    return n + later", "later = 2; print(add(1))", "3"),
    "lambda": ("twice = lambda n: n * later", "later = 3; print(twice(2))", "6"),
    "closure": ("outer = (lambda k: lambda n: n * k * later)(2)", "later = 5; print(outer(1))",
                "10"),
    "class": ("class C:\n    def f(self):\n        return later\nc = C()",
              "later = 4; print(isinstance(c, C), c.f())", "True 4"),
    "named tuple": ("from collections import namedtuple\nP = namedtuple('P', 'x y')\np = P(1, 2)",
                    "print(p, isinstance(p, P))", "P(x=1, y=2) True"),
    "changed input": ("before.append(1)", "print(before, alias is before)", "[0, 1] True"),
    "random state": ("drawn = rng.random()", "print(rng.random() != drawn, round(rng.random(), 6))",
                     "True 0.763775"),
    "deleted": ("del old", "print('old' in globals())", "False"),
    "closed file": ("with open('bind.py') as file:\n    text = file.read()", "print(text)",
                    "bound = 7"),
    "bound by exec": ("%run bind.py", "print(bound)", "7"),
    "figure": ("fig, ax = plt.subplots()",
               "print(*get_ipython().display_formatter.format(fig)[0])", "text/plain image/png"),
    "result": ("[1, 2]", "print(_, Out[max(Out)])", "[1, 2] [1, 2]"),
    "named result": ("v = [3]\nv", "print(_ is v)", "True"),
}  # fmt: skip
FIRST = f"{LOAD}\nimport random\nrng = random.Random(1)\nalias = before = [0]\nold = 1"


def make_cells() -> list[str]:
    shown = [f"%%nbmemo always\n{code}" for code in SHOWN.values()]
    kept = [cell for code, look, _ in KEPT.values() for cell in (f"%%nbmemo always\n{code}", look)]
    return [FIRST, *shown, *kept, STATUS]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Cell], list[Cell]]:
    """Run all cells twice, each time in a new kernel."""
    folder = tmp_path_factory.mktemp("cells")
    (folder / "pyproject.toml").touch()
    (folder / "bind.py").write_text("bound = 7")
    return run_notebook(folder, *make_cells()), run_notebook(folder, *make_cells())


@pytest.mark.parametrize("name", SHOWN)
def test_a_hit_shows_what_the_run_showed(name: str, runs: tuple[list[Cell], list[Cell]]) -> None:
    number = 1 + [*SHOWN].index(name)
    first, second = (run[number] for run in runs)
    assert second == first
    assert first or name == "no result"


@pytest.mark.parametrize("name", KEPT)
def test_a_hit_leaves_the_variables_that_the_run_left(
    name: str, runs: tuple[list[Cell], list[Cell]]
) -> None:
    number = 2 + len(SHOWN) + 2 * [*KEPT].index(name)
    assert [read_text(run[number]).strip() for run in runs] == [KEPT[name][2]] * 2


def test_all_cells_ran_once(runs: tuple[list[Cell], list[Cell]]) -> None:
    first, second = (read_text(run[-1]) for run in runs)
    count = len(SHOWN) + len(KEPT)
    assert f"{count} runs, 0 hits" in first
    assert f"{count} runs, {count} hits" in second


def test_a_figure_is_shown_by_the_cell_that_draws_it(runs: tuple[list[Cell], list[Cell]]) -> None:
    number = 1 + [*SHOWN].index("figure")
    for run in runs:
        assert [*run[number][-1]["data"]] == ["text/plain", "image/png"]
