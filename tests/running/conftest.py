"""Running one notebook in a real kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from sphinx_nbcache.model import Job, Key, Notebook, Run
from sphinx_nbcache.running import LocalExecutor, fork_nothing
from sphinx_nbcache.testing import Cell, make_notebook
from tests.conftest import wait_until

RunCells = Callable[..., Run]
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
SLOW_ON_LINUX = (pytest.mark.slow,) if sys.platform == "linux" else ()
"""For a kernel that is started from nothing, where the same is tested with one that is forked."""


def make_job(notebook: Notebook, folder: Path | None, **changes: Any) -> Job:
    """Return a job for a notebook."""
    asked = {"kernel": notebook.kernel_name, "timeout_s": 60.0, "allow_errors": False, **changes}
    return Job(
        name="notebook", notebook=notebook, key=Key("0" * 64), working_directory=folder, **asked
    )


def fork_all(job: Job) -> tuple[str, ...]:
    """Choose the fork server for every kernel, with nothing preloaded."""
    return ()


@pytest.fixture(
    params=[
        pytest.param(fork_nothing, id="started", marks=SLOW_ON_LINUX),
        pytest.param(fork_all, id="forked", marks=ON_LINUX),
    ]
)
def run_cells(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    list_processes: Callable[[], list[psutil.Process]],
) -> RunCells:
    """Return a function that runs cells in a kernel of their own, and looks what is left."""

    def run(*cells: Cell, folder: Path | None = tmp_path, **changes: Any) -> Run:
        job = make_job(make_notebook(*cells), folder, **changes)
        with LocalExecutor(1, choose_modules=request.param) as executor:
            result = executor.submit(job).result(90)
            assert not executor.notices
        assert wait_until(lambda: not list_processes()), "a process was left behind"
        return result

    return run
