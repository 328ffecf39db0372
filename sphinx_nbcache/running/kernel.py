"""One kernel from start to stop, with nothing left behind.

Owns the kernel's process group and what it wrote to its own standard streams; what is
run in it is not known here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sphinx_nbcache.running.forking import ForkedProcess
from sphinx_nbcache.running.kernels import QUIET, Kernels, KernelStartError
from sphinx_nbcache.running.limits import limit_memory
from sphinx_nbcache.running.log import read_tail
from sphinx_nbcache.running.readiness import limit_sending, wait_for_end, wait_until_ready

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbformat import NotebookNode

    from sphinx_nbcache.model import Job

STARTUP_TIMEOUT_S = 60
_START_TRIES = 2
_STOP_POLL_S = 0.01
_GROUP_POLL_S = 0.05
_GROUP_STOP_POLLS = 40


@dataclass(slots=True)
class Kernel:
    """A running kernel, driven by an nbclient ``NotebookClient``."""

    client: NotebookClient
    manager: AsyncKernelManager
    log: IO[bytes]
    group: int | None = None
    """Its process group, where the system has such a thing."""
    language_info: Mapping[str, Any] = field(default_factory=dict)
    is_lost: bool = False
    """Set when it must be killed: it is dead, busy for ever, or nobody waits any more."""
    start_s: float = 0.0
    """Seconds until its process was there; a forked one listens by then."""
    ready_s: float = 0.0
    """Seconds from then until it had answered."""

    @property
    def has_preloaded(self) -> bool:
        """Return whether its fork server had imported modules for its notebook."""
        return bool(getattr(self.manager.provisioner, "preload", ()))

    @property
    def is_server_lost(self) -> bool:
        """Return whether the kernel died only because its fork server did."""
        process = getattr(self.manager.provisioner, "process", None)
        return isinstance(process, ForkedProcess) and process.is_server_lost

    def read_log_tail(self) -> str:
        """Return the end of what the kernel's process wrote to its own streams."""
        return read_tail(self.log)


@asynccontextmanager
async def open_kernel(
    kernels: Kernels, job: Job, notebook: NotebookNode, folder: Path
) -> AsyncIterator[Kernel]:
    """Start a job's kernel and stop it, and all it started, on leaving.

    :param notebook: the content that nbclient will fill.
    :param folder: the kernel's working directory.

    Raises KernelStartError.
    """
    with tempfile.TemporaryFile() as log:
        kernel = await _start(kernels, job, notebook, folder, log)
        try:
            yield kernel
        except BaseException:
            kernel.is_lost = True
            raise
        finally:
            await _stop(kernel, kernels)


async def _start(
    kernels: Kernels, job: Job, notebook: NotebookNode, folder: Path, log: IO[bytes]
) -> Kernel:
    """Start a kernel; once more if it died at once, as it does when its port was taken."""
    from nbclient import NotebookClient

    options = {"timeout": _round_up(job.timeout_s), "allow_errors": job.allow_errors}
    for remaining in reversed(range(_START_TRIES)):
        manager = kernels.create_manager(job)
        client = NotebookClient(notebook, km=manager, log=QUIET, **options)
        kernel = Kernel(client, manager, log)
        try:
            await _launch(kernel, folder, kernels, job)
        except (RuntimeError, OSError) as error:
            kernel.is_lost = True
            await _stop(kernel, kernels)
            if not remaining:
                raise KernelStartError(_describe_start(job.kernel, error, kernel)) from error
        except BaseException:
            kernel.is_lost = True
            await _stop(kernel, kernels)
            raise
        else:
            return kernel
    raise AssertionError("unreachable")


async def _launch(kernel: Kernel, folder: Path, kernels: Kernels, job: Job) -> None:
    """Start the process, connect to it and wait for its first answer."""
    client = kernel.client
    clock = time.perf_counter()
    await client.async_start_new_kernel(
        cwd=str(folder),
        env=kernels.make_environment(job),
        stdout=kernel.log,
        stderr=kernel.log,
    )
    kernel.group = await kernels.guard(kernel.manager.provisioner)
    pid = getattr(kernel.manager.provisioner, "pid", None)
    if job.memory_limit_bytes is not None and pid is not None:
        limit_memory(pid, job.memory_limit_bytes)
    kernel.start_s = time.perf_counter() - clock
    client.kc = kernel.manager.client()
    client.kc.start_channels(hb=False)
    limit_sending(client.kc)
    client.kc.allow_stdin = False
    kernel.language_info = await wait_until_ready(
        client.kc, kernel.manager.is_alive, timeout_s=STARTUP_TIMEOUT_S
    )
    kernel.ready_s = time.perf_counter() - clock - kernel.start_s


def _describe_start(name: str, error: Exception, kernel: Kernel) -> str:
    text = f"kernel {name!r} did not start: {error}"
    tail = kernel.read_log_tail()
    return f"{text}\n{tail}" if tail else text


def _round_up(timeout_s: float | None) -> int | None:
    """Return whole seconds, which is what nbclient takes; none for zero and below."""
    return None if timeout_s is None or timeout_s <= 0 else max(1, int(-(-timeout_s // 1)))


async def _stop(kernel: Kernel, kernels: Kernels) -> None:
    """Stop a kernel and end what its notebook started and left running."""
    try:
        if kernel.manager.has_kernel:
            await _stop_process(kernel)
    except Exception as error:  # noqa: BLE001 - the outputs are in hand; the group is killed next
        QUIET.debug("kernel did not stop as asked: %s", error)
    finally:
        if kernel.client.kc is not None:
            kernel.client.kc.stop_channels()
        await _stop_group(kernel.group)
        if kernel.group is not None:
            await kernels.servers.forget(kernel.group)


async def _stop_process(kernel: Kernel) -> None:
    """Stop the kernel's process: asked nicely, so that its ``atexit`` functions run.

    In steps, because the one call for all of them interrupts the kernel first and then
    looks ten times a second whether it is gone.
    """
    manager = kernel.manager
    if kernel.is_lost:
        await manager.shutdown_kernel(now=True)
        return
    await manager.request_shutdown()
    await wait_for_end(manager.provisioner, timeout_s=manager.shutdown_wait_time / 2)
    if manager.provisioner is not None and await manager.is_alive():
        # Some versions of ipykernel say that they end and hang: two of three now and then.
        await manager.provisioner.terminate()
    await manager.finish_shutdown(pollinterval=_STOP_POLL_S)
    await manager.cleanup_resources()


async def _stop_group(group: int | None) -> None:
    """End what the notebook started and left running: TERM, a deadline, KILL."""
    if group is None or not hasattr(os, "killpg") or not _signal_group(group, signal.SIGTERM):
        return
    for _ in range(_GROUP_STOP_POLLS):
        await asyncio.sleep(_GROUP_POLL_S)
        if not _signal_group(group, 0):
            return
    _signal_group(group, signal.SIGKILL)


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; return whether it still had a process."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
