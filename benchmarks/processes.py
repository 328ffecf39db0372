"""Watch a process and all its descendants while they run.

A thread looks at the known processes every 50 ms, which keeps the last seen CPU time
of each, also of one that lost its parent. The dear parts are done less often, as they
would slow down most those tools that run the most processes: searching for new
processes reads the whole process table, and PSS costs the kernel a walk over the pages
of a process (some 3 ms for 100 MiB). PSS is asked when RSS, which is cheap, sets a new
record, and now and then besides; never when RSS leaves no room for a new peak, as PSS
is not more than RSS. So the watching takes about a twentieth of one core, of every tool.
"""

from __future__ import annotations

import functools
import itertools
import threading
import time
from types import TracebackType
from typing import Self

import psutil

INTERVAL_S = 0.05
LOOKS_PER_SEARCH = 4
LOOKS_PER_PSS = 16
# RSS creeps while modules are imported; a record by less than this is not asked about.
RECORD = 1.02
GRACE_S = 3.0


class TreeWatch:
    """A context that watches a tree of processes, and at its end ends what is left of it."""

    def __init__(self, root_pid: int) -> None:
        self._root = psutil.Process(root_pid)
        self._alive: set[psutil.Process] = {self._root}
        self._cpu_s: dict[psutil.Process, float] = {}
        self._peak_bytes = 0
        self._rss_record_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tree-watch", daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop looking, and end the processes that are left."""
        self.stop()
        _end(self._leftovers())

    @property
    def polled_cpu_s(self) -> float:
        """The sum of the last seen CPU times of all processes ever seen."""
        return sum(self._cpu_s.values())

    @property
    def peak_mib(self) -> float:
        """The largest sum of the memory of all processes alive at one look."""
        return self._peak_bytes / 2**20

    def stop(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join()

    def leftover_cpu_s(self) -> float:
        """Return the CPU time of those processes that are still there now."""
        return sum(_cpu_s(process) for process in self._leftovers())

    def _watch(self) -> None:
        for look in itertools.count():
            if look % LOOKS_PER_SEARCH == 0:
                self._alive = self._members()
            self._look_at_cpu()
            self._look_at_memory(pss_is_due=look % LOOKS_PER_PSS == 0)
            if self._over.wait(INTERVAL_S):
                return

    def _look_at_cpu(self) -> None:
        for process in self._alive:
            # A process that has ended says 0: keep what was seen before.
            self._cpu_s[process] = max(_cpu_s(process), self._cpu_s.get(process, 0.0))

    def _look_at_memory(self, *, pss_is_due: bool) -> None:
        rss_bytes = sum(_rss_bytes(process) for process in self._alive)
        is_record = rss_bytes > RECORD * self._rss_record_bytes
        if is_record:
            self._rss_record_bytes = rss_bytes
        if (is_record or pss_is_due) and rss_bytes > self._peak_bytes:
            pss_bytes = sum(_pss_bytes(process) for process in self._alive)
            self._peak_bytes = max(self._peak_bytes, pss_bytes)

    def _members(self) -> set[psutil.Process]:
        members = _with_descendants(self._root)
        # Those that were there before and are no descendants any more: most have ended,
        # some have only lost their parent.
        for process in self._alive - members:
            members |= _with_descendants(process)
        return members

    def _leftovers(self) -> set[psutil.Process]:
        return {process for process in self._members() if process.is_running()}


@functools.cache
def memory_measure() -> str:
    """Return which memory of a process is summed up here: "pss", "uss" or "rss"."""
    fields = psutil.Process().memory_full_info()._fields
    return next(name for name in ("pss", "uss", "rss") if name in fields)


def _with_descendants(process: psutil.Process) -> set[psutil.Process]:
    try:
        return {process, *process.children(recursive=True)} if process.is_running() else set()
    except psutil.Error:
        return set()


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    # Not children_user and children_system: each process is counted by itself.
    return times.user + times.system


def _rss_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _pss_bytes(process: psutil.Process) -> int:
    try:
        return int(getattr(process.memory_full_info(), memory_measure()))
    except psutil.Error:
        return 0


def _end(processes: set[psutil.Process]) -> None:
    for process in processes:
        _signal(process, kill=False)
    deadline_s = time.monotonic() + GRACE_S
    while any(_runs(process) for process in processes) and time.monotonic() < deadline_s:
        time.sleep(INTERVAL_S)
    for process in processes:
        _signal(process, kill=True)


def _runs(process: psutil.Process) -> bool:
    # A zombie only waits to be reaped by init, which may take its time.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.Error:
        # It ended by itself meanwhile.
        return
