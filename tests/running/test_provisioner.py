"""The provisioner for other programs: named in a kernelspec, without a build of ours."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import AsyncKernelManager, KernelManager

from tests.conftest import wait_until
from tests.running.conftest import ON_LINUX

pytestmark = ON_LINUX
ListProcesses = Callable[[], list[psutil.Process]]


@pytest.fixture(autouse=True)
def _kernelspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "jupyter" / "kernels" / "quick" / "kernel.json"
    path.parent.mkdir(parents=True)
    stanza = {"provisioner_name": "nbcache-fork-provisioner", "config": {"preload": ["wave"]}}
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Quick",
        "language": "python",
        "metadata": {"kernel_provisioner": stanza},
    }
    path.write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))


CODE = "import os, sys; answer = [os.getppid(), 'wave' in sys.modules]"


def read_answer(reply: dict[str, Any]) -> list[Any]:
    """Return the value of ``answer`` in a reply."""
    text = reply["content"]["user_expressions"]["answer"]["data"]["text/plain"]
    found: list[Any] = json.loads(text.lower())
    return found


async def ask_kernel(manager: AsyncKernelManager) -> list[Any]:
    """Start a kernel, ask it, and stop it."""
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    expressions = {"answer": "answer"}
    reply = await client.execute(
        CODE, silent=True, user_expressions=expressions, reply=True, timeout=60
    )
    client.stop_channels()
    await manager.shutdown_kernel()
    assert not await manager.is_alive()
    return read_answer(reply)


def test_kernels_of_one_event_loop_share_a_server(list_processes: ListProcesses) -> None:
    async def ask_two() -> list[list[Any]]:
        return [await ask_kernel(AsyncKernelManager(kernel_name="quick")) for _ in range(2)]

    first, second = asyncio.run(ask_two())
    assert first == second
    assert first[0] != os.getpid()
    assert first[1] is True


def test_a_program_without_an_event_loop_has_forked_kernels_too(
    list_processes: ListProcesses,
) -> None:
    manager = KernelManager(kernel_name="quick")
    manager.start_kernel()
    client = manager.client()
    assert isinstance(client, BlockingKernelClient)
    client.start_channels()
    client.wait_for_ready(timeout=60)
    assert manager.is_alive()
    reply = client.execute_interactive(
        CODE, silent=True, user_expressions={"answer": "answer"}, timeout=60
    )
    assert read_answer(reply)[1] is True
    client.stop_channels()
    manager.interrupt_kernel()
    manager.shutdown_kernel()
    assert not manager.is_alive()


def test_a_program_leaves_no_server_behind(list_processes: ListProcesses, tmp_path: Path) -> None:
    program = (
        "from jupyter_client.manager import KernelManager\n"
        "manager = KernelManager(kernel_name='quick')\n"
        "manager.start_kernel()\n"
        "manager.shutdown_kernel(now=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert wait_until(lambda: not list_processes(), 1)
