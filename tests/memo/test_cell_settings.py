"""What is set outside of variables counts for memoized cells, and is set again by a hit."""

from __future__ import annotations

import re

import pytest

from tests.memo.kernels import Cell, read_text, run_notebook

# One worker runs the kernels whose cells the tests look at.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cell_settings")]

LOAD = "%load_ext sphinx_nbcache\nimport os, random\nimport numpy as np"
LOAD += "\nimport pandas as pd\nimport matplotlib.pyplot as plt"
STATUS = "%nbmemo_status"
MEMO = "%%nbmemo always\n"

COUNTS = {
    "style of figures": ("plt.rcParams['lines.linewidth'] = {}", "plt.plot([1, 2]);"),
    "options of pandas": ("pd.set_option('display.precision', {})", "pd.DataFrame([1 / 3])"),
    "options of numpy": ("np.set_printoptions(precision={})", "np.array([1 / 3])"),
    "seed": ("random.seed({})", "a = random.random()"),
    "seed of numpy": ("np.random.seed({})", "b = np.random.rand()"),
    "environment": ("os.environ['NUMBER'] = '{}'", "c = os.environ['NUMBER']"),
    "environment in a function": (
        "os.environ['OTHER'] = '{}'\ndef get(): return os.getenv('OTHER')", "d = get()",
    ),
}  # fmt: skip
LEFT = {
    "style of figures": ("plt.rcParams['lines.linewidth'] = 7", "plt.rcParams['lines.linewidth']"),
    "options of pandas": (
        "pd.set_option('display.precision', 2)", "pd.get_option('display.precision')",
    ),
    "options of numpy": ("np.set_printoptions(precision=2)", "np.get_printoptions()['precision']"),
    "seed": ("random.seed(1)\nrandom.random()", "random.random()"),
    "seed of numpy": ("np.random.seed(1)\nnp.random.rand()", "np.random.rand()"),
    "environment": ("os.environ['SET'] = '1'", "os.environ['SET']"),
    "removed from the environment": ("del os.environ['SET']", "'SET' in os.environ"),
}  # fmt: skip


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Run cells after other settings, in three kernels; return how each of them ended."""
    folder = tmp_path_factory.mktemp("counts")
    (folder / "pyproject.toml").touch()
    runs = []
    for number in (2, 3, 2):
        pairs = ((first.format(number), MEMO + memo) for first, memo in COUNTS.values())
        *_, status = run_notebook(folder, LOAD, *(cell for pair in pairs for cell in pair), STATUS)
        runs.append(re.findall(r"^\[\d+\] +(ran|hit)", read_text(status), re.MULTILINE))
    return runs


@pytest.mark.parametrize("name", COUNTS)
def test_a_setting_counts(name: str, states: list[list[str]]) -> None:
    number = [*COUNTS].index(name)
    assert [run[number] for run in states] == ["ran", "ran", "hit"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Cell], list[Cell]]:
    """Run cells that set something twice, each time in a new kernel."""
    folder = tmp_path_factory.mktemp("left")
    (folder / "pyproject.toml").touch()
    pairs = ((MEMO + memo, f"print({look})") for memo, look in LEFT.values())
    cells = [LOAD, *(cell for pair in pairs for cell in pair), STATUS]
    return run_notebook(folder, *cells), run_notebook(folder, *cells)


@pytest.mark.parametrize("name", LEFT)
def test_a_hit_sets_what_the_run_has_set(name: str, runs: tuple[list[Cell], list[Cell]]) -> None:
    number = 2 + 2 * [*LEFT].index(name)
    first, second = (read_text(run[number]) for run in runs)
    assert first == second != ""


def test_cells_that_set_something_are_hits(runs: tuple[list[Cell], list[Cell]]) -> None:
    assert f"{len(LEFT)} hits" in read_text(runs[1][-1])


def test_numbers_drawn_by_chance_are_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("chance")
    (folder / "pyproject.toml").touch()
    cells = (LOAD, f"{MEMO}x = np.random.rand(), random.random()\nx")
    assert run_notebook(folder, *cells) == run_notebook(folder, *cells)
