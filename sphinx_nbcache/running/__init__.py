"""Kernels, one notebook to one Run, executors.

What drives kernels is imported when it is first asked for: most commands and builds run
nothing, and Jupyter's libraries take longer to import than all else takes together.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.running.cores import count_usable_cores
from sphinx_nbcache.running.environment import find_interpreter
from sphinx_nbcache.running.installed import InstalledKernel, list_kernels
from sphinx_nbcache.running.interruption import hold_interruptions
from sphinx_nbcache.running.limits import can_limit_memory
from sphinx_nbcache.running.preloading import scan_imports

if TYPE_CHECKING:
    from sphinx_nbcache.running.creation import create_executor
    from sphinx_nbcache.running.executor import (
        Executor,
        ExecutorRequest,
        LocalExecutor,
    )
    from sphinx_nbcache.running.kernels import ChooseModules, fork_nothing

__all__ = [
    "ChooseModules",
    "Executor",
    "ExecutorRequest",
    "InstalledKernel",
    "LocalExecutor",
    "can_limit_memory",
    "count_usable_cores",
    "create_executor",
    "find_interpreter",
    "fork_nothing",
    "hold_interruptions",
    "list_kernels",
    "scan_imports",
]
_LATER = {
    "ChooseModules": "kernels",
    "Executor": "executor",
    "ExecutorRequest": "executor",
    "LocalExecutor": "executor",
    "create_executor": "creation",
    "fork_nothing": "kernels",
}
"""Name to the module that has it."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
