"""How the kernels of one build come to be: forked or started, with how many threads.

Belongs to the event loop of one executor. What is run in a kernel is not known here.
"""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import zmq.asyncio
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from sphinx_nbcache.config import leave_out_secrets
from sphinx_nbcache.running.limits import cap_threads
from sphinx_nbcache.running.provisioner import ForkProvisioner
from sphinx_nbcache.running.servers import ForkServers

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

    from sphinx_nbcache.model import Job

# jupyter_client and nbclient log to the terminal what ends up in a Failure anyway.
QUIET = logging.getLogger(__name__)
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False
_LOCAL = "local-provisioner"


ChooseModules = Callable[["Job"], "tuple[str, ...] | None"]
FindVariables = Callable[["Job"], "Mapping[str, str | None]"]


class KernelStartError(Exception):
    """A kernel could not be started or did not answer."""


def fork_nothing(job: Job) -> None:
    """Choose the ordinary start for every kernel."""


def change_nothing(job: Job) -> Mapping[str, str | None]:
    """Choose the environment of this process for every kernel."""
    return {}


class Kernels:
    """Makes kernel managers whose kernels share fork servers and a ZeroMQ context.

    :param choose_modules: tells which modules the fork server of a job's kernel is to have
        imported; None where that kernel is to be started, not forked.
    :param find_variables: tells which environment variables a job's kernel is to have that
        are not those of this process; None for one that it is not to have.
    :param memo_keys: what kernels sign memos with.
    :param cores: usable cores, which the kernels that run at once share.
    """

    def __init__(
        self,
        choose_modules: ChooseModules,
        find_variables: FindVariables = change_nothing,
        *,
        memo_keys: str = "",
        cores: int,
        capacity: int,
    ) -> None:
        self.servers = ForkServers()
        self.memo_keys = memo_keys
        self._choose_modules = choose_modules
        self._find_variables = find_variables
        self._cores = cores
        self._capacity = capacity
        self._specs = _Specs(log=QUIET)
        self._context: zmq.asyncio.Context | None = None

    def create_manager(self, job: Job) -> AsyncKernelManager:
        """Return the manager of a kernel that is not started yet.

        Raises KernelStartError when there is no such kernel.
        """
        if self._context is None:
            self._context = zmq.asyncio.Context()
        manager = AsyncKernelManager(
            kernel_name=job.kernel,
            kernel_spec_manager=self._specs,
            context=self._context,
            log=QUIET,
        )
        spec = self._find_spec(manager)
        modules = self._choose_modules(job) if _is_local(spec) else None
        if modules is not None:
            manager.kernel_id = str(uuid4())
            manager.provisioner = ForkProvisioner(
                kernel_id=manager.kernel_id, kernel_spec=spec, parent=manager
            )
            manager.provisioner.servers = self.servers
            manager.provisioner.preload = list(modules)
        return manager

    def make_environment(self, job: Job) -> dict[str, str]:
        """Return the environment of a job's kernel, before its kernelspec's own variables.

        A notebook that runs alone may use every core. None is handed the signing keys.
        """
        kernels = 1 if job.demands.is_exclusive else self._capacity
        given = {**os.environ, **self._find_variables(job)}
        known = {name: value for name, value in given.items() if value is not None}
        environ = leave_out_secrets(known)
        return {**environ, **cap_threads(environ, cores=self._cores, kernels=kernels)}

    async def guard(self, provisioner: Any) -> int | None:
        """Make sure that a kernel ends with this process, however that ends.

        Returns its process group, where the system has such a thing.
        """
        group: int | None = getattr(provisioner, "pgid", None)
        is_started = isinstance(getattr(provisioner, "process", None), subprocess.Popen)
        if group is not None and is_started and os.name == "posix":
            await self.servers.watch(group)
        return group

    async def close(self) -> None:
        """End the fork servers, after the kernels."""
        await self.servers.close()
        if self._context is not None:
            self._context.destroy(linger=0)

    def _find_spec(self, manager: AsyncKernelManager) -> KernelSpec:
        try:
            return self._specs.get_kernel_spec(manager.kernel_name)
        except NoSuchKernel as error:
            known = ", ".join(sorted(self._specs.find_kernel_specs())) or "none"
            raise KernelStartError(
                f"there is no kernel {manager.kernel_name!r}; kernels found here: {known}. "
                "Install it, or map its name to one of them with nb_kernel_rgx_aliases"
            ) from error


class _Specs(KernelSpecManager):
    """Reads each kernelspec once."""

    def __init__(self, **traits: object) -> None:
        super().__init__(**traits)
        self._read: dict[str, KernelSpec] = {}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the kernelspec of a name; raises NoSuchKernel."""
        if kernel_name not in self._read:
            self._read[kernel_name] = super().get_kernel_spec(kernel_name)
        return self._read[kernel_name]


def _is_local(spec: KernelSpec) -> bool:
    """Return whether a kernel is a process of this machine that jupyter_client starts itself."""
    stanza = spec.metadata.get("kernel_provisioner") or {}
    name = os.environ.get("JUPYTER_DEFAULT_PROVISIONER_NAME", _LOCAL)
    return str(stanza.get("provisioner_name", name)) == _LOCAL
