"""Nothing outlives a build by more than a second, however it ends and however kernels start."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_until
from tests.e2e.build import clean_environment, command, write_site

ListProcesses = Callable[[], list[psutil.Process]]
StartBuild = Callable[..., "subprocess.Popen[bytes]"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups"),
]

STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
pathlib.Path("started-{name}").touch()
while not all(pathlib.Path("started-" + name).exists() for name in ("one", "two")):
    time.sleep(0.05)
time.sleep(1)
while {loops}:
    time.sleep(0.1)
"""
STARTS = pytest.mark.parametrize("start", ["fork", "spawn"])


@pytest.fixture
def start_build(tmp_path: Path, list_processes: ListProcesses) -> StartBuild:
    """Return a function that starts a build of two notebooks which start processes."""

    def start(how: str, *, loops: bool) -> subprocess.Popen[bytes]:
        build = _start_build(tmp_path, how, loops=loops)
        assert len(list_processes()) >= 5  # the build, two kernels and what these started
        return build

    return start


def _start_build(tmp_path: Path, start: str, *, loops: bool) -> subprocess.Popen[bytes]:
    pages = {name: (STUBBORN.format(name=name, loops=loops),) for name in ("one", "two")}
    conf = f"nbcache_jobs = 2\nnbcache_kernel_start = {start!r}\nnbcache_preload = ['wave']"
    site = write_site(tmp_path / "project", pages, conf)
    build = subprocess.Popen(
        command(site, site.parent / "out"),
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert wait_until(lambda: all((site / f"started-{name}").exists() for name in pages), 90)
    return build


@STARTS
def test_after_a_build_that_ends_by_itself(
    start: str, start_build: StartBuild, list_processes: ListProcesses
) -> None:
    build = start_build(start, loops=False)
    assert build.wait(90) == 0
    assert wait_until(lambda: not list_processes(), 1)


@STARTS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_a_build_that_is_interrupted(
    number: signal.Signals, start: str, start_build: StartBuild, list_processes: ListProcesses
) -> None:
    build = start_build(start, loops=True)
    build.send_signal(number)
    began = time.monotonic()
    assert build.wait(90) != 0
    assert time.monotonic() - began < 10
    assert wait_until(lambda: not list_processes(), 1)


@STARTS
def test_after_a_build_that_is_killed(
    start: str, start_build: StartBuild, list_processes: ListProcesses
) -> None:
    build = start_build(start, loops=True)
    build.kill()
    build.wait()
    assert wait_until(lambda: not list_processes(), 1)
