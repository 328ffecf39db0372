"""What a command and its descendants take is measured, roughly right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.measure import Run, measure

# Takes 100 MiB, then 0.5 s of CPU, and stays a while, as busy machines look late: in a
# session of its own, as a kernel does.
GRANDCHILD = """
import time
block = b"x" * (100 << 20)
while time.process_time() < 0.5:
    pass
time.sleep(1)
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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_an_orphan_that_has_ended_is_counted(tmp_path: Path) -> None:
    # Its parent goes at once; nobody in the tree waits for it.
    middle = (
        "import subprocess, sys; "
        "subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
    )
    code = (
        "import subprocess, sys, time; "
        f"subprocess.run([sys.executable, '-c', {middle!r}, sys.argv[1]]); time.sleep(2)"
    )
    run = measure([sys.executable, "-c", code, GRANDCHILD], tmp_path, os.environ)
    assert run.exit_code == 0
    assert 0.5 < run.usage.cpu_s < 3
    assert run.usage.peak_mib > 90


@pytest.mark.skipif(sys.platform != "linux", reason="PSS is known on Linux only")
def test_memory_that_forked_copies_share_is_counted_once(tmp_path: Path) -> None:
    code = (
        "import os, time\n"
        "block = b'x' * (100 << 20)\n"
        "children = [pid for pid in (os.fork() for _ in range(2)) if pid]\n"
        "time.sleep(1)\n"
        "for pid in children: os.waitpid(pid, 0)\n"
    )
    run = measure([sys.executable, "-c", code], tmp_path, os.environ)
    assert 90 < run.usage.peak_mib < 180


def test_a_process_that_outlives_the_command_is_told(tmp_path: Path) -> None:
    run = _measure_child(tmp_path, "", "import time; time.sleep(0.5)")
    assert run.exit_code == 0
    assert run.usage.lingered_s > (0.2 if sys.platform == "linux" else -1)


def test_a_command_that_is_killed_is_told_by_its_signal(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert measure([sys.executable, "-c", code], tmp_path, os.environ).exit_code == -9


INTERRUPTED = """
import os, pathlib, sys
from benchmarks.measure import measure
code = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
try:
    measure([sys.executable, "-c", code], pathlib.Path(sys.argv[1]), os.environ)
except KeyboardInterrupt:
    sys.exit(5)
"""


def test_an_interrupted_measurement_leaves_no_process(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(tmp_path)], cwd=root)
    pid_file = tmp_path / "pid"
    while not (pid_file.exists() and pid_file.read_text()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 5
    assert not _runs(int(pid_file.read_text()))


def _runs(pid: int) -> bool:
    # Where nobody reaps orphans (containers without init) a zombie may remain.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
