"""Kernels, one notebook to one Run, executors."""

from sphinx_nbcache.running.executor import (
    Executor,
    LocalExecutor,
    create_executor,
    exit_on_termination,
)

__all__ = [
    "Executor",
    "LocalExecutor",
    "create_executor",
    "exit_on_termination",
]
