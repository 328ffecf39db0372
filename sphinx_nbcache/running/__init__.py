"""Kernels, one notebook to one Run, executors."""

from sphinx_nbcache.running.executor import (
    Executor,
    LocalExecutor,
    create_executor,
)
from sphinx_nbcache.running.interruption import hold_interruptions

__all__ = [
    "Executor",
    "LocalExecutor",
    "create_executor",
    "hold_interruptions",
]
