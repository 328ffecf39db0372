"""The cache that a command works on, opened when the command runs.

Not before: ``--help`` and completion need none, and opening it imports half the package.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sphinx_nbcache.cli.wrong_use import explain_errors

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import NotebookCache

Command = Callable[..., Any]
_NAME = "sphinx_nbcache.cli.path"


def take_path(*flags: str) -> Callable[[Command], Command]:
    """Add the option that names the cache's folder, for the command and all below it."""
    return click.option(
        *flags,
        type=click.Path(file_okay=False, path_type=Path),
        expose_value=False,
        is_eager=True,
        callback=_note_path,
        help="Folder of the cache. Default: NBCACHE_PATH or JUPYTERCACHE, else .nbcache in the "
        "project root.",
    )


def _note_path(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.meta[_NAME] = path


def open_cache(context: click.Context) -> NotebookCache:
    """Return the cache that the command line names.

    Raises ConfigurationError when an environment variable has a wrong value.
    """
    from sphinx_nbcache.pipeline import NotebookCache

    return NotebookCache(find_given_path(context))


def find_given_path(context: click.Context) -> Path | None:
    """Return the folder that the command line names; None where it names none."""
    path: Path | None = context.meta.get(_NAME)
    return path


def pass_cache(function: Command) -> Command:
    """Give a command the cache as its first argument, and show our errors as one line."""

    @click.pass_context
    @explain_errors
    @wraps(function)
    def run(context: click.Context, *args: Any, **kwargs: Any) -> Any:
        return function(open_cache(context), *args, **kwargs)

    return run
