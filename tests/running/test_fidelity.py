"""A forked kernel gives the outputs of a started one: notebooks made to tell them apart.

The notebooks are in ``corpus/``: cells begin with ``# %%``. The files that they find in their
folder are in ``corpus/beside`` and, for one of them, in a folder with its name; modules that
stand for libraries are in ``corpus/installed``.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.model import Job, Run
from sphinx_nbcache.running import LocalExecutor, fork_nothing
from sphinx_nbcache.running.preloading import SAFE, choose_modules
from sphinx_nbcache.testing import make_notebook
from tests.running.conftest import fork_all, make_job
from tests.running.likeness import join_streams, replace_varying

# The kernels that these tests share are run once, in one worker.
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only"),
    pytest.mark.xdist_group("fidelity"),
    pytest.mark.slow,
]

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.ipy"))
ChooseModules = Callable[[Job], tuple[str, ...] | None]
LIBRARIES = (*SAFE["numpy"], *SAFE["pandas"], *SAFE["matplotlib"], "fixed_dice", "free_dice")
# Of one length, so that paths wrap at the same place.
WAYS = ("started", "forking", "preload")
# One started kernel in 20 hangs when it ends, in ipykernel, and is killed after some seconds:
# what it left says nothing.
_KILLED_S = 4.0
_TRIES = 4

# Where it would show on the page that libraries have been imported before.
NOT_PRELOADED = {
    "identity",
    "logging_shown",
    "magics",
    "modules",
    "own_matplotlibrc",
    "plot_backend_late",
    "processes",
    "random_numbers",
    "shadowing",
    "shell_state",
    "warning_filters",
    "warnings_error",
    "warnings_shown",
}


@dataclass(frozen=True)
class Seen:
    """All that one run left, without what varies."""

    outputs: Any
    files: Mapping[str, bytes]
    ending: Any


def read_cells(name: str) -> list[str]:
    text = (CORPUS / f"{name}.ipy").read_text(encoding="utf-8")
    return [cell.strip("\n") for cell in text.split("# %%\n")[1:]]


def make_corpus_job(root: Path, name: str) -> Job:
    """Return the job of a notebook, in a folder of its own."""
    folder = root / name
    shutil.copytree(CORPUS / "beside", folder, ignore=shutil.ignore_patterns("__pycache__"))
    if (CORPUS / name).is_dir():
        shutil.copytree(CORPUS / name, folder, dirs_exist_ok=True)
    notebook = make_notebook(*read_cells(name))
    allow_errors = not name.startswith("failing_")
    return replace(make_job(notebook, folder, allow_errors=allow_errors), name=name)


def run_jobs(jobs: Collection[Job], rule: ChooseModules) -> list[Run]:
    """Run notebooks in one executor, some at once; return the runs in the order of jobs."""
    waiting = list(jobs)
    futures: dict[Future[Run], str] = {}
    with LocalExecutor(3, cores=2, choose_modules=rule) as executor:
        while waiting:
            while waiting and sum(not future.done() for future in futures) < executor.capacity:
                job = waiting.pop()
                futures[executor.submit(job)] = job.name
            wait([future for future in futures if not future.done()], None, FIRST_COMPLETED)
        runs = {name: future.result(90) for future, name in futures.items()}
        assert not executor.notices
    return [runs[job.name] for job in jobs]


def look(run: Run, root: Path) -> Seen:
    """Return all that a run left: outputs, files in its folder, how it ended."""
    folder, failure, names = run.job.working_directory, run.failure, {str(root): "ROOT"}
    assert folder is not None
    cells = list(run.outputs.cells)
    if failure is not None and failure.name == "DeadKernelError" and failure.cell is not None:
        cells[failure.cell - 1] = None  # what had come when it died is a matter of time
    outputs = [cell and [cell.execution_count, join_streams(cell.outputs)] for cell in cells]
    files = {
        replace_varying(path.relative_to(folder).as_posix(), names): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    ending = {
        "status": run.status,
        "cells": [cell.status for cell in run.cells],
        "metadata": run.outputs.metadata,
        "failure": failure and [failure.name, failure.message, failure.line, failure.traceback],
    }
    return Seen(replace_varying(outputs, names), files, replace_varying(ending, names))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Set what all kernels of this module see; the same for each way."""
    root = tmp_path_factory.mktemp("fidelity")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(root / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(root / "runtime"))
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        patch.setenv("PYTHONPATH", str(CORPUS / "installed"))
        yield root


def make_rule(way: str, jobs: Collection[Job]) -> ChooseModules:
    """Return how kernels come to be: the rule of a real build, or the same for all."""
    preload = choose_modules(jobs, learned={}, option=LIBRARIES)
    return {"started": fork_nothing, "forking": fork_all, "preload": preload.select}[way]


def run_corpus(root: Path, way: str) -> Iterator[Run]:
    """Run the corpus one way; a notebook whose kernel had to be killed once more."""
    names = set(NAMES) - (NOT_PRELOADED if way == "preload" else set())
    for _ in range(_TRIES):
        for name in names:
            shutil.rmtree(root / name, ignore_errors=True)
        jobs = [make_corpus_job(root, name) for name in names]
        for run in run_jobs(jobs, make_rule(way, jobs)):
            if run.phases.get("shutdown", 0.0) < _KILLED_S:
                names.remove(run.job.name)
                yield run
    assert not names, f"killed at their end: {names}"


@pytest.fixture(scope="module")
def seen(environment: Path) -> Mapping[str, Mapping[str, Seen]]:
    """Run the whole corpus three ways; way to name to what was seen."""
    roots = {way: environment / way for way in WAYS}
    return {
        way: {run.job.name: look(run, root) for run in run_corpus(root, way)}
        for way, root in roots.items()
    }


@pytest.mark.parametrize(
    ("way", "name"),
    [("forking", name) for name in NAMES]
    + [("preload", name) for name in NAMES if name not in NOT_PRELOADED],
)
def test_a_notebook_looks_the_same_from_a_forked_kernel_as_from_a_started_one(
    way: str, name: str, seen: Mapping[str, Mapping[str, Seen]]
) -> None:
    assert seen[way][name].outputs == seen["started"][name].outputs
    assert seen[way][name].files == seen["started"][name].files
    assert seen[way][name].ending == seen["started"][name].ending


def test_most_of_the_corpus_is_run_with_libraries_imported_beforehand(tmp_path: Path) -> None:
    jobs = [make_corpus_job(tmp_path, name) for name in NAMES]
    rule = make_rule("preload", jobs)
    assert {job.name for job in jobs if not rule(job)} == NOT_PRELOADED


RANDOM = """
import multiprocessing, random, secrets, tempfile, uuid
import free_dice
import numpy as np
import pandas as pd

sequence = np.random.get_bit_generator().seed_seq
drawn = {
    "random": random.random(),
    "random, an instance of a library": free_dice.plain.random(),
    "random, a new instance": random.Random().random(),
    "random from the system": random.SystemRandom().random(),
    "numpy, the old way": np.random.rand(),
    "numpy, the generator behind it": sequence.entropy,
    "numpy, a child of that": sequence.spawn(1)[0].generate_state(4).tolist(),
    "numpy, default_rng": np.random.default_rng().random(),
    "numpy, a generator of a library": free_dice.generator.random(),
    "numpy, a child of that generator": free_dice.generator.spawn(1)[0].random(),
    "numpy, an old generator of a library": free_dice.legacy.rand(),
    "pandas": pd.Series(range(2**16)).sample(8).tolist(),
    "uuid1": str(uuid.uuid1()),
    "uuid4": str(uuid.uuid4()),
    "secrets": secrets.token_hex(),
    "tempfile": next(tempfile._get_candidate_names()),
    "authkey": bytes(multiprocessing.current_process().authkey).hex(),
    "session": get_ipython().kernel.session.session,
}
"""
RANDOM_CELLS = (RANDOM, "import json; print(json.dumps(drawn))")


def test_no_two_kernels_share_random_numbers(environment: Path) -> None:
    jobs = [
        replace(make_job(make_notebook(*RANDOM_CELLS), environment), name=name)
        for name in ("one", "two")
    ]
    drawn: list[dict[str, Any]] = []
    for way in WAYS[1:]:
        rule = make_rule(way, jobs)
        assert bool(rule(jobs[0])) == (way == "preload")
        for run in run_jobs(jobs, rule):
            assert run.failure is None
            *_, last = run.outputs.cells
            assert last is not None
            drawn.append(json.loads(last.outputs[0]["text"]))
    for name in drawn[0]:
        values = [json.dumps(numbers[name]) for numbers in drawn]
        assert len(set(values)) == len(values), f"{name}: {values}"


STARTUP = """
import warnings
warnings.filterwarnings("ignore", message="from the startup file")
started_with = [1]
print("printed by a startup file")
"""
CONFIG = """
c.InteractiveShellApp.exec_lines = ["import decimal", "configured = 7"]
c.InlineBackend.figure_formats = {"svg"}
c.InteractiveShell.ast_node_interactivity = "all"
"""
OWN_KERNEL = (
    "import os, sys, warnings\nstarted_with, configured, decimal.Decimal(1)\n5",
    "print(sys.flags, sys.warnoptions, sys._xoptions, get_ipython().profile, sys.argv[3:])\n"
    "print(os.environ['OWN_VARIABLE'], os.environ.get('PYTHONPATH'), sys.path)",
    "warnings.warn('from the startup file')\nwarnings.warn('own')",
    "warnings.warn('old', PendingDeprecationWarning)",
    "import numpy as np\nnp.sqrt(-1.0)",
    "import matplotlib.pyplot as plt\nplt.rcParams['svg.hashsalt'] = 'same'\n"
    "%config InlineBackend.print_figure_kwargs = {'metadata': {'Date': None}}\n"
    "plt.figure(figsize=(1, 1))\nplt.plot([1, 2])",
)


def test_kernelspecs_profiles_and_startup_files_count_as_ever(environment: Path) -> None:
    """One kernelspec with options for the interpreter, a profile and variables."""
    profile = environment / "own" / "profile_own"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "first.py").write_text(STARTUP)
    (profile / "ipython_kernel_config.py").write_text(f"c = get_config()\n{CONFIG}")
    spec = environment / "share" / "kernels" / "own" / "kernel.json"
    spec.parent.mkdir(parents=True)
    options = ["-W", "default", "-X", "utf8", "-m", "ipykernel_launcher"]
    argv = [sys.executable, *options, "-f", "{connection_file}", "--profile=own"]
    variables = {"OWN_VARIABLE": "own", "IPYTHONDIR": str(environment / "own")}
    spec.write_text(json.dumps({"argv": argv, "display_name": "own", "env": variables}))
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(environment / "share"))
        for way in WAYS:
            folder = environment / "own" / way
            folder.mkdir()
            notebook = make_notebook(*OWN_KERNEL, kernel="own")
            jobs = [make_job(notebook, folder, allow_errors=True)]
            found += [look(run, folder) for run in run_jobs(jobs, make_rule(way, jobs))]
    started, *forked = found
    assert "image/svg+xml" in json.dumps(started.outputs)
    assert forked == [started, started]
