"""The executor for dask clusters: each notebook is a task, run by a worker in a local kernel.

All that talks to dask lives in one event loop in one thread, where each wait has its limit.
What happens on a worker is in ``dask_worker``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import threading
import time
import uuid
from collections import Counter
from collections.abc import Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sphinx_nbcache.config import check_jobs, check_seconds
from sphinx_nbcache.errors import ConfigurationError, MissingExtraError
from sphinx_nbcache.model import CellRun, CellStatus, Failure, Job, Outputs, Run, Status
from sphinx_nbcache.running.cores import count_usable_cores
from sphinx_nbcache.running.dask_worker import (
    RUN,
    Answer,
    Ticket,
    close_place,
    find_version,
    run_ticket,
)
from sphinx_nbcache.running.executor import ExecutorRequest, make_rule
from sphinx_nbcache.running.kernels import ChooseModules, fork_nothing

if TYPE_CHECKING:
    from distributed import Client
    from distributed import Future as Task

_EXPECTED = (
    "for dask: address (a text such as tcp://10.0.0.1:8786), jobs (a whole number from 1), "
    "wait_s (a number of seconds above 0)"
)
_CONNECT_S = 10.0
_LOOK_S = 0.5
_ASK_S = 5.0
_STOP_POLL_S = 0.1
_STOP_S = 20.0
_CLOSE_S = 60.0
_LOGGER = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskOptions:
    """The checked ``executor_options`` of this executor."""

    address: str | None = None
    """The scheduler's; None for a cluster on this machine, made for the build."""
    jobs: int | None = None
    """How many notebooks may be in flight; None for as many as the cluster has threads."""
    wait_s: float = 60.0
    """How long notebooks wait for a cluster that has no worker."""

    @classmethod
    def from_request(cls, request: ExecutorRequest) -> DaskOptions:
        """Check the options; ``nbcache_jobs`` counts where they do not say ``jobs``.

        Raises ConfigurationError.
        """
        given = dict(request.config.executor_options)
        try:
            return cls._check({"jobs": request.config.jobs, **given})
        except (TypeError, ValueError) as error:
            raise ConfigurationError("executor_options", given, _EXPECTED) from error

    @classmethod
    def _check(cls, given: Mapping[str, Any]) -> DaskOptions:
        options = {"address": None, "wait_s": cls().wait_s, **given}
        address, wait_s = options.pop("address"), check_seconds(options.pop("wait_s"))
        jobs = check_jobs(options.pop("jobs"))
        if options or wait_s is None or not isinstance(address, str | None) or address == "":
            raise ValueError
        return cls(address=address, jobs=jobs, wait_s=wait_s)


def create_dask_executor(request: ExecutorRequest) -> DaskExecutor:
    """Return the executor for the cluster that the options name.

    Raises ConfigurationError for wrong options, MissingExtraError without ``distributed``.
    """
    options = DaskOptions.from_request(request)
    if find_spec("distributed") is None:
        raise MissingExtraError("distributed", "dask")
    is_forking = request.config.kernel_start != "spawn"
    choose_modules = make_rule(request) if is_forking else fork_nothing
    return DaskExecutor(options, choose_modules, request.variables)


class _NoWorkerError(Exception):
    """The cluster has had no worker for longer than notebooks wait."""


class _NoSchedulerError(Exception):
    """The scheduler is gone, and with it all that it knew."""


class DaskExecutor:
    """Runs notebooks on the workers of a dask cluster.

    A lost worker's notebooks run again on another one, which is dask's own doing. While there
    is no worker, notebooks wait: a cluster may grow only when there is something to run.

    :param choose_modules: tells what a forked kernel's server is to have imported; None for a
        kernel that is to be started.
    :param variables: environment variables that kernels are to have.
    """

    def __init__(
        self, options: DaskOptions, choose_modules: ChooseModules, variables: Mapping[str, str]
    ) -> None:
        self.capacity = options.jobs or 1
        self.notices: list[str] = []
        self._options = options
        self._choose_modules = choose_modules
        self._variables = variables
        self._build = uuid.uuid4().hex
        self._stack = AsyncExitStack()
        self._client: Client | None = None
        self._threads: Mapping[str, int] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        """Every run, and the watch over the workers."""
        self._is_closing = False
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="nbcache-dask", daemon=True
        )
        self._deserted = asyncio.Event()
        """Set while there is no worker, and has not been for longer than notebooks wait."""

    def __enter__(self) -> Self:
        """Connect to the scheduler; raises ConfigurationError where none answers."""
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def submit(self, job: Job) -> Future[Run]:
        """Send a job to the cluster; its future never raises but for cancellation."""
        return asyncio.run_coroutine_threadsafe(self._run(job), self._loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel what still runs, wait until its kernels are gone, leave the cluster."""
        try:
            self._call(self._close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_S)
            if not self._thread.is_alive():
                self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_CLOSE_S)

    async def _open(self) -> None:
        from distributed import Client

        address = self._options.address or await self._start_cluster()
        timeout_s = min(_CONNECT_S, self._options.wait_s)
        client = Client(address, asynchronous=True, set_as_default=False, timeout=timeout_s)
        self._stack.push_async_callback(client.close)
        try:
            await client
        except (OSError, ValueError, TypeError) as error:
            expected = f"the address of a dask scheduler that answers; here: {error}"
            given = {"address": address}
            raise ConfigurationError("executor_options", given, expected) from error
        self._client = client
        self._note_threads(await client.nthreads())
        self._tasks.add(asyncio.create_task(self._watch()))

    async def _start_cluster(self) -> str:
        """Start a cluster on this machine, which ends with this executor."""
        from distributed import LocalCluster

        cluster: Any = LocalCluster(
            n_workers=self._options.jobs or count_usable_cores(),
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=0,  # workers only wait; kernels have limits of their own
            silence_logs=logging.ERROR,
            asynchronous=True,
        )
        self._stack.push_async_callback(cluster.close)
        try:
            await cluster
        except (OSError, RuntimeError) as error:
            expected = f"a dask cluster that starts on this machine; here: {error}"
            raise ConfigurationError("executor", "dask", expected) from error
        return str(cluster.scheduler_address)

    async def _close(self) -> None:
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._wait_for_kernels(self._client)
        await self._stack.aclose()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _wait_for_kernels(self, client: Client) -> None:
        """Wait until no worker has a kernel of this build, as far as workers answer."""
        deadline = time.monotonic() + _STOP_S
        is_over = client.status != "running"
        while not is_over and time.monotonic() < deadline:
            try:
                asked = client.run(close_place, self._build, on_error="ignore")
                async with asyncio.timeout(_ASK_S):
                    answers = await asked
            except Exception as error:  # noqa: BLE001 - whatever a dying cluster says
                _LOGGER.debug("workers do not say whether their kernels are gone: %s", error)
                return
            is_over = all(answers.values())
            await asyncio.sleep(0 if is_over else _STOP_POLL_S)

    async def _run(self, job: Job) -> Run:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            worker, (word, content) = await self._ask(job)
        except Exception as error:  # noqa: BLE001 - the worker's boundary: one notebook never ends the build
            return _make_lost_run(job, self._describe(error))
        finally:
            self._tasks.discard(task)
        if word == RUN:
            run: Run = pickle.loads(content)  # noqa: S301 - from where dask's own values come
            return replace(run, job=job)
        failure = Failure(name="DaskWorkerError", message=f"the dask worker {worker} {content}")
        return _make_lost_run(job, failure)

    async def _ask(self, job: Job) -> tuple[str, Answer]:
        """Have a worker run a job; return who did it, and the answer."""
        assert self._client is not None
        key = f"nbcache-{uuid.uuid4().hex}"
        data = pickle.dumps(self._make_ticket(job))
        future = self._client.submit(run_ticket, find_version(), data, key=key, pure=False)
        answer = asyncio.create_task(_receive(future))
        deserted = asyncio.create_task(self._deserted.wait())
        try:
            await asyncio.wait({answer, deserted}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise _NoWorkerError
            if answer.cancelled():
                raise CancelledError
            return answer.result()
        except CancelledError as error:
            raise _NoSchedulerError from error  # nobody else cancels tasks of ours
        finally:
            answer.cancel()
            deserted.cancel()
            future.release()  # nobody waits any more: the worker stops the kernel

    def _make_ticket(self, job: Job) -> Ticket:
        folder = job.working_directory
        is_there = folder is not None and folder.is_dir()
        threads = {name: min(n, self.capacity) for name, n in _sum_up(self._threads).items()}
        return Ticket(
            build=self._build,
            job=job,
            modules=self._choose_modules(job),
            variables={
                **self._variables,
                **{name: os.environ.get(name) for name in job.declared.env},
            },
            threads=threads,
            folder_inode=folder.stat().st_ino if folder is not None and is_there else None,
        )

    async def _watch(self) -> None:
        """Keep an eye on the workers: how many there are, which are lost, whether there are any."""
        assert self._client is not None
        seen = time.monotonic()
        while not self._is_closing:  # its cancellation may be lost in dask's own waiting
            await asyncio.sleep(_LOOK_S)
            try:
                async with asyncio.timeout(_ASK_S):
                    threads = await self._client.nthreads()
            except Exception as error:  # noqa: BLE001 - the runs tell of a lost scheduler
                _LOGGER.debug("the scheduler does not say which workers it has: %s", error)
                continue
            self._note_threads(threads)
            if threads:
                seen = time.monotonic()
                self._deserted.clear()
            elif time.monotonic() - seen > self._options.wait_s:
                self._deserted.set()

    def _note_threads(self, threads: Mapping[str, int]) -> None:
        for address in self._threads.keys() - threads.keys():
            self.notices.append(
                f"the dask worker {address} is gone; what it was running runs again on another one"
            )
        self._threads = threads
        self.capacity = self._options.jobs or sum(threads.values()) or 1

    def _describe(self, error: Exception) -> Failure:
        """Return why a notebook has no run, for people."""
        from distributed import KilledWorker

        address = self._options.address
        cluster = "the local dask cluster" if address is None else f"the dask cluster at {address}"
        if isinstance(error, _NoWorkerError):
            how = "" if address is None else f"; start one with `dask worker {address}`"
            message = f"{cluster} has had no worker for {self._options.wait_s:g} s (wait_s){how}"
            return Failure(name="NoDaskWorkerError", message=message)
        if isinstance(error, _NoSchedulerError):
            return Failure(name="NoDaskSchedulerError", message=f"{cluster} lost its scheduler")
        if isinstance(error, KilledWorker):
            message = (
                f"{error.allowed_failures + 1} dask workers died while they ran this notebook, the "
                f"last one at {error.last_worker.address}; it is not tried again"
            )
            return Failure(name="DaskWorkerLostError", message=message)
        message = (
            f"{cluster} could not run it: {type(error).__name__}: {error}; its scheduler and its "
            "workers need the same Python environment as this build"
        )
        return Failure(name="DaskError", message=message)


async def _receive(future: Task[Any]) -> tuple[str, Answer]:
    answer: tuple[str, Answer] = await future
    return answer


def _sum_up(threads: Mapping[str, int]) -> Counter[str]:
    """Return the threads of each machine from those of each worker."""
    from distributed.comm.addressing import get_address_host

    found: Counter[str] = Counter()
    for address, number in threads.items():
        found[get_address_host(address)] += number
    return found


def _make_lost_run(job: Job, failure: Failure) -> Run:
    """Return the run of a notebook that no worker ran."""
    numbers = [cell.number for cell in job.notebook.iterate_code_cells()]
    return Run(
        job=job,
        status=Status.FAILED,
        outputs=Outputs((None,) * len(numbers)),
        cells=tuple(CellRun(number, CellStatus.NOT_RUN) for number in numbers),
        started_at=time.time(),
        seconds=0.0,
        failure=failure,
    )
