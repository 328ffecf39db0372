"""What one kernel may take of the machine: threads and memory.

Whoever starts kernels asks here; what is run in them is not known.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress

_OPENMP = "OMP_NUM_THREADS"
THREAD_VARIABLES = (
    _OPENMP,
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""How the libraries that compute with several threads are told with how many."""


def cap_threads(environ: Mapping[str, str], *, cores: int, kernels: int) -> dict[str, str]:
    """Return the variables to add to a kernel's environment, so that no core is shared.

    Each library starts a thread for every core it sees. With as many kernels as cores
    that makes cores x cores threads, which then wait for each other: slower than one.

    A variable that the user has set stays as it is. Where that is ``OMP_NUM_THREADS``,
    which all these libraries look at, nothing is added: each library's own variable would
    win over the user's word.

    :param environ: what the kernel gets anyway.
    :param cores: usable cores.
    :param kernels: how many kernels may run at the same time.
    """
    if _OPENMP in environ:
        return {}
    threads = str(max(1, cores // kernels))
    return {name: threads for name in THREAD_VARIABLES if name not in environ}


def can_limit_memory() -> bool:
    """Return whether this system lets the memory of another process be limited."""
    return sys.platform == "linux"


def limit_memory(pid: int, size_bytes: int) -> None:
    """Limit what a process, and each that it starts from now on, may use for data.

    Does nothing where ``can_limit_memory`` says no, nor when the process has ended.
    What is in use already stays, so a kernel that is larger fails at its next request.

    Raises PermissionError for another user's process.
    """
    if sys.platform != "linux":
        return
    import resource

    # Not RLIMIT_AS: that counts addresses, of which threads' stacks, allocators and
    # compilers reserve gigabytes that they never use, and numpy would not even import.
    # RLIMIT_DATA counts private memory that can be written to, mapped or on the heap.
    with suppress(ProcessLookupError):
        _, highest = resource.prlimit(pid, resource.RLIMIT_DATA)
        # Only root may raise the upper limit, and the notebook shall not raise the lower.
        is_lower = highest == resource.RLIM_INFINITY or size_bytes < highest
        limit = size_bytes if is_lower else highest
        resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))


def format_size(size_bytes: int) -> str:
    """Return a size as people write it: ``512 MiB``, ``2 GB``, ``1500 MB``."""
    units = {
        f"{prefix}{'i' * (scale == 1024)}B": scale**power
        for scale in (1000, 1024)
        for power, prefix in enumerate("kMGT" if scale == 1000 else "KMGT", 1)
    }
    fitting = {unit: size_bytes // one for unit, one in units.items() if size_bytes % one == 0}
    if not fitting:
        return f"{size_bytes} bytes"
    unit = min(fitting, key=lambda unit: fitting[unit])
    return f"{fitting[unit]} {unit}"
