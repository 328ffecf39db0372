"""What happens on a dask worker: a ticket comes, its notebook runs in a kernel of that machine.

Who sends tickets is in ``dask_executor``. Names of functions and the form of an answer are
what clients of another version meet, so they stay as they are.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.model import Job, Run
from sphinx_nbcache.running.cores import count_usable_cores
from sphinx_nbcache.running.executor import LocalExecutor

if TYPE_CHECKING:
    from distributed import Worker

Answer = tuple[str, Any]
"""A word and what belongs to it: ``RUN`` and a pickled Run, ``REFUSED`` and why."""
RUN, REFUSED = "run", "refused"
_LOOK_S = 0.2
_STOP_POLL_S = 0.05
_STOP_TIMEOUT_S = 20.0
_LINGER_S = 5.0
"""How long fork servers stay without a notebook: the next one comes at once, or never."""
_PLACE = "_sphinx_nbcache_place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One job on its way to a worker, with what only its client knows."""

    build: str
    """Whose job it is; no other client has the same."""
    job: Job
    modules: tuple[str, ...] | None = None
    """What the fork server of its kernel is to have imported; None to start the kernel."""
    variables: Mapping[str, str | None] = field(default_factory=dict)
    """Environment variables that it depends on, as the client has them; None if not set."""
    threads: Mapping[str, int] = field(default_factory=dict)
    """Machine to the number of notebooks that its workers may run at once."""
    folder_inode: int | None = None
    """That of the notebook's folder, as the client sees it."""


def find_version() -> str:
    """Return the version of this package that is installed here."""
    try:
        return metadata.version("sphinx-nbcache")
    except metadata.PackageNotFoundError:
        return "of a version that is not known"


def run_ticket(version: str, data: bytes) -> tuple[str, Answer]:
    """Run the notebook of a pickled ticket; called by dask in a thread of the worker.

    :param version: the client's version of this package.

    Returns the worker's name, and its answer. Raises dask's Reschedule when nobody waits
    for the answer any more.
    """
    from distributed import get_worker

    worker = get_worker()
    name = f"{worker.address} on {socket.gethostname()}"
    if version != (own := find_version()):
        return name, (REFUSED, f"has sphinx-nbcache {own}, and this build {version}")
    ticket: Ticket = pickle.loads(data)  # noqa: S301 - dask itself sends nothing else
    if reason := _find_obstacle(ticket):
        return name, (REFUSED, reason)
    return name, (RUN, pickle.dumps(_run(ticket, worker)))


async def close_place(build: str, dask_worker: Worker) -> bool:
    """End what this package keeps on a worker; False as long as a notebook of a build runs.

    Called by ``Client.run``, which gives the worker by that name.
    """
    place: _Place | None = getattr(dask_worker, _PLACE, None)
    return place is None or await asyncio.to_thread(place.close, build)


def _find_obstacle(ticket: Ticket) -> str:
    """Return why a notebook cannot run here; empty if it can."""
    folder = ticket.job.working_directory
    if folder is None:
        return ""
    wanted = "workers need the project at the same path, as on a file system that they share"
    try:
        inode = folder.stat().st_ino
    except OSError as error:
        return f"cannot use the notebook's folder {folder} ({error.strerror}): {wanted}"
    if inode != ticket.folder_inode:
        return f"has another folder than this build at {folder}: {wanted}"
    return ""


def _run(ticket: Ticket, worker: Worker) -> Run:
    from distributed import Reschedule

    place: _Place = vars(worker).setdefault(_PLACE, _Place())
    is_wanted = _make_watch(worker)
    with place.submit(ticket, _count_neighbours(ticket, worker)) as future:
        while is_wanted():
            try:
                return future.result(_LOOK_S)
            except FutureTimeoutError:
                continue
    raise Reschedule


def _make_watch(worker: Worker) -> Callable[[], bool]:
    """Return what tells whether somebody still waits for the task of this thread.

    Nobody does when it was cancelled, when its client is gone, or when the worker closes.
    """
    from distributed.core import Status

    key = worker.get_current_task()
    open_ones = (Status.running, Status.paused, Status.closing_gracefully)

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        is_known = task is not None and task.state in ("executing", "long-running")
        return is_known and worker.status in open_ones

    return is_wanted


def _count_neighbours(ticket: Ticket, worker: Worker) -> int:
    """Return how many kernels share this machine."""
    from distributed.comm.addressing import get_address_host

    machine = get_address_host(worker.address)
    return max(worker.state.nthreads, ticket.threads.get(machine, 1))


class _Place:
    """The kernels of one worker process; their fork servers outlast one notebook."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._executor: LocalExecutor | None = None
        self._tickets: dict[int, Ticket] = {}
        """By the identity of their jobs: two clients may send equal ones."""
        self._timer: threading.Timer | None = None

    @contextmanager
    def submit(self, ticket: Ticket, neighbours: int) -> Iterator[Future[Run]]:
        """Start a notebook; on leaving its kernel is gone, whether it has ended or not."""
        with self._lock:
            self._keep()
            executor = self._executor or self._open(neighbours)
            self._tickets[id(ticket.job)] = ticket
            future = executor.submit(ticket.job)
        try:
            yield future
        finally:
            future.cancel()
            _wait_for_end(executor, ticket.job)
            with self._lock:
                del self._tickets[id(ticket.job)]
                self._leave_soon()

    def close(self, build: str) -> bool:
        """End the fork servers if no notebook runs; return False if one of a build does."""
        with self._lock:
            if not self._tickets:
                self._keep()
                self._executor = None
                self._stack.close()
            return not any(ticket.build == build for ticket in self._tickets.values())

    def _open(self, neighbours: int) -> LocalExecutor:
        executor = LocalExecutor(
            neighbours,
            choose_modules=self._choose_modules,
            find_variables=lambda job: self._tickets[id(job)].variables,
            cores=count_usable_cores(),
        )
        self._executor = self._stack.enter_context(executor)
        return executor

    def _choose_modules(self, job: Job) -> tuple[str, ...] | None:
        return self._tickets[id(job)].modules if sys.platform == "linux" else None

    def _leave_soon(self) -> None:
        """Close when no notebook has come for a while: the client may have been killed."""
        self._keep()
        if not self._tickets:
            self._timer = threading.Timer(_LINGER_S, self.close, [""])
            self._timer.daemon = True
            self._timer.start()

    def _keep(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _wait_for_end(executor: LocalExecutor, job: Job) -> None:
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while executor.has_kernel(job) and time.monotonic() < deadline:
        time.sleep(_STOP_POLL_S)
