"""The dask executor, with a scheduler and two workers as processes of their own."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client

from sphinx_nbcache import NotebookCache
from sphinx_nbcache.config import Config
from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.model import Declared, Status
from sphinx_nbcache.running import Executor, ExecutorRequest, create_executor
from sphinx_nbcache.running.dask_worker import Ticket, find_version, run_ticket
from sphinx_nbcache.testing import check_executor, make_notebook, write_notebook
from tests.conftest import ListProcesses, StartPython, wait_until
from tests.running.conftest import make_job

pytestmark = [
    pytest.mark.slow,  # schedulers and workers are processes that start in seconds
    pytest.mark.skipif(os.name != "posix", reason="looks at processes as Linux has them"),
]

_MARK = "MARK_OF_A_CLUSTER"
WAIT = """
import pathlib, time
with open("started-{0}", "a") as file:
    file.write("x")
while not pathlib.Path("go").exists():
    time.sleep(0.05)
print("run {0}")
"""
KILL_WORKER = """
import psutil
for process in psutil.Process().parents():
    if "dask_worker" in " ".join(process.cmdline()):
        process.kill()
"""


class Cluster:
    """A scheduler and workers on this machine."""

    def __init__(self, folder: Path) -> None:
        self._mark = uuid.uuid4().hex
        self._folder = folder
        self._file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        assert wait_until(self._file.exists, 60)
        with Client(scheduler_file=str(self._file), set_as_default=False) as client:
            self.address = str(client.scheduler.address)

    def ensure_workers(self, number: int = 2) -> None:
        """Start workers until there are so many."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < number:
            options = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self._folder))
            self.workers.append(self._start("worker", *options))
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(number, timeout=60)
            assert wait_until(lambda: len(client.nthreads()) == number)

    def list_kernels(self) -> list[psutil.Process]:
        """Return all processes that workers started, orphans included."""
        own = {self.scheduler.pid, *(worker.pid for worker in self.workers)}
        return [p for p in psutil.process_iter() if p.pid not in own and self._has_mark(p)]

    def close(self) -> None:
        """End all."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        assert wait_until(lambda: not self.list_kernels())

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        common = ["--scheduler-file", str(self._file), "--dashboard-address", "127.0.0.1:0"]
        environment = {
            **os.environ,
            _MARK: self._mark,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        }
        with (self._folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *common, *options],
                stdout=log,
                stderr=log,
                env=environment,
            )

    def _has_mark(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            is_ours = process.environ().get(_MARK) == self._mark
            return is_ours and process.status() != "zombie"
        return False


@pytest.fixture(scope="module")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(_cluster: Cluster) -> Iterator[Cluster]:
    """Return a cluster with two workers, and see that no kernel is left there."""
    _cluster.ensure_workers()
    yield _cluster
    assert wait_until(lambda: not _cluster.list_kernels()), "a process was left behind"


def open_dask(address: str, **options: Any) -> Executor:
    """Return an executor for a cluster, not entered yet."""
    given = tuple({"address": address, **options}.items())
    config = Config(executor="dask", executor_options=given)
    return create_executor(ExecutorRequest(config=config))


def test_it_keeps_the_contract_of_executors(cluster: Cluster, tmp_path: Path) -> None:
    check_executor(lambda: open_dask(cluster.address), folder=tmp_path)


def test_there_is_room_for_as_many_notebooks_as_workers_have_threads(cluster: Cluster) -> None:
    with open_dask(cluster.address) as executor:
        assert executor.capacity == 2
    with open_dask(cluster.address, jobs=5) as executor:
        assert executor.capacity == 5


def test_killing_one_of_two_workers_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    with open_dask(cluster.address, jobs=4) as executor:
        notebooks = [make_notebook(WAIT.format(number)) for number in range(4)]
        futures = [executor.submit(make_job(notebook, tmp_path)) for notebook in notebooks]
        assert wait_until(lambda: len([*tmp_path.glob("started-*")]) == 2, 60)
        cluster.workers[0].kill()
        (tmp_path / "go").touch()
        runs = [future.result(60) for future in futures]
        assert wait_until(lambda: bool(executor.notices))
    assert [run.status for run in runs] == [Status.RAN] * 4
    told = [cell.outputs[0]["text"] for run in runs for cell in run.outputs.cells if cell]
    assert told == [f"run {number}\n" for number in range(4)]
    starts = sum(len(path.read_text()) for path in tmp_path.glob("started-*"))
    assert starts == 5, "the lost worker's notebook ran a second time"
    assert "is gone; what it was running runs again" in executor.notices[0]


def test_a_notebook_that_kills_its_workers_is_given_up(cluster: Cluster, tmp_path: Path) -> None:
    with open_dask(cluster.address) as executor:
        run = executor.submit(make_job(make_notebook(KILL_WORKER), tmp_path)).result(60)
    assert run.failure is not None
    assert run.failure.headline.startswith(
        "DaskWorkerLostError: 2 dask workers died while they ran this notebook"
    )


def test_kernels_end_when_the_build_is_killed(
    cluster: Cluster, tmp_path: Path, start_python: StartPython
) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from sphinx_nbcache.testing import make_notebook\n"
        "from tests.running.conftest import make_job\n"
        "from tests.running.test_dask_executor import WAIT, open_dask\n"
        "with open_dask(sys.argv[1]) as executor:\n"
        "    executor.submit(make_job(make_notebook(WAIT.format(0)), Path(sys.argv[2])))\n"
        "    time.sleep(1000)\n"
    )
    build = start_python(program, cluster.address, tmp_path)
    assert wait_until((tmp_path / "started-0").exists, 60)
    build.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not cluster.list_kernels())


def test_a_kernel_has_the_declared_variables_of_the_build(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGION", "north")
    notebook = make_notebook(f"import os; print(os.environ['REGION'], {_MARK!r} in os.environ)")
    job = make_job(notebook, tmp_path, declared=Declared(env=("REGION", _MARK)))
    with open_dask(cluster.address) as executor:
        (cell,) = executor.submit(job).result(60).outputs.cells
    assert cell is not None
    assert cell.outputs[0]["text"] == "north False\n"


def test_entries_and_artifacts_come_back(cluster: Cluster, project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "open('table.csv', 'w').write(open('data').read())")
    (project_folder / "data").write_text("1")
    cache = NotebookCache(project=project_folder)
    options = {"address": cluster.address}

    def execute() -> str:
        (outcome,) = cache.execute(
            [project_folder], executor="dask", executor_options=options
        ).outcomes
        return str(outcome.status)

    assert execute() == "ran"
    (project_folder / "table.csv").unlink()
    assert execute() == "hit"
    assert (project_folder / "table.csv").read_text() == "1"
    (project_folder / "data").write_text("2")
    assert execute() == "ran"


def test_a_folder_that_a_worker_does_not_have_fails_the_notebook_and_names_the_worker(
    cluster: Cluster, tmp_path: Path
) -> None:
    with open_dask(cluster.address) as executor:
        run = executor.submit(make_job(make_notebook("1"), tmp_path / "gone")).result(60)
    assert run.failure is not None
    assert run.failure.headline.startswith("DaskWorkerError: the dask worker tcp://127.0.0.1:")
    assert "cannot use the notebook's folder" in run.failure.message
    assert "at the same path" in run.failure.message


def test_a_worker_refuses_what_is_not_the_same_folder_or_version(
    cluster: Cluster, tmp_path: Path
) -> None:
    ticket = Ticket(build="", job=make_job(make_notebook("1"), tmp_path), folder_inode=1)
    with Client(cluster.address, set_as_default=False) as client:
        futures = [
            client.submit(run_ticket, version, pickle.dumps(ticket), pure=False)
            for version in (find_version(), "0.0.1")
        ]
        reasons = [reason for _, (_, reason) in client.gather(futures)]
    assert reasons[0].startswith("has another folder than this build at")
    assert reasons[1] == f"has sphinx-nbcache {find_version()}, and this build 0.0.1"


def test_without_a_worker_or_a_scheduler_notebooks_fail_after_a_while(tmp_path: Path) -> None:
    empty = Cluster(tmp_path)
    job = make_job(make_notebook("1"), tmp_path)
    try:
        with open_dask(empty.address, wait_s=2) as executor:
            runs = [executor.submit(job).result(60)]
            empty.scheduler.kill()
            runs.append(executor.submit(job).result(60))
    finally:
        empty.close()
    words = [run.failure.headline for run in runs if run.failure]
    assert words[0].startswith(f"NoDaskWorkerError: the dask cluster at {empty.address} has had no")
    assert words[1].startswith("NoDask")


def _is_tracker(process: psutil.Process) -> bool:
    """Return whether a process is Python's own, which ends with the one that spawned others."""
    try:
        return "multiprocessing.resource_tracker" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_without_an_address_workers_are_started_here(
    tmp_path: Path, list_processes: ListProcesses
) -> None:
    config = Config(executor="dask", jobs=1)
    with create_executor(ExecutorRequest(config=config)) as executor:
        assert wait_until(lambda: executor.capacity == 1)
        run = executor.submit(make_job(make_notebook("1"), tmp_path)).result(60)
        assert len(list_processes()) >= 2
    assert run.status is Status.RAN
    assert wait_until(lambda: all(_is_tracker(process) for process in list_processes()))


def test_no_scheduler_at_the_address_is_an_error() -> None:
    with (
        pytest.raises(ConfigurationError, match="a dask scheduler that answers"),
        open_dask("tcp://127.0.0.1:9", wait_s=0.5),
    ):
        pass


@pytest.mark.parametrize(
    "options", [{"adress": "x"}, {"address": 1}, {"wait_s": 0}, {"wait_s": None}, {"jobs": "many"}]
)
def test_wrong_options_are_an_error_that_says_which_there_are(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"expected for dask: address \(a text"):
        open_dask(**{"address": "tcp://127.0.0.1:9", **options})
