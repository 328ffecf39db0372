"""What a process wrote to its own streams, which go to a file without a name."""

from __future__ import annotations

import os
from typing import IO

_TAIL_BYTES = 2000


def read_tail(log: IO[bytes]) -> str:
    """Return the end of a file that other processes write to, whose position stays theirs."""
    size = os.fstat(log.fileno()).st_size
    # No pread on Windows; there a file that is shared has a position for each process.
    if not hasattr(os, "pread"):
        log.seek(max(0, size - _TAIL_BYTES))
        data = log.read()
    else:
        data = os.pread(log.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    return data.decode("utf-8", "replace").strip()
