"""Runs one command as its own little init: a script without any import of the benchmark.

Whoever in the command's tree loses its parent becomes a child of this process (Linux),
so it stays in the tree, and its CPU time is counted when it ends. Two lines of JSON go
to a file descriptor: one when the command has ended, one when the last of the tree has.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def supervise(report: int, command: list[str]) -> None:
    """Run the command, write the two lines to the descriptor ``report``."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started_s = time.perf_counter()
    process = subprocess.Popen(command)
    exit_code = _wait_for(process.pid)
    ended_s = time.perf_counter()
    # Popen must not wait for it once more when it is thrown away.
    process.returncode = exit_code
    _tell(report, {"exit_code": exit_code, "wall_s": ended_s - started_s})
    lingered_s = _wait_for_all(ended_s)
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    _tell(report, {"cpu_s": times.ru_utime + times.ru_stime, "lingered_s": lingered_s})


def _wait_for(pid: int) -> int:
    # Orphans are reaped meanwhile, as init would: a zombie looks alive to its watchers.
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _wait_for_all(since_s: float) -> float:
    last_s = since_s
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return last_s - since_s
        last_s = time.perf_counter()


def _tell(report: int, values: dict[str, float]) -> None:
    os.write(report, json.dumps(values).encode() + b"\n")


if __name__ == "__main__":
    supervise(int(sys.argv[1]), sys.argv[2:])
