"""When a kernel is ready: it answers, and what it publishes arrives; and when it is gone.

jupyter_client's own wait reads the publishing channel until nothing came for 0.2 s. Here a
question is asked until its answer has come on both channels, which takes milliseconds and
proves that the subscription stands: nothing a cell prints can be lost.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import zmq

from sphinx_nbcache.running.forking import ForkedProcess

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

_CHANNELS = ("shell_channel", "control_channel", "stdin_channel")
_SEND_TIMEOUT_MS = 100
_ANSWER_TIMEOUT_S = 1.0
_PUBLISH_TIMEOUT_S = 0.1
_PUBLISH_TRIES = 10
"""A kernel that answers but publishes nothing is taken as it is after so many questions."""


def limit_sending(channels: AsyncKernelClient) -> None:
    """Have a message that cannot be sent be an error.

    ZeroMQ gives up a connection to a socket of another kind, which is there when another program
    took the port that was chosen for a kernel; what is sent then waits for ever, and with it all
    other kernels of the loop.
    """
    for name in _CHANNELS:
        getattr(channels, name).socket.setsockopt(zmq.SNDTIMEO, _SEND_TIMEOUT_MS)


async def wait_until_ready(
    channels: AsyncKernelClient, is_alive: Callable[[], Awaitable[bool]], *, timeout_s: float
) -> Mapping[str, Any]:
    """Wait for a kernel that was just started and return its ``language_info``.

    :param is_alive: tells whether its process still runs.

    Raises RuntimeError when the kernel dies or does not answer in time, or cannot be asked.
    """
    deadline = time.monotonic() + timeout_s
    unpublished = 0
    while time.monotonic() < deadline:
        reply, is_published = await _ask(channels)
        unpublished += reply is not None and not is_published
        if reply is not None and (is_published or unpublished == _PUBLISH_TRIES):
            language: Mapping[str, Any] = reply["content"].get("language_info") or {}
            return language
        if not await is_alive():
            raise RuntimeError("it died before it answered")
    raise RuntimeError(f"it did not answer within {timeout_s:g} s")


async def _ask(channels: AsyncKernelClient) -> tuple[dict[str, Any] | None, bool]:
    """Ask for kernel information; return the answer, and whether it was published too."""
    try:
        question = channels.kernel_info()
    except zmq.Again as error:
        raise RuntimeError("another program has its port") from error
    reply = None
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reply = await _receive(channels.shell_channel, question, "kernel_info_reply")
        # Older protocols are translated; the client learns of them from this answer.
        channels._handle_kernel_info_reply(reply)  # noqa: SLF001
        async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
            await _receive(channels.iopub_channel, question, "status", "idle")
    except TimeoutError:
        return reply, False
    return reply, True


async def _receive(channel: Any, question: str, kind: str, state: str = "") -> dict[str, Any]:
    """Read a channel up to the answer of a kind to a question."""
    while True:
        message: dict[str, Any] = await channel.get_msg()
        is_answer = message["parent_header"].get("msg_id") == question
        is_kind = message["header"]["msg_type"] == kind
        if is_answer and is_kind and message["content"].get("execution_state", "") == state:
            return message


async def wait_for_end(provisioner: Any, *, timeout_s: float) -> None:
    """Wait until a kernel's process has ended, or for so long; without asking again and again."""
    process = getattr(provisioner, "process", None)
    if process is None or process.poll() is not None:
        return
    with suppress(TimeoutError), _watch(process) as ended:
        async with asyncio.timeout(timeout_s):
            await ended.wait()


@contextmanager
def _watch(process: Any) -> Iterator[asyncio.Event]:
    """Give an event that is set when a child has ended; at once where the system cannot tell."""
    ended = asyncio.Event()
    if isinstance(process, ForkedProcess):
        yield process.ended
    elif not hasattr(os, "pidfd_open"):
        ended.set()
        yield ended
    else:
        loop, descriptor = asyncio.get_running_loop(), os.pidfd_open(process.pid)
        loop.add_reader(descriptor, ended.set)
        try:
            yield ended
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
