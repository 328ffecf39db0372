"""Which modules are imported once for the kernels of a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.model import Demands, Job, Key
from sphinx_nbcache.running.preloading.choice import Preload, choose_modules
from sphinx_nbcache.running.preloading.safe_list import SAFE
from sphinx_nbcache.testing import make_notebook

NUMPY, PANDAS, MATPLOTLIB = SAFE["numpy"], SAFE["pandas"], SAFE["matplotlib"]


def make_job(name: str, *cells: str, folder: Path | None = None, **changes: Any) -> Job:
    asked: dict[str, Any] = {"kernel": "python3", **changes}
    return Job(
        name=name,
        notebook=make_notebook(*cells),
        key=Key("0" * 64),
        working_directory=folder,
        timeout_s=None,
        allow_errors=False,
        **asked,
    )


def choose(
    *cells: str | Job,
    learned: dict[str, frozenset[str]] | None = None,
    option: tuple[str, ...] | None = None,
) -> Preload:
    """Choose for jobs, or for notebooks of one cell with numbers for names."""
    jobs = [
        cell if isinstance(cell, Job) else make_job(str(number), cell)
        for number, cell in enumerate(cells)
    ]
    return choose_modules(jobs, learned=learned or {}, option=option)


def test_what_most_notebooks_import_is_chosen() -> None:
    chosen = choose("import numpy", "import numpy", "import sympy")
    assert chosen.modules == {"python3": NUMPY}
    assert chosen.obstacles == {}


@pytest.mark.parametrize(
    "cells",
    [
        ["import numpy"],
        ["import numpy", "import sympy"],
        ["import numpy", "import numpy", "import sympy", "import networkx"],
        ["import unknown", "import unknown"],
        ["import ipywidgets", "import ipywidgets"],
    ],
)
def test_what_few_notebooks_import_or_nobody_tested_is_not_chosen(cells: list[str]) -> None:
    assert choose(*cells).modules == {}


def test_notebooks_that_import_nothing_of_the_list_have_no_vote() -> None:
    assert choose("import numpy", "import numpy", *["print(1)"] * 8).modules["python3"] == NUMPY


def test_a_library_brings_those_that_it_imports_in_a_fixed_order() -> None:
    expected = (*NUMPY, *PANDAS)
    assert choose("import pandas", "import pandas").modules["python3"] == expected
    assert choose("import pandas, numpy", "import numpy, pandas").modules["python3"] == expected
    assert choose("import numpy", "import pandas", "import pandas").modules["python3"] == expected
    seaborn = choose("import seaborn", "import seaborn").modules["python3"]
    assert seaborn == (*expected, *MATPLOTLIB, "seaborn")


def test_parts_of_a_library_are_chosen_when_they_are_named() -> None:
    modules = choose("from scipy import stats", "import scipy.stats").modules["python3"]
    assert modules == (*NUMPY, "scipy", "scipy.stats")


def test_each_kernel_has_modules_of_its_own() -> None:
    jobs = [
        make_job("a", "import numpy", kernel="one"),
        make_job("b", "import numpy", kernel="one"),
        make_job("c", "import sympy", kernel="two"),
        make_job("d", "import sympy", kernel="two"),
    ]
    assert choose(*jobs).modules == {"one": NUMPY, "two": SAFE["sympy"]}


def test_a_fresh_notebook_neither_votes_nor_gets_anything() -> None:
    fresh = make_job("fresh", "import numpy", demands=Demands(is_fresh=True))
    other = make_job("other", "import numpy")
    assert choose(fresh, other).modules == {}
    chosen = choose(fresh, other, make_job("third", "import numpy"))
    assert chosen.select(fresh) == ()
    assert chosen.select(other) == NUMPY


def test_a_notebook_with_an_obstacle_neither_votes_nor_gets_anything() -> None:
    stubborn = make_job("stubborn", "%env A=1", "import numpy")
    chosen = choose(stubborn, make_job("b", "import numpy"))
    assert chosen.modules == {}
    assert chosen.obstacles == {
        "stubborn": "it changes environment variables before it imports numpy"
    }
    chosen = choose(stubborn, make_job("b", "import numpy"), make_job("c", "import numpy"))
    assert chosen.modules == {"python3": NUMPY}
    assert chosen.select(stubborn) == ()


def test_what_an_earlier_run_imported_counts_as_well() -> None:
    learned = {"0": frozenset({"numpy", "pandas", "unknown"}), "9": frozenset({"sympy"})}
    chosen = choose("import mine", "import pandas", learned=learned)
    assert chosen.modules["python3"] == (*NUMPY, *PANDAS)


def test_the_option_names_exactly_what_is_imported() -> None:
    chosen = choose("print(1)", option=("mine", "numpy"))
    assert chosen.modules == {"python3": ("mine", "numpy")}


def test_an_obstacle_counts_against_modules_that_the_option_names_too() -> None:
    job = make_job("a", "%env A=1", "import mine")
    chosen = choose(job, make_job("b", "import mine"), option=("mine",))
    assert chosen.select(job) == ()
    assert chosen.obstacles.keys() == {"a"}


def test_an_empty_option_imports_nothing_and_reads_nothing() -> None:
    assert choose("%env A=1", "import numpy", option=()) == Preload({}, {}, frozenset())


@pytest.mark.parametrize("name", ["random.py", "numpy.py", "PIL/__init__.py", "matplotlibrc"])
def test_a_file_in_the_folder_that_changes_imports_is_an_obstacle(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    jobs = [make_job(name, "import pandas", folder=tmp_path) for name in "ab"]
    chosen = choose(*jobs, make_job("none", "print(1)", folder=tmp_path))
    assert chosen.modules == {}
    assert chosen.obstacles.keys() == {"a", "b"}
    assert name.partition("/")[0] in chosen.obstacles["a"]


def test_data_with_the_name_of_a_module_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "numpy").mkdir()
    (tmp_path / "random.csv").touch()
    jobs = [make_job(name, "import numpy", folder=tmp_path) for name in "ab"]
    assert choose(*jobs).obstacles == {}


def test_a_folder_that_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    jobs = [make_job(name, "import numpy", folder=tmp_path / "gone") for name in "ab"]
    assert choose(*jobs).modules == {"python3": NUMPY}
