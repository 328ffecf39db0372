"""Executors by name: those that are built in, and those that installed plug-ins bring.

Only names are looked at; nothing of a plug-in is imported here. What is installed is looked
for only when a name is not built in: that reads the metadata of every distribution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

EXECUTORS = ("local-serial", "local-parallel", "temp-serial", "temp-parallel", "dask")
"""Those that are built in."""
EXECUTOR_GROUP = "nbcache.executors"
"""The group of entry points by which plug-ins bring executors."""
_JUPYTER_CACHE_GROUP = "jcache.executors"


class WrongValueError(ValueError):
    """A value of an option is wrong for a reason that the option alone does not tell."""


def list_executors() -> list[str]:
    """Return the names of all executors: the built-in ones, then those of plug-ins."""
    return [*EXECUTORS, *_list_installed()]


def find_executor(name: str) -> EntryPoint | None:
    """Return the entry point of a plug-in's executor; None for a built-in or unknown name.

    Of several distributions with the same name the one counts that Python finds first.
    """
    if name in EXECUTORS:
        return None
    return next(iter(_find(EXECUTOR_GROUP).select(name=name)), None)


def check_executor(value: Any) -> str:
    """Return the name of an executor that is built in or installed."""
    if not isinstance(value, str):
        raise TypeError
    if value not in EXECUTORS and find_executor(value) is None:
        raise WrongValueError(_explain_unknown(value))
    return value


def _find(group: str) -> EntryPoints:
    from importlib.metadata import entry_points  # it costs more than all the rest of config

    return entry_points(group=group)


def _list_installed() -> list[str]:
    return sorted(_find(EXECUTOR_GROUP).names - {*EXECUTORS})


def _explain_unknown(name: str) -> str:
    text = f"installed plug-ins: {', '.join(_list_installed()) or 'none'}"
    for found in _find(_JUPYTER_CACHE_GROUP).select(name=name):
        # It would run notebooks out of a database that is not ours, and say nothing of what
        # they read and wrote: there would be outputs of which nobody knows when they are stale.
        owner = f" of {found.dist.name} {found.dist.version}" if found.dist else ""
        text += (
            f". {found.value}{owner} is an executor of jupyter-cache ({_JUPYTER_CACHE_GROUP}), "
            "which works on jupyter-cache's own database and does not tell what notebooks read; "
            f"an executor for this cache is an entry point in the group {EXECUTOR_GROUP}"
        )
        break
    return text
