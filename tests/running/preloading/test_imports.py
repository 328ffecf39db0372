"""What a notebook imports, and what keeps its kernel from having imported that before."""

from __future__ import annotations

from pathlib import Path

import pytest

from sphinx_nbcache.running.preloading.imports import Scan, scan_imports, scan_notebook
from sphinx_nbcache.testing import Cell, code_cell, make_notebook, markdown_cell
from tests.running.conftest import make_job


def scan(*cells: Cell, folder: Path | None = None) -> Scan:
    return scan_notebook(make_notebook(*cells), folder)


@pytest.mark.parametrize(
    ("code", "imports"),
    [
        ("import numpy", {"numpy"}),
        ("import numpy as np, pandas as pd", {"numpy", "pandas"}),
        ("import matplotlib.pyplot as plt", {"matplotlib", "matplotlib.pyplot"}),
        ("from scipy import stats", {"scipy", "scipy.stats"}),
        ("from numpy.linalg import *", {"numpy", "numpy.linalg"}),
        ("import scipy as sp\nsp.stats.norm.cdf(0)", {"scipy", "scipy.stats"}),
        ("def load():\n    import pandas", {"pandas"}),
        ("try:\n    import sympy\nexcept ImportError:\n    sympy = None", {"sympy"}),
        ("if True:\n    import networkx", {"networkx"}),
        ("from importlib import import_module\nimport_module('pandas')", {"pandas"}),
        ("import importlib\nimportlib.import_module('a.b')", {"a", "a.b"}),
        ("__import__('seaborn')", {"seaborn"}),
        ("import os, sys\nfrom IPython.display import display", set()),
        ("await fetch()\nimport numpy", {"numpy"}),
        ("print('import numpy')", set()),
    ],
)
def test_imports_are_found_wherever_they_stand(code: str, imports: set[str]) -> None:
    assert scan(code) == Scan(frozenset(imports), "")


@pytest.mark.parametrize(
    "code",
    [
        "%matplotlib inline\nimport pandas",
        "%time import pandas",
        "%timeit -n 1 -r 1 import pandas",
        "%%time\nimport pandas",
        "\n%%capture out\nimport pandas\n!ls",
        "%%timeit x = 1\nimport pandas",
        "!echo 'a' \\\n  b\nimport pandas",
        "files = !ls *.csv\nimport pandas",
        "home = %env HOME\nimport pandas",
        "import pandas\npandas.DataFrame?\n?pandas\npandas.read_csv??",
        "if True:\n    %config InlineBackend.figure_format = 'svg'\n    import pandas",
        "get_ipython().run_line_magic('time', 'import pandas')",
        "get_ipython().magic('time import pandas')",
        "text = '''\n!ls\n'''\nimport pandas\n!ls",
        "x = 5 \\\n  % 3\nimport pandas",
    ],
)
def test_ipython_syntax_is_understood(code: str) -> None:
    found = scan(code)
    assert "pandas" in found.imports
    assert found.obstacle == ""


@pytest.mark.parametrize(
    "code",
    [
        "%%bash\nimport pandas",
        "%%javascript\nimport pandas from 'pandas'",
        "%%html\n<p>import pandas</p>",
        "%%script node\nimport pandas",
        "# import pandas",
    ],
)
def test_cells_in_other_languages_are_passed_over(code: str) -> None:
    assert scan(code) == Scan(frozenset(), "")


def test_a_magic_that_imports_counts_as_an_import() -> None:
    assert "matplotlib.pyplot" in scan("%matplotlib inline").imports
    assert {"numpy", "matplotlib.pyplot"} <= scan("%pylab").imports


def test_cells_that_are_not_run_do_not_count() -> None:
    skipped = code_cell("import os\nos.environ['A'] = '1'\nimport numpy", tags=["skip-execution"])
    assert scan(skipped, markdown_cell("import sympy"), "import pandas") == Scan(
        frozenset({"pandas"}), ""
    )


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.environ['A'] = '1'",
        "import os\ndel os.environ['A']",
        "import os\nos.environ.update(A='1')",
        "import os\nos.environ.setdefault('A', '1')",
        "import os\nos.environ.pop('A')",
        "import os as system\nsystem.environ |= {}",
        "from os import environ as e\ne['A'] = '1'",
        "import os\nvariables = os.environ\nvariables['A'] = '1'",
        "import os\nset_up(os.environ)",
        "import os\nos.putenv('A', '1')",
        "import os\nos.unsetenv('A')",
        "from unittest.mock import patch\npatch.dict('os.environ', A='1').start()",
        "import os\ngetattr(os, 'environ')['A'] = '1'",
        "from dotenv import load_dotenv\nload_dotenv()",
        "%env A=1",
        "%env A 1",
        "%set_env A=1",
        "%load_ext dotenv\n%dotenv",
        "get_ipython().run_line_magic('env', 'A=1')",
        "def prepare():\n    import os\n    os.environ['A'] = '1'",
        "import warnings\nwarnings.filterwarnings('ignore')",
        "from warnings import simplefilter\nsimplefilter('error')",
        "import logging\nlogging.basicConfig(level='DEBUG')",
        "import logging\nlogging.getLogger('matplotlib').setLevel('DEBUG')",
        "import random\nrandom.seed(1)",
        "from random import seed\nseed(1)",
        "import os\nos.chdir('..')",
        "%cd ..",
        "import builtins\nbuiltins.__import__ = spy",
        "import sys\nsys.meta_path.insert(0, finder)",
        "%pip install numpy==1.26",
        "!pip install numpy==1.26",
        "import sys\n!{sys.executable} -m pip install -U numpy",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'install', 'numpy'])",
        "%%bash\npip install numpy",
        "exec(open('setup.py').read())",
        "%run ../setup.py",
        "%%mystery\nanything",
        "%mystery",
        "cd ..",
        "this is no Python",
    ],
)
def test_what_may_change_an_import_that_follows_is_an_obstacle(code: str) -> None:
    apart = scan(code, "import numpy")
    assert apart.obstacle.startswith("it ")
    assert apart.obstacle.endswith("before it imports numpy")
    assert scan("import numpy", code).obstacle == ""
    assert scan(code).obstacle == ""


@pytest.mark.parametrize(
    "code",
    [
        "import os\nhome = os.environ['HOME']",
        "import os\nhome = os.environ.get('HOME')",
        "import os\nhome = os.getenv('HOME')",
        "import os\nif 'CI' in os.environ:\n    pass",
        "import os\nvariables = {**os.environ, 'A': '1'}",
        "import os\nvariables = dict(os.environ)",
        "import os, subprocess\nsubprocess.run(['ls'], env=os.environ)",
        "%env HOME",
        "import sys\nsys.path.insert(0, '..')",
        "import matplotlib\nmatplotlib.use('Agg')",
        "from numpy import random\nrandom.seed(1)",
        "%load_ext autoreload\n%autoreload 2",
        "!ls",
        "from IPython.display import Image",
    ],
)
def test_what_only_reads_is_no_obstacle(code: str) -> None:
    assert scan(code, "import matplotlib.pyplot, numpy").obstacle == ""


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nprint('scipy' in sys.modules)",
        "import warnings\nprint(warnings.filters)",
        "from sys import modules\ndel modules['json']",
        "print(ValueError.__subclasses__())",
        "import importlib\nimportlib.reload(numpy)",
        "import matplotlib\nprint(list(matplotlib.colormaps))",
        "import seaborn\nseaborn.reset_orig()",
    ],
)
def test_what_shows_that_a_module_was_there_early_is_an_obstacle_anywhere(code: str) -> None:
    assert scan("import numpy", code).obstacle.startswith("it ")


def test_a_single_colormap_is_no_obstacle() -> None:
    assert scan("import matplotlib\nmatplotlib.colormaps['magma']").obstacle == ""


CHANGE = "import os\nos.environ['A'] = '1'"


@pytest.mark.parametrize(
    ("cells", "late"),
    [
        (["import numpy", CHANGE, "import numpy"], ""),
        (["import pandas", CHANGE, "import numpy"], ""),
        (["import seaborn as sns", CHANGE, "import matplotlib.pyplot as plt"], ""),
        (["import numpy\n" + CHANGE], ""),
        ([CHANGE + "\nimport numpy"], "numpy"),
        (["import numpy", CHANGE, "import pandas"], "pandas"),
        (["import scipy", CHANGE, "from scipy import stats"], "scipy.stats"),
        (["import numpy", CHANGE, "import something"], "something"),
        (["if x:\n    import numpy", CHANGE], "numpy"),
        (["def f():\n    import numpy", CHANGE, "f()"], "numpy"),
        (["import numpy", CHANGE, "__import__(name)"], "a module by a computed name"),
        (["import numpy", CHANGE, "import os, json"], ""),
    ],
)
def test_only_an_import_that_may_be_the_first_after_a_change_makes_it_an_obstacle(
    cells: list[str], late: str
) -> None:
    expected = f"it changes environment variables before it imports {late}" if late else ""
    assert scan(*cells).obstacle == expected


def test_modules_beside_the_notebook_are_followed(tmp_path: Path) -> None:
    (tmp_path / "plots.py").write_text("from tables import read\nimport matplotlib.pyplot\n")
    (tmp_path / "tables.py").write_text("import plots\ndef read():\n    import pandas\n")
    found = scan("import plots", folder=tmp_path)
    assert found == Scan(frozenset({"matplotlib", "matplotlib.pyplot", "pandas"}), "")


def test_packages_beside_the_notebook_are_followed_with_relative_imports(tmp_path: Path) -> None:
    package = tmp_path / "tools" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "tools" / "__init__.py").write_text("from .first import start\n")
    (tmp_path / "tools" / "first.py").write_text("from . import second\n")
    (tmp_path / "tools" / "second.py").write_text("from .inner import third\n")
    (package / "__init__.py").touch()
    (package / "third.py").write_text("from .. import fourth\nimport numpy\n")
    (tmp_path / "tools" / "fourth.py").write_text("import sympy\n")
    assert scan("import tools", folder=tmp_path).imports == {"numpy", "sympy"}


def test_a_folder_that_is_no_package_may_hide_nothing_and_hold_modules(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "clean.py").write_text("import pandas\n")
    assert scan("import data.clean", folder=tmp_path).imports >= {"pandas", "data"}


def test_modules_elsewhere_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("import pandas\n")
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "linked.py").symlink_to(tmp_path / "outside.py")
    found = scan("import sys\nsys.path.insert(0, '..')\nimport outside, linked", folder=folder)
    assert found.imports == {"outside", "linked"}


def test_a_module_beside_the_notebook_may_be_the_obstacle(tmp_path: Path) -> None:
    (tmp_path / "setup_env.py").write_text(CHANGE)
    assert scan("import setup_env", "import numpy", folder=tmp_path).obstacle == (
        "it changes environment variables before it imports numpy"
    )
    assert scan("import numpy", "import setup_env", folder=tmp_path).obstacle == ""


def test_a_module_that_is_no_python_is_an_obstacle(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def (:\nimport pandas\n")
    found = scan("import broken", folder=tmp_path)
    assert found.imports == {"pandas"}
    assert found.obstacle == "it has code that cannot be read (broken.py) before it imports pandas"


def test_a_module_that_cannot_be_read_is_an_obstacle(tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge.py").write_text("#" * 1_000_001)
    for name in ("binary", "huge"):
        assert scan(f"import {name}", "import numpy", folder=tmp_path).obstacle


def test_a_module_that_the_notebook_writes_is_followed(tmp_path: Path) -> None:
    writing = f"%%writefile helper.py\n{CHANGE}\nimport pandas"
    found = scan(writing, "import helper", folder=tmp_path)
    assert found.imports == {"pandas"}
    assert found.obstacle


def test_a_script_that_the_notebook_runs_is_followed(tmp_path: Path) -> None:
    (tmp_path / "prepare.py").write_text("import pandas\n")
    assert scan("%run -i prepare.py", folder=tmp_path) == Scan(frozenset({"pandas"}), "")


def test_endless_modules_are_an_obstacle_and_not_an_endless_scan(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"m{number}.py").write_text(f"import m{number + 1}\n")
    assert scan("import m0", "import numpy", folder=tmp_path).obstacle


def test_code_that_is_nested_too_deeply_is_an_obstacle() -> None:
    deep = "x = " + "-" * 20_000 + "1"
    assert scan(deep, "import numpy").obstacle


def test_doubtful_escapes_in_a_notebook_warn_nobody() -> None:
    assert scan("import numpy\npattern = '\\d'").imports == {"numpy"}


@pytest.mark.parametrize(
    "code",
    [
        "from IPython.display import HTML",
        "%%time\nimport IPython",
        "import os, IPython.display as d",
    ],
)
def test_what_every_kernel_has_imported_is_found_all_the_same(code: str) -> None:
    notebook = make_notebook(code, "import numpy.linalg")
    assert scan_imports(make_job(notebook, None)) == {"IPython", "numpy"}
