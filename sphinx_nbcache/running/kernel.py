"""One kernel from start to stop, with nothing left behind.

Owns the kernel's process group and what it wrote to its own standard streams; what is
run in it is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sphinx_nbcache.running.readiness import wait_until_ready

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbformat import NotebookNode

STARTUP_TIMEOUT_S = 60
_START_TRIES = 2
_STOP_POLL_S = 0.01
_GROUP_POLL_S = 0.05
_GROUP_STOP_POLLS = 40
_TAIL_BYTES = 2000

# nbclient and jupyter_client log to the terminal what ends up in a Failure anyway.
_QUIET = logging.getLogger(__name__)
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class KernelStartError(Exception):
    """A kernel could not be started or did not answer."""


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

    def read_log_tail(self) -> str:
        """Return the end of what the kernel's process wrote to its own streams."""
        size = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, size - _TAIL_BYTES))
        return self.log.read().decode("utf-8", "replace").strip()


@asynccontextmanager
async def open_kernel(
    name: str, notebook: NotebookNode, *, folder: Path, timeout_s: float | None, allow_errors: bool
) -> AsyncIterator[Kernel]:
    """Start a kernel for a notebook and stop it, and all it started, on leaving.

    :param name: name of the kernelspec.
    :param folder: the kernel's working directory.
    :param timeout_s: longest time for one cell; None for no limit.

    Raises KernelStartError.
    """
    with tempfile.TemporaryFile() as log:
        options = {"timeout": _round_up(timeout_s), "allow_errors": allow_errors}
        kernel = await _start(name, notebook, folder, log, options)
        try:
            yield kernel
        except BaseException:
            kernel.is_lost = True
            raise
        finally:
            await _stop(kernel)


async def _start(
    name: str, notebook: NotebookNode, folder: Path, log: IO[bytes], options: dict[str, Any]
) -> Kernel:
    """Start a kernel; once more if it died at once, as it does when its port was taken."""
    from nbclient import NotebookClient

    for remaining in reversed(range(_START_TRIES)):
        manager = _create_manager(name)
        client = NotebookClient(notebook, km=manager, log=_QUIET, **options)
        kernel = Kernel(client, manager, log)
        try:
            await _launch(kernel, folder)
        except (RuntimeError, OSError) as error:
            kernel.is_lost = True
            await _stop(kernel)
            if not remaining:
                raise KernelStartError(_describe_start(name, error, kernel)) from error
        except BaseException:
            kernel.is_lost = True
            await _stop(kernel)
            raise
        else:
            return kernel
    raise AssertionError("unreachable")


async def _launch(kernel: Kernel, folder: Path) -> None:
    """Start the process, connect to it and wait for its first answer."""
    client = kernel.client
    await client.async_start_new_kernel(cwd=str(folder), stdout=kernel.log, stderr=kernel.log)
    kernel.group = getattr(kernel.manager.provisioner, "pgid", None)
    client.kc = kernel.manager.client()
    client.kc.start_channels()
    client.kc.allow_stdin = False
    kernel.language_info = await wait_until_ready(
        client.kc, kernel.manager.is_alive, timeout_s=STARTUP_TIMEOUT_S
    )


def _create_manager(name: str) -> AsyncKernelManager:
    from jupyter_client.kernelspec import NoSuchKernel
    from jupyter_client.manager import AsyncKernelManager

    manager = AsyncKernelManager(kernel_name=name, log=_QUIET)
    try:
        _ = manager.kernel_spec
    except NoSuchKernel as error:
        specs = manager.kernel_spec_manager
        known = ", ".join(sorted(specs.find_kernel_specs())) or "none"
        raise KernelStartError(
            f"there is no kernel {name!r}; kernels found here: {known}. Install it, or map its "
            "name to one of them with nb_kernel_rgx_aliases"
        ) from error
    return manager


def _describe_start(name: str, error: Exception, kernel: Kernel) -> str:
    text = f"kernel {name!r} did not start: {error}"
    tail = kernel.read_log_tail()
    return f"{text}\n{tail}" if tail else text


def _round_up(timeout_s: float | None) -> int | None:
    """Return whole seconds, which is what nbclient takes; none for zero and below."""
    return None if timeout_s is None or timeout_s <= 0 else max(1, int(-(-timeout_s // 1)))


async def _stop(kernel: Kernel) -> None:
    """Stop a kernel and end what its notebook started and left running."""
    try:
        if kernel.manager.has_kernel:
            await _stop_process(kernel)
    except Exception as error:  # noqa: BLE001 - the outputs are in hand; the group is killed next
        _QUIET.debug("kernel did not stop as asked: %s", error)
    finally:
        if kernel.client.kc is not None:
            kernel.client.kc.stop_channels()
        await _stop_group(kernel.group)


async def _stop_process(kernel: Kernel) -> None:
    """Stop the kernel's process: asked nicely, so that its ``atexit`` functions run.

    In three steps, because the one call for all of them interrupts the kernel first and
    then looks ten times a second whether it is gone.
    """
    manager = kernel.manager
    if kernel.is_lost:
        await manager.shutdown_kernel(now=True)
        return
    await manager.request_shutdown()
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
