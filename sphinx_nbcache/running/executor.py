"""Executors: where the jobs of a build run, and how many at once.

The local executor drives all kernels from one event loop in one thread: kernels are
processes, so what is left here is waiting.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Protocol, Self

from sphinx_nbcache.config import Config
from sphinx_nbcache.model import Job, Run
from sphinx_nbcache.running.cores import count_usable_cores
from sphinx_nbcache.running.notebook import run_notebook

_STOP_TIMEOUT_S = 20.0


class Executor(Protocol):
    """Runs jobs while its context is open; leaving it stops every kernel."""

    capacity: int
    """How many jobs may be submitted and unfinished at once."""

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


class LocalExecutor:
    """Runs up to ``capacity`` notebooks at once in kernels on this machine."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
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
        return asyncio.run_coroutine_threadsafe(run_notebook(job), self._loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel what still runs, wait until its kernels are gone, end the thread."""
        stopping = asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop)
        try:
            stopping.result(_STOP_TIMEOUT_S)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_TIMEOUT_S)
            self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def create_executor(config: Config) -> Executor:
    """Return the executor that the configuration asks for."""
    return LocalExecutor(1 if config.is_serial else config.jobs or count_usable_cores())
