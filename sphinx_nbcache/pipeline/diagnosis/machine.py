"""What kernels may take of this machine: cores and memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sphinx_nbcache.pipeline.diagnosis.remark import Health, Patient, Remark
from sphinx_nbcache.running import count_usable_cores

_CGROUP_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Below the folder of control groups: of version 2, and of version 1."""
_LITTLE_PER_CORE_BYTES = 500e6


def check_cores(_: Patient) -> Iterator[Remark]:
    """Say how many cores there are, and how many of them may be used."""
    there, usable = os.cpu_count() or 1, count_usable_cores()
    text = f"{usable} of {there} cores may be used"
    yield Remark("cores", Health.OK, text, details={"cores": there, "usable": usable})


def check_memory(_: Patient) -> Iterator[Remark]:
    """Say how much memory there is, and whether that is enough for a kernel on each core."""
    there, limit = _find_memory_bytes(), _find_limit_bytes()
    if there is None:
        yield Remark("memory", Health.OK, "this system does not say how much memory there is")
        return
    is_limited = limit is not None and limit < there
    usable = limit if limit is not None and is_limited else there
    text = f"{show_bytes(usable)}"
    if is_limited:
        text += f" of {show_bytes(there)}: a control group limits it"
    details = {"bytes": there, "usable_bytes": usable}
    if usable >= _LITTLE_PER_CORE_BYTES * count_usable_cores():
        yield Remark("memory", Health.OK, text, details=details)
        return
    advice = "if kernels die, run fewer at once: --jobs 1, or nbcache_jobs = 1"
    yield Remark("memory", Health.WARNING, f"{text}; little for its cores", advice, details)


def _find_memory_bytes() -> int | None:
    if not hasattr(os, "sysconf"):
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _find_limit_bytes() -> int | None:
    """Return the limit of the control group, as a container sees it; None where there is none."""
    if sys.platform != "linux":
        return None
    for name in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # "max" is no number
            return int(Path("/sys/fs/cgroup", name).read_text(encoding="ascii"))
    return None


def show_bytes(size: float) -> str:
    """Return a size for people, with three digits."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
