"""Kernels, one notebook to one Run, executors."""

from sphinx_nbcache.running.executor import (
    Executor,
    LocalExecutor,
    create_executor,
)
from sphinx_nbcache.running.interruption import hold_interruptions
from sphinx_nbcache.running.kernels import ChooseModules, fork_nothing
from sphinx_nbcache.running.limits import can_limit_memory

__all__ = [
    "ChooseModules",
    "Executor",
    "LocalExecutor",
    "can_limit_memory",
    "create_executor",
    "fork_nothing",
    "hold_interruptions",
]
