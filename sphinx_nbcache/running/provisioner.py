"""The kernel provisioner: kernels come from a fork server where they can.

Registered with jupyter_client as ``nbcache-fork-provisioner``, so that any program can use
it by naming it in a kernelspec. It is jupyter_client's own local provisioner in everything
but the birth of the process.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Any as AnyTrait
from traitlets import List, Unicode

from sphinx_nbcache.running.forking import ForkedProcess
from sphinx_nbcache.running.servers import ForkServers, Launch

_OURS = {"env", "cwd", "stdout", "stderr", "independent", "extra_arguments", "kernel_id"}
"""What a process is launched with that a fork can have too."""
# Whoever names this provisioner in a kernelspec gives it no servers: a program shares them
# between its kernels, for as long as its event loop lives.
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, ForkServers] = WeakKeyDictionary()


class ForkProvisioner(LocalProvisioner):
    """Forks kernels of ipykernel on Linux; starts all others."""

    servers = AnyTrait(None, help="The servers to fork from; by default those of the event loop.")
    preload = List(Unicode(), help="Modules that the server imports for all its kernels.").tag(
        config=True
    )

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel and wait until it listens, or start it.

        Raises RuntimeError when it was forked and ended at once.
        """
        launch = self._prepare(cmd, kwargs)
        servers = self.servers or _shared.setdefault(asyncio.get_running_loop(), ForkServers())
        process = None if launch is None else await servers.fork(launch)
        if launch is None or process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process: Any = process  # in place of a Popen
        self.pid = self.pgid = process.pid
        self.cwd = launch.folder
        return self.connection_info

    def _prepare(self, cmd: list[str], kwargs: dict[str, Any]) -> Launch | None:
        """Return what a server needs; None where it cannot do what is wanted."""
        streams = [_find_descriptor(kwargs.get("stdout"), 1)]
        streams.append(_find_descriptor(kwargs.get("stderr"), 2))
        if sys.platform != "linux" or kwargs.get("independent") or kwargs.keys() - _OURS:
            return None
        if min(streams) < 0:
            return None
        return Launch(
            command=[os.path.expanduser(word) for word in cmd],  # noqa: PTH111 - as jupyter_client
            environment=kwargs.get("env") or dict(os.environ),
            folder=os.fspath(kwargs.get("cwd") or Path.cwd()),
            streams=(streams[0], streams[1]),
            variables=self.kernel_spec.env,
            modules=tuple(self.preload),
        )

    async def wait(self) -> int | None:
        """Wait for the kernel's process to end."""
        if not isinstance(self.process, ForkedProcess):
            return await super().wait()
        await self.process.ended.wait()
        status = self.process.returncode
        self.process = None
        return status


def _find_descriptor(stream: Any, default: int) -> int:
    """Return the descriptor of a stream as ``Popen`` takes it; below 0 for its special ones."""
    if stream is None:
        return default
    return stream if isinstance(stream, int) else int(stream.fileno())
