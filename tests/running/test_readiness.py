"""Waiting for a kernel whose port another program has: it ends, and says why."""

from __future__ import annotations

from tests.conftest import RunPython

CODE = """
import asyncio, sys
import zmq, zmq.asyncio
from jupyter_client.asynchronous import AsyncKernelClient
from sphinx_nbcache.running.readiness import limit_sending, wait_until_ready

PLAIN = zmq.Context()

def listen(kind):
    socket = PLAIN.socket(kind)
    return socket, socket.bind_to_random_port("tcp://127.0.0.1")

async def is_alive():
    return True

async def main():
    sockets, ports = zip(*[listen(kind) for kind in (zmq.PUB, zmq.PUB, zmq.PUB, zmq.PUB)])
    names = ("shell_port", "iopub_port", "stdin_port", "control_port")
    client = AsyncKernelClient(context=zmq.asyncio.Context(), **dict(zip(names, ports)))
    client.start_channels(hb=False)
    limit_sending(client)
    try:
        await wait_until_ready(client, is_alive, timeout_s=20)
    except RuntimeError as error:
        print(error)
    client.stop_channels()
    client.context.destroy(linger=0)

asyncio.run(main())
PLAIN.destroy(linger=0)
"""


def test_a_port_that_another_program_took_is_an_error_and_no_wait_for_ever(
    run_python: RunPython,
) -> None:
    done = run_python(CODE, timeout=30)
    assert done.stdout == "another program has its port\n", done.stderr
