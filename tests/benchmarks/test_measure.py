"""What a command and its descendants take is measured, roughly right."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.measure import Run, measure

# Takes 100 MiB, then 0.5 s of CPU: in a session of its own, as a kernel does.
GRANDCHILD = """
import time
block = b"x" * (100 << 20)
while time.process_time() < 0.5:
    pass
"""
CHILD = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", sys.argv[1]], start_new_session=True)
{ending}
"""


def _measure_child(folder: Path, ending: str, grandchild: str = GRANDCHILD) -> Run:
    command = [sys.executable, "-c", CHILD.format(ending=ending), grandchild]
    return measure(command, folder, os.environ)


def test_a_grandchild_that_was_waited_for_is_counted(tmp_path: Path) -> None:
    run = _measure_child(tmp_path, "grandchild.wait()")
    assert run.exit_code == 0
    assert 0.3 < run.usage.cpu_s < 3
    assert 90 < run.usage.peak_mib < 300
    assert run.usage.wall_s > 0.4


def test_a_grandchild_that_nobody_waited_for_is_counted_and_ended(tmp_path: Path) -> None:
    forever = f"{GRANDCHILD}\ntime.sleep(60)"
    run = _measure_child(tmp_path, "time.sleep(1.5); print(grandchild.pid)", forever)
    assert 0.3 < run.usage.cpu_s < 3
    assert run.usage.peak_mib > 90
    assert not _runs(int(run.output))


def test_a_command_that_only_sleeps_takes_wall_time_but_no_cpu_time(tmp_path: Path) -> None:
    run = measure([sys.executable, "-c", "import time; time.sleep(0.6)"], tmp_path, os.environ)
    assert 0.6 < run.usage.wall_s < 5
    assert run.usage.cpu_s < 0.5


def test_exit_code_and_all_output_are_kept(tmp_path: Path) -> None:
    code = "import sys; print('out', flush=True); sys.exit('err')"
    run = measure([sys.executable, "-c", code], tmp_path, os.environ)
    assert run.exit_code == 1
    assert run.output.splitlines() == ["out", "err"]


def test_an_interrupted_measurement_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int] = []

    def interrupt(pid: int, options: int) -> None:
        pids.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "wait4", interrupt)
    started_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        measure([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, os.environ)
    assert time.monotonic() - started_s < 10
    assert not _runs(pids[0])


def _runs(pid: int) -> bool:
    # Where nobody reaps orphans (containers without init) a zombie may remain.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
