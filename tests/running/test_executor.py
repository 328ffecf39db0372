"""Executors: several kernels at once, none left behind, nothing leaked."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sphinx_nbcache.config import EXECUTORS, Config
from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.model import Status
from sphinx_nbcache.running import ExecutorRequest, LocalExecutor, create_executor
from sphinx_nbcache.testing import check_executor, make_notebook
from tests.conftest import wait_until
from tests.running.conftest import make_job

ListProcesses = Callable[[], list[psutil.Process]]
RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

SPAWN_AND_WAIT = """
import os, subprocess, sys, time
code = "import time; time.sleep(1000)"
subprocess.Popen([sys.executable, "-c", code])
os.system(f'"{sys.executable}" -c "{code}" &')
open("started", "w").close()
time.sleep(1000)
"""


def test_closing_it_stops_kernels_and_all_that_they_started(
    tmp_path: Path, list_processes: ListProcesses
) -> None:
    with LocalExecutor(1) as executor:
        future = executor.submit(make_job(make_notebook(SPAWN_AND_WAIT), tmp_path))
        assert wait_until((tmp_path / "started").exists, 60)
        assert len(list_processes()) >= 3
    assert future.cancelled()
    assert wait_until(lambda: not list_processes())


def test_closing_it_while_a_kernel_starts_stops_that_too(
    tmp_path: Path, list_processes: ListProcesses
) -> None:
    with LocalExecutor(1) as executor:
        future = executor.submit(make_job(make_notebook("1"), tmp_path))
        assert wait_until(lambda: bool(list_processes()), 30)
    assert future.cancelled()
    assert wait_until(lambda: not list_processes())


def test_an_error_inside_its_context_stops_kernels_too(
    tmp_path: Path, list_processes: ListProcesses
) -> None:
    def submit_and_fail() -> None:
        with LocalExecutor(1) as executor:
            executor.submit(make_job(make_notebook(SPAWN_AND_WAIT), tmp_path))
            assert wait_until((tmp_path / "started").exists, 60)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        submit_and_fail()
    assert wait_until(lambda: not list_processes())


def test_several_notebooks_run_at_once(tmp_path: Path) -> None:
    """Each waits for a file that the other one writes."""
    code = (
        "import pathlib, time\n"
        "pathlib.Path('{0}').touch()\n"
        "while not pathlib.Path('{1}').exists():\n"
        "    time.sleep(0.05)"
    )
    with LocalExecutor(2) as executor:
        notebooks = [make_notebook(code.format(*names)) for names in ("ab", "ba")]
        futures = [executor.submit(make_job(notebook, tmp_path)) for notebook in notebooks]
        assert [future.result(60).status for future in futures] == [Status.RAN, Status.RAN]


def test_nothing_that_a_kernel_writes_reaches_the_streams_of_the_build(
    tmp_path: Path, run_python: RunPython
) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sphinx_nbcache.running import LocalExecutor\n"
        "from sphinx_nbcache.testing import check_executor, make_notebook\n"
        "from tests.running.conftest import make_job\n"
        "noise = '''import os, sys\n"
        "os.write(1, b'noise 1')\n"
        "os.write(2, b'noise 2')\n"
        "os.system('echo noise 3; echo noise 4 >&2')\n"
        "sys.__stderr__.write('noise 5')\n"
        "print('noise 6')'''\n"
        "with LocalExecutor(2) as executor:\n"
        "    jobs = [make_job(make_notebook(noise + end), Path(sys.argv[1]))\n"
        "            for end in ('', '\\n1 / 0', '\\nos._exit(1)')]\n"
        "    runs = [executor.submit(job).result() for job in jobs]\n"
        "print([str(run.status) for run in runs])\n"
    )
    result = run_python(program, tmp_path)
    assert result.stdout == "['ran', 'failed', 'failed']\n"
    assert result.stderr == ""


@pytest.mark.parametrize("name", [name for name in EXECUTORS if name != "dask"])
@pytest.mark.parametrize("jobs", [1, 7])
def test_a_serial_executor_has_room_for_one_and_a_parallel_one_for_all_jobs(
    name: str, jobs: int
) -> None:
    with create_executor(ExecutorRequest(config=Config(executor=name, jobs=jobs))) as executor:
        assert executor.capacity == (1 if "serial" in name else jobs)


def test_the_local_executor_keeps_the_contract_of_executors() -> None:
    check_executor(lambda: create_executor(ExecutorRequest(config=Config(jobs=2))))


def test_a_local_executor_has_no_options_and_names_those_it_gets() -> None:
    config = Config(executor="temp-serial", executor_options=(("address", "x"),))
    message = re.escape("executor_options = {'address': 'x'}: expected none for temp-serial")
    with pytest.raises(ConfigurationError, match=message):
        create_executor(ExecutorRequest(config=config))


COUNT = """
from sphinx_nbcache.config import Config
from sphinx_nbcache.running import ExecutorRequest, create_executor
with create_executor(ExecutorRequest(config=Config(kernel_start="spawn"))) as executor:
    print(executor.capacity)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_by_default_there_is_room_for_as_many_as_there_are_cores_left_to_the_process(
    run_python: RunPython,
) -> None:
    cores = sorted(os.sched_getaffinity(0))
    for some in (cores[:1], cores):
        code = f"import os; os.sched_setaffinity(0, {some})\n{COUNT}"
        assert 1 <= int(run_python(code).stdout) <= len(some)


def test_a_limit_set_for_loky_holds(run_python: RunPython) -> None:
    code = f"import os; os.environ['LOKY_MAX_CPU_COUNT'] = '1'\n{COUNT}"
    assert run_python(code).stdout == "1\n"
