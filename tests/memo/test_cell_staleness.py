"""A memoized cell runs again when something that counts is another, and only then."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.memo.kernels import Cell, read_error, read_text, run_notebook

# One worker runs the kernels whose cells the tests look at.
pytestmark = pytest.mark.xdist_group("cell_staleness")

LOAD = "%load_ext sphinx_nbcache"
STATUS = "%nbmemo_status"
MEMO = "%%nbmemo always\n"

READ = MEMO + "text = open('data.txt').read()"
WRITE = MEMO + "with open('out.txt', 'w') as file:\n    file.write('x')"
SHELL = MEMO + "r = !cat data.txt"
GLOB = MEMO + "import glob\nr = glob.glob('data/*.txt')"
RENAME = MEMO + "open('old-name', 'w').close()\nos.rename('old-name', 'new-name')"
MKDIR = MEMO + "os.mkdir('made')"
LOOP = MEMO + "for n in range(3): m = n\nr = m"
APPEND = MEMO + "c.append(2)"
TOUCH = "open('data.txt', 'w').write('{}');"
HELPER = "import importlib, sys\nsys.path_importer_cache.clear()\nsys.modules.pop('helper', None)\n"
HELPER += "open('helper.py', 'w').write('def f(): return {}');"
OUTER = "open('outer.py', 'w').write('from inner import f');"
INNER = "import importlib, sys\nimportlib.invalidate_caches()\nsys.modules.pop('inner', None)\n"
INNER += "open('inner.py', 'w').write('def f(): return {}');\nimport outer\nimportlib.reload(outer)"
IMPORT = MEMO + "def use(): pass\nimport outer\nr = outer.f()"

STEPS = {
    "an input": ("k = 1", MEMO + "r = k", "k = 2", MEMO + "r = k", "k = 1", MEMO + "r = k"),
    "another variable": ("j = 1", MEMO + "r = j", "other = 2", MEMO + "r = j"),
    "a function": (
        "def f(): return 1", MEMO + "r = f()", "def f(): return 2", MEMO + "r = f()",
    ),
    "what a function uses": (
        "g = 1\ndef f(): return g", MEMO + "r = f()", "g = 2", MEMO + "r = f()",
    ),
    "a class": (
        "class A:\n  def f(self): return 1", MEMO + "r = A().f()",
        "class A:\n  def f(self): return 2", MEMO + "r = A().f()",
    ),
    "a name in a query": (
        "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\nlimit = 0",
        MEMO + "r = df.query('a > @limit')", "limit = 2", MEMO + "r = df.query('a > @limit')",
    ),
    "code": (MEMO + "r = 1", MEMO + "r = 1 + 0", MEMO + "r = 1"),
    "a comment": (MEMO + "r = 10", MEMO + "# more\nr = 10  # less"),
    "a key": ("%%nbmemo always key=a\nr = 20", "%%nbmemo always key=b\nr = 20"),
    "the order of words": (
        "%%nbmemo always output=r\nr = 30", "%%nbmemo  output=r   always=True\nr = 30",
    ),
    "outputs": ("%%nbmemo always output=r\nr = s = 40", "%%nbmemo always output=s\nr = s = 40"),
    "an expression": (
        "v = [1, 2]", "%%nbmemo always input=len(v)\nr = v[0]",
        "v = [3, 4]", "%%nbmemo always input=len(v)\nr = v[0]",
        "v = [3]", "%%nbmemo always input=len(v)\nr = v[0]",
    ),
    "a function beside a named input": (
        "def h(n): return n", "%%nbmemo always input=k\nr = h(k)",
        "def h(n): return n + 1", "%%nbmemo always input=k\nr = h(k)",
    ),
    "a file": (TOUCH.format(1), READ, TOUCH.format(2), READ, TOUCH.format(1), READ),
    "a file that comes": (
        "from pathlib import Path\nPath('new.txt').unlink(missing_ok=True)",
        MEMO + "try: r = open('new.txt').read()\nexcept OSError: r = None",
        "Path('new.txt').touch()",
        MEMO + "try: r = open('new.txt').read()\nexcept OSError: r = None",
    ),
    "a file that the cell wrote": (WRITE, "Path('out.txt').unlink()", WRITE, WRITE),
    "a file in a command": (TOUCH.format(3), SHELL, TOUCH.format(4), SHELL),
    "a file in a command that shows": (
        "name = 'data.txt'\n" + TOUCH.format(3), MEMO + "!cat {name}",
        TOUCH.format(4), MEMO + "!cat {name}",
    ),
    "what an import looks into": (
        MEMO + "import wave", "Path('another').touch()", MEMO + "import wave",
    ),
    "the names in a folder": (
        "os.makedirs('data', exist_ok=True)", GLOB, "Path('data/one.txt').touch()", GLOB,
    ),
    "a file that got its name": (RENAME, "Path('new-name').unlink()", RENAME, RENAME),
    "a folder that it made": (MKDIR, "os.rmdir('made')", MKDIR, "Path('made/x').touch()", MKDIR),
    "a module": (
        HELPER.format(1), MEMO + "from helper import f\nr = f()",
        HELPER.format(22), MEMO + "from helper import f\nr = f()",
    ),
    "a module that a module imports": (
        OUTER, INNER.format(1), IMPORT, INNER.format(22), IMPORT, INNER.format(1), IMPORT,
    ),
    "a variable that is bound perhaps": (
        "flag, z = False, 1", MEMO + "if flag: z = 2\nr = 50",
        "z = 5", MEMO + "if flag: z = 2\nr = 50",
    ),
    "its own variables": (LOOP, LOOP, LOOP),
    "a changed input": ("c = [1]", APPEND, "c = [1]", APPEND, APPEND),
    "the working directory": (
        "import os\nos.makedirs('sub', exist_ok=True)", MEMO + "r = 51",
        "os.chdir('sub')", MEMO + "r = 51", "os.chdir('..')", MEMO + "r = 51",
    ),
    "time": ("%%nbmemo\nr = 60", "%%nbmemo\nr = 60"),
    "a threshold": (
        "from sphinx_nbcache import memo\nmemo.set_runtime_threshold(0)",
        "%%nbmemo\nr = 61", "%%nbmemo\nr = 61", "memo.set_runtime_threshold(3)",
    ),
}  # fmt: skip
STATES = {
    "an input": "ran ran hit",
    "another variable": "ran hit",
    "a function": "ran ran",
    "what a function uses": "ran ran",
    "a class": "ran ran",
    "a name in a query": "ran ran",
    "code": "ran ran hit",
    "a comment": "ran hit",
    "a key": "ran ran",
    "the order of words": "ran hit",
    "outputs": "ran ran",
    "an expression": "ran hit ran",
    "a function beside a named input": "ran ran",
    "a file": "ran ran hit",
    "a file that comes": "ran ran",
    "a file that the cell wrote": "ran ran hit",
    "a file in a command": "ran ran",
    "a file in a command that shows": "ran ran",
    "what an import looks into": "ran hit",
    "the names in a folder": "ran ran",
    "a file that got its name": "ran ran hit",
    "a folder that it made": "ran ran hit",
    "a module": "ran ran",
    "a module that a module imports": "ran ran hit",
    "a variable that is bound perhaps": "ran ran",
    "its own variables": "ran hit hit",
    "a changed input": "ran hit ran",
    "the working directory": "ran ran hit",
    "time": "ran ran",
    "a threshold": "ran hit",
}


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Run all steps in one kernel; return how each memoized cell ended."""
    folder = tmp_path_factory.mktemp("staleness")
    (folder / "pyproject.toml").touch()
    cells = [cell for steps in STEPS.values() for cell in steps]
    *_, status = run_notebook(folder, f"{LOAD}\nimport os", *cells, STATUS)
    return re.findall(r"^\[\d+\] +(ran|hit)", read_text(status), re.MULTILINE)


@pytest.mark.parametrize("name", STEPS)
def test_a_cell_runs_when_what_counts_is_another(name: str, states: list[str]) -> None:
    counts = {key: sum(step.startswith("%%nbmemo") for step in STEPS[key]) for key in STEPS}
    before = sum(counts[key] for key in [*STEPS][: [*STEPS].index(name)])
    assert states[before : before + counts[name]] == STATES[name].split()


def test_a_cell_runs_when_a_package_that_it_imports_has_another_version(
    project_folder: Path,
) -> None:
    site = project_folder / "site-packages"
    site.mkdir()
    (site / "library.py").touch()
    cells = (f"{LOAD}\nimport sys\nsys.path.append('site-packages')", MEMO + "import library")
    for version, state in (("1.0", "ran"), ("1.0", "hit"), ("2.0", "ran")):
        for old in site.glob("*.dist-info"):
            shutil.rmtree(old)
        info = site / f"library-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: library\nVersion: {version}\n")
        (info / "RECORD").write_text("library.py,,\n")
        assert state in read_text(run_notebook(project_folder, *cells, STATUS)[-1])


NOT_KEPT = {
    "numbers = (n for n in [1])": "numbers: it cannot be pickled",
    "total = sum(given)": "given: a? ?generator is used up",
    "import threading\nlock = threading.Lock()": "lock: it cannot be pickled",
    "r = eval('1')": "eval: with it the cell may read any variable",
    "import ipywidgets\ndisplay(ipywidgets.IntSlider())": "it shows a widget",
    "old = open('pyproject.toml').read()\nopen('pyproject.toml', 'w').close()": "it changes pyproj",
    "import os\nos.mkdir('deeper')\nos.chdir('deeper')": "changes the working dir",
    "import sys\nsys.path.append('lib')": "it changes sys.path: do that in a cell of its own",
    "import logging\nlogging.basicConfig(level='INFO')": "it changes how the root logger logs",
    "r = see_all()": "globals: with it the function see_all may read any variable",
    "base = 2\ndef power(n, k=base): return n ** k": "power is defined with what",
}


@pytest.fixture(scope="module")
def unkept(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    """Run cells whose results cannot be kept."""
    folder = tmp_path_factory.mktemp("unkept")
    (folder / "pyproject.toml").touch()
    cells = [f"{MEMO}{code}\nprint('ran to its end')" for code in NOT_KEPT]
    missing = "%%nbmemo always output=missing\nprint('ran to its end')"
    return run_notebook(
        folder,
        f"{LOAD}\ngiven = (n for n in [1])\ndef see_all(): return globals()",
        *cells,
        missing,
    )


@pytest.mark.parametrize("code", NOT_KEPT)
def test_what_cannot_be_kept_runs_and_says_why(code: str, unkept: list[Cell]) -> None:
    cell = unkept[1 + [*NOT_KEPT].index(code)]
    assert read_text(cell) == "ran to its end\n"
    assert re.search(NOT_KEPT[code], read_text(cell, "stderr"))
    assert read_text(cell, "stderr").count("\n") == 1


def test_a_named_output_that_is_not_bound_is_told(unkept: list[Cell]) -> None:
    assert read_text(unkept[-1]) == "ran to its end\n"
    assert "output=missing: the cell leaves no variable" in read_text(unkept[-1], "stderr")


FAILING = "before = 1\ndef fail():\n    1 / 0\nprint('so far')\nfail()"


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    """Run cells that fail, plain and memoized."""
    folder = tmp_path_factory.mktemp("failed")
    (folder / "pyproject.toml").touch()
    cells = [
        "# plain\n" + FAILING,
        MEMO + FAILING,
        MEMO + "await fail_later()",
        MEMO + "(]",
        MEMO + "return 1",
    ]
    first = f"{LOAD}\nasync def fail_later(): 1 / 0"
    return run_notebook(folder, first, *cells, "%%nbmemo wrong\n1", "print(before)", STATUS)


def test_an_error_is_shown_as_that_of_a_plain_cell(failed: list[Cell]) -> None:
    plain, memoized = (re.sub(r"In\[\d\]|\d+\.py", "", read_error(cell)) for cell in failed[1:3])
    assert memoized.replace("%%nbmemo always", "# plain") == plain
    assert read_text(failed[2]) == "so far\n"


def test_an_error_of_what_is_awaited_begins_in_the_cell(failed: list[Cell]) -> None:
    frames = re.findall(r"^(Cell|File)", read_error(failed[3]), re.MULTILINE)
    assert frames == ["Cell", "Cell"]


@pytest.mark.parametrize("number", [4, 5])
def test_a_syntax_error_is_shown_as_that_of_a_plain_cell(number: int, failed: list[Cell]) -> None:
    (error,) = failed[number]
    assert error["ename"] == "SyntaxError"
    assert read_error(failed[number]).lstrip().startswith(f"Cell In[{number + 1}], line 2")


def test_a_line_that_is_not_understood_fails_the_cell(failed: list[Cell]) -> None:
    assert "wrong is not understood" in read_text(failed[6], "stderr")


def test_a_cell_that_failed_is_not_kept(failed: list[Cell]) -> None:
    assert read_text(failed[7]) == "1\n"
    assert "hit" not in read_text(failed[8])
