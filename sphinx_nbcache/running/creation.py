"""From the name of an executor to the executor: a built-in one, or that of a plug-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sphinx_nbcache.config import EXECUTOR_GROUP, find_executor
from sphinx_nbcache.errors import ConfigurationError, NbCacheError
from sphinx_nbcache.running.executor import Executor, ExecutorRequest, create_local_executor

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

_PARTS = ("__enter__", "__exit__", "submit", "notices", "capacity")


def create_executor(request: ExecutorRequest) -> Executor:
    """Return the executor that the configuration asks for.

    Raises ConfigurationError for options that it does not have, and for a plug-in that cannot
    be loaded or fails; MissingExtraError.
    """
    name = request.config.executor
    if name == "dask":
        from sphinx_nbcache.running.dask_executor import create_dask_executor

        return create_dask_executor(request)
    found = find_executor(name)
    return create_local_executor(request) if found is None else _create_installed(found, request)


def _create_installed(found: EntryPoint, request: ExecutorRequest) -> Executor:
    try:
        executor = found.load()(request)
    except NbCacheError:
        raise  # a plug-in's own word for what the user has to mend
    except Exception as error:
        raise _refuse(found, f"failed with {type(error).__name__}: {error}") from error
    missing = [part for part in _PARTS if not hasattr(executor, part)]
    if missing:
        what = f"gave {executor!r}, which is no executor: it has no {', '.join(missing)}"
        raise _refuse(found, what)
    return _as_executor(executor)


def _as_executor(executor: Any) -> Executor:
    """Say to the type checker what was looked at."""
    made: Executor = executor
    return made


def _refuse(found: EntryPoint, what: str) -> ConfigurationError:
    owner = f"{found.dist.name} {found.dist.version}" if found.dist else "a distribution unknown"
    expected = (
        f"an executor that works, but the entry point {found.name} = {found.value} "
        f"({EXECUTOR_GROUP}) of {owner} {what}"
    )
    return ConfigurationError("executor", found.name, expected)
