"""Kernels, one notebook to one Run, executors."""

from sphinx_nbcache.running.environment import find_interpreter
from sphinx_nbcache.running.executor import (
    Executor,
    ExecutorRequest,
    LocalExecutor,
    create_executor,
)
from sphinx_nbcache.running.interruption import hold_interruptions
from sphinx_nbcache.running.kernels import ChooseModules, fork_nothing
from sphinx_nbcache.running.limits import can_limit_memory
from sphinx_nbcache.running.preloading import scan_imports

__all__ = [
    "ChooseModules",
    "Executor",
    "ExecutorRequest",
    "LocalExecutor",
    "can_limit_memory",
    "create_executor",
    "find_interpreter",
    "fork_nothing",
    "hold_interruptions",
    "scan_imports",
]
