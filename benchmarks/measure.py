"""Run one command and measure it together with all processes that it starts.

``wall_s``: from just before the process is started to the moment its end is reported;
the waiting is a blocking ``os.wait4``, so it is not rounded up to a polling interval.

``cpu_s``: user and system time of the whole tree. ``os.wait4`` on the command reports,
exactly, its own time plus that of every descendant which its parent has waited for.
Sphinx waits for its workers and jupyter-client for its kernels (also those in sessions
of their own), so this is nearly all of it. What it leaves out are processes nobody
waited for: those still there when the command has ended, whose time is read at once
and added (nothing is counted twice: they were not waited for), and those that lost
their parent and ended before. The polled sum knows the latter up to the last look at
each process. Both numbers can only be too small, so the larger one is reported.

``peak_mib``: the largest sum of the tree's PSS seen (memory shared by n processes counts
1/n in each), polled, so a peak of some milliseconds can be missed. A process outside the
tree that maps the same libraries takes its share of them: some MiB less are counted
while another Python runs. Systems without PSS get USS or RSS;
``processes.memory_measure`` tells which.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.processes import TreeWatch
from benchmarks.samples import Usage


@dataclass(frozen=True, slots=True)
class Run:
    """How a command ended, what it printed and what it took."""

    exit_code: int
    output: str
    usage: Usage


def measure(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
    """Run the command in a folder to its end and measure it and its descendants."""
    if not hasattr(os, "wait4"):
        raise BenchmarkError("The benchmark needs os.wait4, which Windows does not have.")
    # A file, not a pipe: reading a pipe would take time from what is measured.
    with tempfile.TemporaryFile() as log:
        started_s = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        usage = _wait(process, started_s)
        log.seek(0)
        output = log.read().decode(errors="replace")
    return Run(process.returncode, output, usage)


def _wait(process: subprocess.Popen[bytes], started_s: float) -> Usage:
    try:
        with TreeWatch(process.pid) as watch:
            _, status, waited = os.wait4(process.pid, 0)
            wall_s = time.perf_counter() - started_s
            process.returncode = os.waitstatus_to_exitcode(status)
            watch.stop()
            waited_cpu_s = waited.ru_utime + waited.ru_stime
            cpu_s = max(waited_cpu_s + watch.leftover_cpu_s(), watch.polled_cpu_s)
            return Usage(wall_s, cpu_s, watch.peak_mib)
    finally:
        # Interrupted: the watch has ended the process, but nobody has waited for it.
        if process.returncode is None:
            process.wait()
