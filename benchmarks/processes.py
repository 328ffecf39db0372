"""Watch all descendants of a process while they run.

A thread looks every 50 ms, which keeps the last seen CPU time of each, also of one that
lost its parent. Searching for new processes reads the whole process table, and PSS costs
the kernel a walk over the pages of a process (some 3 ms for 100 MiB): that would slow
down most those tools that run the most processes. So PSS is asked only when RSS, which
is cheap and never less, leaves room for a new peak, and only so often that it takes at
most ``PSS_SHARE`` of one core, of every tool.
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
LOOKS_PER_SEARCH = 2
PSS_SHARE = 0.04
GRACE_S = 3.0


class TreeWatch:
    """A context that watches the descendants of a process, and at its end ends what is left.

    The process itself is not counted and not ended.
    """

    def __init__(self, root_pid: int) -> None:
        self._root = psutil.Process(root_pid)
        self._alive: set[psutil.Process] = set()
        self._cpu_s: dict[psutil.Process, float] = {}
        self._peak_bytes = 0
        self._next_pss_s = 0.0
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
        self.end_leftovers()

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

    def end_leftovers(self) -> None:
        """End those processes that are still there now."""
        self._alive = self._members()
        self._look_at_cpu()
        _end({process for process in self._alive if _runs(process)})

    def _watch(self) -> None:
        for look in itertools.count():
            if look % LOOKS_PER_SEARCH == 0:
                self._alive = self._members()
            self._look_at_cpu()
            self._look_at_memory()
            if self._over.wait(INTERVAL_S):
                return

    def _look_at_cpu(self) -> None:
        for process in self._alive:
            # A process that has ended says 0: keep what was seen before.
            self._cpu_s[process] = max(_cpu_s(process), self._cpu_s.get(process, 0.0))

    def _look_at_memory(self) -> None:
        began_s = time.perf_counter()
        if began_s < self._next_pss_s:
            return
        if sum(_rss_bytes(process) for process in self._alive) > self._peak_bytes:
            pss_bytes = sum(_pss_bytes(process) for process in self._alive)
            self._peak_bytes = max(self._peak_bytes, pss_bytes)
            now_s = time.perf_counter()
            self._next_pss_s = now_s + (now_s - began_s) / PSS_SHARE

    def _members(self) -> set[psutil.Process]:
        members = _descendants(self._root)
        # Those that were there before and are no descendants any more: most have ended;
        # where nobody adopts orphans, some have only lost their parent.
        for process in self._alive - members:
            if process.is_running():
                members |= {process, *_descendants(process)}
        return members


@functools.cache
def memory_measure() -> str:
    """Return which memory of a process is summed up here: "pss", "uss" or "rss"."""
    fields = psutil.Process().memory_full_info()._fields
    return next(name for name in ("pss", "uss", "rss") if name in fields)


def _descendants(process: psutil.Process) -> set[psutil.Process]:
    try:
        return set(process.children(recursive=True))
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
