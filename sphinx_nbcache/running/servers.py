"""Which kernels are forked, and from which server; what cannot be forked is started.

One server for each interpreter, its options and the variables of its kernelspec; from it,
where modules are to be preloaded, a further one that has imported them. A server that fails
is never asked again: its kernels are started one by one, and that is said once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx_nbcache.running.forking import ForkedProcess, ForkServer, ForkServerError

SCRIPT = Path(__file__).with_name("fork_server.py")
INLINE_BACKEND = "module://matplotlib_inline.backend_inline"
"""What ipykernel makes the default of matplotlib, which reads it when it is imported."""
_MODULES = ("ipykernel_launcher", "ipykernel")
_WITH_VALUE = ("-X", "-W")
_START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Command:
    """The command of an ipykernel kernel, taken apart."""

    interpreter: tuple[str, ...]
    """The interpreter and its options."""
    module: str
    arguments: tuple[str, ...]

    @classmethod
    def parse(cls, words: Sequence[str]) -> Command | None:
        """Take a command apart; None where it does not start ipykernel as a module."""
        position = 1
        while position < len(words) and words[position].startswith("-"):
            if words[position] == "-m":
                break
            position += 2 if words[position] in _WITH_VALUE else 1
        if list(words[position : position + 1]) != ["-m"] or len(words) < position + 2:
            return None
        if words[position + 1] not in _MODULES:
            return None
        return cls(tuple(words[:position]), words[position + 1], tuple(words[position + 2 :]))


@dataclass(frozen=True, slots=True)
class Launch:
    """All that makes one kernel."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    streams: tuple[int, int]
    """Descriptors of standard output and error."""
    variables: Mapping[str, str]
    """Variables of the kernelspec, which may differ between kernels of one interpreter."""
    modules: tuple[str, ...] = ()
    """Modules that its server is to have imported."""


_Key = tuple[Any, ...]
_Starting = Coroutine[Any, Any, ForkServer]


class ForkServers:
    """The servers of one build; belongs to the event loop in which it is used."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        """What the user should know, each once."""
        self._servers: dict[_Key, asyncio.Task[ForkServer]] = {}
        self._failed: set[tuple[str, ...]] = set()
        self._watcher: asyncio.Task[ForkServer] | None = None

    async def fork(self, launch: Launch) -> ForkedProcess | None:
        """Return a forked kernel; None where it has to be started in the ordinary way.

        Raises RuntimeError when the kernel was forked and ended before it listened.
        """
        command = Command.parse(launch.command)
        if command is None or _has_relative_paths(launch.environment):
            return None
        try:
            server = await self._find(command, launch)
            request = {
                "module": command.module,
                "arguments": command.arguments,
                "command": list(launch.command),
                "environment": dict(launch.environment),
                "folder": launch.folder,
            }
            return await server.fork_kernel(request, launch.streams, timeout_s=_START_TIMEOUT_S)
        except ForkServerError as error:
            self._note(command, error)
            return None

    async def watch(self, group: int) -> None:
        """Have a process group ended if this process dies."""
        if self._watcher is None:
            self._watcher = asyncio.create_task(_start_watcher())
        await self._attend(group, is_over=False)

    async def forget(self, group: int) -> None:
        """Leave a process group alone: it is gone, and its number may be another's soon."""
        await self._attend(group, is_over=True)

    async def _attend(self, group: int, *, is_over: bool) -> None:
        if self._watcher is None:
            return
        try:
            (await asyncio.shield(self._watcher)).watch(group, is_over=is_over)
        except ForkServerError:
            return  # kernels look after their parent themselves, if less quickly

    async def close(self) -> None:
        """End all servers."""
        tasks = [*self._servers.values(), *([self._watcher] if self._watcher else [])]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for server in reversed(found):
            if isinstance(server, ForkServer):
                await server.end()

    async def _find(self, command: Command, launch: Launch) -> ForkServer:
        """Return the server for a kernel; it starts with the first who asks."""
        key: _Key = (command.interpreter, tuple(sorted(launch.variables.items())))
        first = self._take(key, lambda: _start(command, launch.environment))
        if launch.modules:
            first = self._take((*key, launch.modules), lambda: self._preload(first, launch))
        return await asyncio.shield(first)

    def _take(self, key: _Key, start: Callable[[], _Starting]) -> asyncio.Task[ForkServer]:
        if key not in self._servers:
            self._servers[key] = asyncio.create_task(start())
        return self._servers[key]

    async def _preload(self, first: asyncio.Task[ForkServer], launch: Launch) -> ForkServer:
        """Return a server that has modules imported, as many of them as bear it."""
        parent = await asyncio.shield(first)
        try:
            return await self._fork_preloaded(parent, launch)
        except ForkServerError as error:
            self.notices.append(
                f"nothing is preloaded for the kernels of {launch.command[0]}; importing "
                f"{', '.join(launch.modules)} failed: {error}"
            )
        return parent

    async def _fork_preloaded(self, parent: ForkServer, launch: Launch) -> ForkServer:
        variables = {} if "MPLBACKEND" in launch.environment else {"MPLBACKEND": INLINE_BACKEND}
        modules = list(launch.modules)
        while modules:
            server, greeting = await parent.fork_server(modules, variables)
            if "ready" in greeting:
                return server
            await server.end()
            modules.remove(greeting["refused"])
            self.notices.append(f"{greeting['refused']} is not preloaded: {greeting['reason']}")
        return parent

    def _note(self, command: Command, error: ForkServerError) -> None:
        text = (
            f"the fork server of {command.interpreter[0]} failed, so its kernels are started one "
            f"by one, which is slower (nbcache_kernel_start = 'spawn' does so without this "
            f"warning): {error}"
        )
        if command.interpreter not in self._failed:
            self._failed.add(command.interpreter)
            self.notices.append(text)


async def _start(command: Command, environment: Mapping[str, str]) -> ForkServer:
    server = ForkServer()
    try:
        await server.start([*command.interpreter, str(SCRIPT)], environment)
    except BaseException:
        await server.end()
        raise
    return server


async def _start_watcher() -> ForkServer:
    """Start a server that forks nothing: it ends kernels if this process dies."""
    server = ForkServer()
    try:
        await server.start([sys.executable, "-I", "-S", str(SCRIPT)], purpose="watch")
    except BaseException:
        await server.end()
        raise
    return server


def _has_relative_paths(environment: Mapping[str, str]) -> bool:
    """Return whether imports depend on the folder in which the interpreter starts."""
    paths = environment.get("PYTHONPATH", "")
    return bool(paths) and not all(map(os.path.isabs, paths.split(os.pathsep)))
