"""Run one command and measure it together with all processes that it starts.

The command runs under ``supervisor.py``, a small process that adopts those of the tree
that lose their parent (Linux). So a kernel that is forked by a server counts like one
that sphinx-build started itself.

``wall_s``: from just before the process is started to the moment its end is reported;
the waiting is blocking, so it is not rounded up to a polling interval.

``cpu_s``: user and system time of all processes below the supervisor, exact, as the
kernel adds it up when they end (RUSAGE_CHILDREN). Left out are only processes whose
parent ignores SIGCHLD instead of waiting, and on macOS those that lost their parent.
A polled sum knows these too, up to the last look at each; both numbers can only be too
small, so the larger one is reported.

``peak_mib``: the largest sum of the tree's PSS seen (memory shared by n processes counts
1/n in each, so forked copies are not counted twice), polled: a short peak can be missed.
A process outside the tree that maps the same libraries takes its share of them: some
MiB less are counted while another Python runs. Systems without PSS get USS or RSS;
``processes.memory_measure`` tells which.

``lingered_s``: from the end of the command to the end of the last process of its tree.
Whoever is still there after ``GRACE_S`` is ended, and counted with all it took.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from benchmarks.errors import BenchmarkError
from benchmarks.processes import TreeWatch
from benchmarks.samples import Usage

SUPERVISOR = Path(__file__).with_name("supervisor.py")
GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """How a command ended, what it printed and what it took."""

    exit_code: int
    output: str
    usage: Usage


class Measure(Protocol):
    """Runs a command in a folder to its end and measures it."""

    def __call__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
        """Run it."""


def measure(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
    """Run the command in a folder to its end and measure it and its descendants."""
    if not hasattr(os, "fork"):
        raise BenchmarkError("The benchmark needs processes as Linux and macOS have them.")
    # A file, not a pipe: reading a pipe would take time from what is measured.
    with tempfile.TemporaryFile() as log:
        exit_code, usage = _supervise(command, folder, environment, log)
        log.seek(0)
        output = log.read().decode(errors="replace")
    if usage is None:
        raise BenchmarkError(f"The build's supervisor died. It printed:\n\n{output.rstrip()}")
    return Run(exit_code, output, usage)


def _supervise(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: IO[bytes]
) -> tuple[int, Usage | None]:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as lines:
        process = subprocess.Popen(
            # Without site-packages: it is small and up in some milliseconds.
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(write_end), *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[write_end],
            # Ctrl-C is for the benchmark, which then ends the whole tree.
            start_new_session=True,
        )
        os.close(write_end)
        try:
            return _watch(process.pid, lines)
        finally:
            process.kill()
            process.wait()


def _watch(pid: int, lines: IO[str]) -> tuple[int, Usage | None]:
    with TreeWatch(pid) as watch:
        ended = _next(lines)
        watch.stop()
        select.select([lines], [], [], GRACE_S)
        watch.end_leftovers()
        total = _next(lines)
    if ended is None or total is None:
        return -1, None
    cpu_s = max(total["cpu_s"], watch.polled_cpu_s)
    return ended["exit_code"], Usage(ended["wall_s"], cpu_s, watch.peak_mib, total["lingered_s"])


def _next(lines: IO[str]) -> dict[str, Any] | None:
    line = lines.readline()
    return json.loads(line) if line else None
