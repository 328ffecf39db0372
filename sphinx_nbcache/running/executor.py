"""Executors: where the jobs of a build run, and how many at once.

The local executor drives all kernels from one event loop in one thread: kernels are
processes, so what is left here is waiting.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from sphinx_nbcache.config import Config
from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.model import Job, Run
from sphinx_nbcache.running.cores import count_usable_cores
from sphinx_nbcache.running.kernels import (
    ChooseModules,
    FindVariables,
    Kernels,
    change_nothing,
    fork_nothing,
)
from sphinx_nbcache.running.notebook import run_notebook
from sphinx_nbcache.running.preloading import choose_modules

_STOP_TIMEOUT_S = 20.0


class Executor(Protocol):
    """Runs jobs while its context is open; leaving it stops every kernel."""

    capacity: int
    """How many jobs may be submitted and unfinished at once; asked for while its context is
    open, each time anew."""
    notices: list[str]
    """What the user should know of how jobs are run; whoever shows them takes them out."""

    def __enter__(self) -> Self:
        """Get ready; kernels start with the first job."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what still runs and leave no process behind."""

    def submit(self, job: Job) -> Future[Run]:
        """Start a job; its future never raises but for cancellation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorRequest:
    """What an executor is made for: one build, or one call of ``NotebookCache.execute``."""

    config: Config
    """All options; ``executor_options`` are the executor's own."""
    jobs: tuple[Job, ...] = ()
    """All jobs that may be submitted."""
    learned: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Job name to modules that an earlier run of it was seen to import."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that kernels are to have beside those of this process."""
    memo_keys: str = field(default="", repr=False)
    """What kernels on this machine sign memos with; nothing to be written down or sent."""


class LocalExecutor:
    """Runs up to ``capacity`` notebooks at once in kernels on this machine.

    :param choose_modules: tells which modules the fork server of a job's kernel is to have
        imported; None where that kernel is to be started, not forked.
    :param find_variables: tells which environment variables of a job's kernel differ from
        those of this process; None for one that it is not to have.
    :param memo_keys: what kernels sign memos with.
    :param cores: cores that the kernels share; by default all usable ones.
    """

    def __init__(
        self,
        capacity: int,
        *,
        choose_modules: ChooseModules = fork_nothing,
        find_variables: FindVariables = change_nothing,
        memo_keys: str = "",
        cores: int | None = None,
    ) -> None:
        self.capacity = capacity
        self._kernels = Kernels(
            choose_modules,
            find_variables,
            memo_keys=memo_keys,
            cores=cores or count_usable_cores(),
            capacity=capacity,
        )
        self.notices = self._kernels.servers.notices
        self._runs: dict[asyncio.Task[Any], Job] = {}
        # Not the default loop: on Windows that one cannot watch ZeroMQ's sockets.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="nbcache-kernels", daemon=True
        )

    def __enter__(self) -> Self:
        """Start the event loop's thread."""
        self._thread.start()
        return self

    def submit(self, job: Job) -> Future[Run]:
        """Start a job; its future never raises but for cancellation."""
        return asyncio.run_coroutine_threadsafe(self._run(job), self._loop)

    def has_kernel(self, job: Job) -> bool:
        """Return whether a job has a kernel: for a moment after its cancellation it has."""
        return any(other is job for other in tuple(self._runs.values()))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel what still runs, wait until its kernels are gone, end the thread."""
        stopping = asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
        try:
            stopping.result(_STOP_TIMEOUT_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_TIMEOUT_S)
            if not self._thread.is_alive():  # else closing would hide why it hangs
                self._loop.close()

    async def _run(self, job: Job) -> Run:
        task = asyncio.current_task()
        assert task is not None
        self._runs[task] = job
        try:
            return await run_notebook(job, self._kernels)
        finally:
            del self._runs[task]

    async def _stop(self) -> None:
        """Stop every kernel, then what they came from."""
        runs = list(self._runs)
        for task in runs:
            task.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        await self._kernels.close()
        # Those that nbclient leaves behind when it is cancelled.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def create_local_executor(request: ExecutorRequest) -> LocalExecutor:
    """Return an executor for kernels on this machine, as the configuration asks for it.

    Raises ConfigurationError for ``executor_options``: it has none.
    """
    config = request.config
    if config.executor_options:
        options = dict(config.executor_options)
        raise ConfigurationError("executor_options", options, f"none for {config.executor}")
    cores = count_usable_cores()
    is_forking = sys.platform == "linux" and config.kernel_start != "spawn"
    # Forked kernels wait as long as they compute when they start and end: one more of them
    # keeps the cores busy meanwhile.
    capacity = 1 if config.is_serial else config.jobs or cores + is_forking
    rule = make_rule(request) if is_forking else fork_nothing
    executor = LocalExecutor(
        capacity,
        cores=cores,
        choose_modules=rule,
        find_variables=lambda _: request.variables,
        memo_keys=request.memo_keys,
    )
    if config.kernel_start == "fork" and not is_forking:
        executor.notices.append("kernels are forked on Linux only; here each one is started")
    return executor


def make_rule(request: ExecutorRequest) -> ChooseModules:
    """Return what tells which modules the fork server of a job's kernel is to have imported."""
    option = request.config.preload
    preload = choose_modules(request.jobs, learned=request.learned, option=option)

    def choose(job: Job) -> tuple[str, ...] | None:
        if job.demands.is_fresh:
            return None
        # What is preloaded has settled on its number of threads already.
        return () if job.demands.is_exclusive else preload.select(job)

    return choose
