"""The client's side of the fork servers: one for each interpreter, while a build runs kernels.

Protocol, over a Unix stream socket. To the server: four bytes of length (big endian), then
JSON; file descriptors travel with the length (SCM_RIGHTS). ``{"do": "kernel", "id", "module",
"arguments", "command", "environment", "folder"}`` with stdin, stdout, stderr and a pipe that
the kernel writes one byte to when it listens; ``{"do": "server", "id", "modules",
"variables"}`` with the socket and the log of a further server that imports these modules;
``{"do": "watch" | "forget", "group"}`` for a process group that is to end with the server.
From it, lines of JSON: ``{"ready": [modules]}`` or ``{"refused": module, "reason"}`` once,
then ``{"id", "pid"}`` or ``{"id", "failed"}`` for what was asked, ``{"id", "status"}`` when
that process has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sphinx_nbcache.running.log import read_tail

START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 1.0
_READ_BYTES = 65536
_HEADER = struct.Struct("!I")


class ForkServerError(Exception):
    """A fork server did not start, or did not do what it was asked."""


@dataclass(slots=True)
class ForkedProcess:
    """A child of a server; stands where jupyter_client keeps a ``subprocess.Popen``."""

    pid: int
    listen: Callable[[], None]
    """Takes in what its server has said, also where no event loop runs."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    returncode: int | None = None
    is_server_lost: bool = False
    """Set when it ended because its server did."""
    stdin: None = None
    stdout: None = None
    stderr: None = None

    def poll(self) -> int | None:
        """Return the exit status once it has ended; negative for a signal."""
        if self.returncode is None:
            self.listen()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit status; to be called when it has ended."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def note_end(self, status: int) -> None:
        """Remember how it ended and wake whoever waits for that."""
        self.returncode = status
        self.ended.set()


class ForkServer:
    """One server, seen from the event loop that talks to it."""

    def __init__(self) -> None:
        self._socket, self._other = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        self._greeting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._children: dict[int, ForkedProcess] = {}
        self._buffer = b""
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.is_lost = False

    async def start(
        self,
        command: Iterable[str],
        environment: Mapping[str, str] | None = None,
        *,
        purpose: str = "fork",
    ) -> None:
        """Start the server with an interpreter's command and wait until it is ready.

        :param purpose: ``watch`` for a server that forks nothing and so imports nothing.

        Raises ForkServerError.
        """
        descriptor = self._other.fileno()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the interpreter of a kernelspec
                [*command, str(descriptor), purpose],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=environment,
                pass_fds=[descriptor],
                cwd="/",  # no settings of any notebook's folder
                start_new_session=True,
            )
        except OSError as error:
            raise ForkServerError(str(error)) from error
        await self._greet()

    async def fork_server(
        self, modules: Iterable[str], variables: Mapping[str, str]
    ) -> tuple[ForkServer, dict[str, Any]]:
        """Fork a further server that imports modules; return it and its greeting.

        Raises ForkServerError.
        """
        server = ForkServer()
        request = {"do": "server", "modules": list(modules), "variables": dict(variables)}
        try:
            await self._ask(request, [server._other.fileno(), server._log.fileno()])
            return server, await server._greet()
        except BaseException:
            server.close()
            raise

    async def fork_kernel(
        self, request: Mapping[str, Any], streams: Iterable[int], *, timeout_s: float
    ) -> ForkedProcess:
        """Fork a kernel and wait until it listens.

        :param request: module, arguments, command, environment and folder of the kernel.
        :param streams: descriptors of its standard output and error.

        Raises ForkServerError when that cannot be had, RuntimeError when the kernel ends
        before it listens.
        """
        is_up, up = os.pipe()
        nothing, nobody = os.pipe()
        os.close(nobody)  # as jupyter_client does: standard input is a pipe at its end
        try:
            answer = await self._ask({"do": "kernel", **request}, [nothing, *streams, up])
        finally:
            os.close(nothing)
            os.close(up)
        process = self._children[answer["id"]]
        try:
            await _wait_until_up(is_up, process, timeout_s)
        except BaseException:
            process.kill()
            raise
        finally:
            os.close(is_up)
        return process

    def watch(self, group: int, *, is_over: bool = False) -> None:
        """Have a process group ended if this process dies; ``is_over`` forgets it."""
        self._send({"do": "forget" if is_over else "watch", "group": group}, [])

    def close(self) -> None:
        """Let the server end; what it forked ends with it."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._other.close()
        self._log.close()

    async def end(self) -> None:
        """Close, and wait for the server's process to be gone."""
        self.close()
        process = self._process
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, _END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def _greet(self) -> dict[str, Any]:
        """Wait for the server's first message."""
        self._other.close()
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await self._greeting
        except TimeoutError:
            raise ForkServerError(f"it was not ready within {START_TIMEOUT_S:g} s") from None

    async def _ask(self, request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        self._count += 1
        answer = asyncio.get_running_loop().create_future()
        self._answers[self._count] = answer
        self._send({**request, "id": self._count}, descriptors)
        found: dict[str, Any] = await answer
        if "failed" in found:
            raise ForkServerError(found["failed"])
        return found

    def _send(self, request: Mapping[str, Any], descriptors: list[int]) -> None:
        data = json.dumps(request).encode("ascii")
        try:
            self._socket.setblocking(True)
            socket.send_fds(self._socket, [_HEADER.pack(len(data))], descriptors)
            self._socket.sendall(data)
            self._socket.setblocking(False)
        except OSError as error:
            self._note_loss()
            raise ForkServerError(f"it is gone: {error}") from error

    def _read(self) -> None:
        if self.is_lost:
            return
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._note_loss()
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        """Pass a message on to who waits for it."""
        if "id" not in message:
            self._greeting.set_result(message)
        elif "status" in message:
            child = self._children.pop(message["id"], None)
            if child is not None:
                child.note_end(message["status"])
        else:
            if "pid" in message:
                self._children[message["id"]] = ForkedProcess(message["pid"], self._read)
            answer = self._answers.pop(message["id"])
            if not answer.done():
                answer.set_result(message)

    def _note_loss(self) -> None:
        """Tell everybody who waits that the server is gone, and its kernels with it."""
        if self.is_lost:
            return
        self.is_lost = True
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        error = ForkServerError(f"it ended. {read_tail(self._log)}".strip())
        for answer in (self._greeting, *self._answers.values()):
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # nobody may be waiting any more
        for child in self._children.values():
            child.is_server_lost = True
            child.note_end(-signal.SIGKILL)


async def _wait_until_up(is_up: int, process: ForkedProcess, timeout_s: float) -> None:
    """Wait for the byte that a kernel writes when it listens.

    Raises RuntimeError when it ends before, or when that takes too long.
    """
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(is_up, readable.set)
    try:
        async with asyncio.timeout(timeout_s):
            await readable.wait()
    except TimeoutError:
        raise RuntimeError(f"it did not listen within {timeout_s:g} s") from None
    finally:
        loop.remove_reader(is_up)
    if not os.read(is_up, 1):
        raise RuntimeError("it ended before it listened")
