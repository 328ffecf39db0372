"""What the safe list promises of each library, in real processes that import it and fork.

A library that is not installed is not tested; the extra ``test`` installs them all.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sphinx_nbcache.running.preloading.safe_list import SAFE, get_implied, list_prefixes

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

LIBRARIES = list(dict.fromkeys(name.partition(".")[0] for name in SAFE))
INSTALLED = [name for name in LIBRARIES if importlib.util.find_spec(name)]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")


@pytest.fixture(autouse=True)
def _inline_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let matplotlib find the environment that a kernel has."""
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")


def list_modules(*libraries: str) -> list[str]:
    """Return what is imported for libraries and all of their parts, in order."""
    groups = (group for name, group in SAFE.items() if name.partition(".")[0] in libraries)
    return list(dict.fromkeys(module for group in groups for module in group))


# The modules are imported by `__main__`, with the filter for it that IPython sets, because
# that decides which warnings a notebook shows. What a library hides from its users stays
# hidden there, so it is no error here.
IMPORT = """
import json, sys, threading, warnings
modules = json.loads(sys.argv[1])
warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")

def import_modules():
    for name in modules:
        exec("import " + name, globals())
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(20)  # matplotlib times how long it takes to look for fonts
"""

STATE = """
import IPython, IPython.core.getipython as home
import locale, logging, os, signal, tempfile

def describe():
    return {
        "directory": os.getcwd(),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": {str(number): str(signal.getsignal(number)) for number in signal.Signals},
        "environment": dict(os.environ),
        "handlers": list(map(str, logging.root.handlers)),
        "level": logging.root.level,
        "path": sys.path[:],
        "hooks": [str(sys.excepthook), str(sys.displayhook), str(warnings.showwarning)],
        "temporary": tempfile.tempdir,
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval()],
        "streams": [id(sys.stdin), id(sys.stdout), id(sys.stderr)],
    }

askers = set()

def get_ipython():
    askers.add(sys._getframe(1).f_globals["__name__"])

IPython.get_ipython = home.get_ipython = get_ipython
before = describe()
import_modules()
after = describe()
import psutil
changes = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
result = {
    "changes": changes,
    "threads": threading.active_count(),
    "processes": len(psutil.Process().children()),
    "modules": sorted(sys.modules),
    "askers": sorted(askers),
}
with open(sys.argv[2], "w") as file:
    json.dump(result, file)
"""

ALLOWED_VARIABLES = {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}
"""scikit-learn and joblib set these, for OpenMP and for processes they start."""
ALLOWED_ASKERS = {"ipywidgets"}
"""It registers its comm targets, which the server does once more in the child."""
FORBIDDEN = {"matplotlib_inline.backend_inline", "plotly", "polars", "tqdm.auto"}


@pytest.mark.parametrize("library", INSTALLED)
def test_importing_a_library_leaves_the_process_as_it_was(
    library: str, run_python: RunPython, tmp_path: Any
) -> None:
    report = tmp_path / "report.json"
    done = run_python(IMPORT + STATE, json.dumps(list_modules(library)), report, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = json.loads(report.read_text())
    before, after = found["changes"].pop("environment", ({}, {}))
    assert {name for name in after if before.get(name) != after[name]} <= ALLOWED_VARIABLES
    assert before.keys() <= after.keys()
    assert found["changes"] == {}
    assert found["threads"] == 1
    assert found["processes"] == 0
    assert FORBIDDEN.isdisjoint(found["modules"])
    assert {name.partition(".")[0] for name in found["askers"]} <= ALLOWED_ASKERS
    assert set(get_implied(library)) <= set(found["modules"])


WORK = {
    "numpy": """
        values = numpy.random.default_rng(1).normal(size=(200, 200))
        assert numpy.allclose(values @ numpy.linalg.inv(values), numpy.eye(200))
    """,
    "scipy": """
        solution = scipy.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [1.0, 1.0])
        assert list(solution) == [0.5, 0.25]
        assert abs(scipy.optimize.minimize(lambda x: (x[0] - 3) ** 2, [0.0]).x[0] - 3) < 1e-3
        assert scipy.stats.norm.cdf(0) == 0.5
    """,
    "pandas": """
        table = pandas.DataFrame({"kind": list("abab"), "value": [1, 2, 3, 4]})
        assert table.groupby("kind")["value"].sum().to_dict() == {"a": 4, "b": 6}
        assert "<table" in table._repr_html_()
        assert table.equals(pandas.read_csv(io.StringIO(table.to_csv(index=False))))
    """,
    "matplotlib": """
        matplotlib.use("Agg")
        figure, axes = matplotlib.pyplot.subplots()
        axes.plot([1, 3, 2])
        axes.set_title("$x^2$")
        picture = io.BytesIO()
        figure.savefig(picture, format="png", bbox_inches="tight")
        assert picture.getvalue().startswith(b"\\x89PNG")
    """,
    "sympy": """
        x = sympy.Symbol("x")
        assert sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2) == 1
        assert sympy.integrate(2 * x) == x**2
    """,
    "networkx": """
        graph = networkx.path_graph(5)
        assert len(networkx.spring_layout(graph, seed=1)) == 5
        assert networkx.shortest_path(graph, 0, 4) == [0, 1, 2, 3, 4]
    """,
    # The last two compute with the threads of OpenMP, too.
    "sklearn": """
        points, kinds = sklearn.datasets.make_blobs(200, centers=2, random_state=0)
        line = sklearn.linear_model.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
        assert abs(line.predict([[2.0]])[0] - 5) < 1e-6
        assert len(sklearn.cluster.KMeans(2, random_state=0).fit(points).cluster_centers_) == 2
        sklearn.ensemble.HistGradientBoostingClassifier(max_iter=5).fit(points, kinds)
    """,
    "seaborn": """
        matplotlib.use("Agg")
        seaborn.set_theme()
        axes = seaborn.histplot([1.0, 2.0, 2.5, 4.0], kde=True)
        axes.figure.savefig(io.BytesIO(), format="png")
    """,
    "xarray": """
        values = xarray.DataArray([[1, 2], [3, 4]], dims=("x", "y"))
        assert values.mean("x").values.tolist() == [2.0, 3.0]
        assert "xarray" in values._repr_html_()
    """,
}

# The alarm ends a child that hangs; Python 3.12 warns of the threads of BLAS.
FORK = """
import_modules()
import importlib, io, os, signal, textwrap, traceback
warnings.filterwarnings("ignore", message=".*fork")

def work(code):
    try:
        signal.alarm(100)
        exec(textwrap.dedent(code), globals())
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

children = []
for name, code in json.loads(sys.argv[2]) * 2:
    pid = os.fork()
    if pid == 0:
        work(code)
    children.append((name, pid))
ends = [(name, os.waitpid(pid, 0)[1]) for name, pid in children]
print(json.dumps([name for name, status in ends if status]))
"""


def test_forked_children_work_with_the_libraries_several_at_once(run_python: RunPython) -> None:
    work = [(name, WORK[name]) for name in INSTALLED]
    modules = list_modules(*INSTALLED)
    done = run_python(IMPORT + FORK, json.dumps(modules), json.dumps(work), timeout=240)
    assert (done.returncode, done.stderr, json.loads(done.stdout)) == (0, "", [])


def test_the_list_has_what_documentation_imports_most() -> None:
    wanted = {"numpy", "pandas", "matplotlib", "scipy", "sympy", "networkx", "sklearn", "seaborn"}
    assert wanted <= set(LIBRARIES) == WORK.keys()


def test_what_is_implied_is_on_the_list_or_imported_for_it() -> None:
    imported = {
        prefix for group in SAFE.values() for name in group for prefix in list_prefixes(name)
    }
    assert {name for library in LIBRARIES for name in get_implied(library)} <= imported


@pytest.mark.skipif("matplotlib" not in INSTALLED, reason="matplotlib is not installed")
def test_choosing_a_backend_does_the_same_before_and_after_preloading(
    run_python: RunPython,
) -> None:
    code = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
print(matplotlib.get_backend(), plt.get_backend(), plt.isinteractive(), len(plt.get_fignums()))
print(sorted((name, str(value)) for name, value in matplotlib.rcParams.items()))
"""
    ordinary = run_python(code)
    preloaded = run_python(
        IMPORT + "import_modules()" + code, json.dumps(list_modules("matplotlib"))
    )
    assert ordinary.stderr == preloaded.stderr == ""
    assert ordinary.stdout == preloaded.stdout != ""


def test_this_interpreter_tests_at_least_what_the_extra_installs() -> None:
    assert {"numpy", "pandas", "matplotlib"} <= set(INSTALLED), sys.executable
