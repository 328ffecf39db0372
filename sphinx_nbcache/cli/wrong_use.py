"""Our errors as the shell's: one line, and the exit status for wrong use."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from sphinx_nbcache.errors import NbCacheError

_P = ParamSpec("_P")
_R = TypeVar("_R")


def explain_errors(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Show our errors as one line, and exit with the status for wrong use."""

    @wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except NbCacheError as error:
            raise click.UsageError(str(error)) from error

    return run
