"""How many kernels this process may run at once."""

from __future__ import annotations


def count_usable_cores() -> int:
    """Return the cores that CPU affinity and the container's quota leave to this process.

    The quota is rounded up; ``LOKY_MAX_CPU_COUNT`` sets an upper limit.
    """
    from loky import cpu_count

    return max(1, int(cpu_count()))
