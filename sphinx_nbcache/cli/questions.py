"""Questions before something is made or goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import NotebookCache

take_force = click.option("-f", "--force", is_flag=True, help="Do not ask.")


def confirm(question: str, *, force: bool) -> None:
    """Go on if the user agrees; the answer may come through a pipe."""
    if force:
        return
    try:
        click.confirm(question, abort=True)
    except click.Abort:
        if not sys.stdin.isatty():
            click.echo("\nnothing was done: answer y, or use -f", err=True)
        raise


def confirm_at_terminal(question: str, *, force: bool) -> None:
    """Go on if the user agrees; a script is not asked, and nothing is read from its input."""
    if not force and sys.stdin.isatty():
        click.confirm(question, abort=True)


def confirm_chosen(
    names: Sequence[str], questions: tuple[str, str], *, is_all: bool, force: bool
) -> None:
    """Go on if the user agrees to what is to be done with some things by name, or with all.

    :param questions: what is asked about all, and about some.

    Raises UsageError where it is not said which, or both.
    """
    if is_all == bool(names):
        raise click.UsageError("name them, or say --all: one of the two")
    of_all, of_some = questions
    if is_all:
        confirm(of_all, force=force)
    else:
        confirm_at_terminal(of_some, force=force)


def confirm_making(cache: NotebookCache) -> None:
    """Go on if there is a cache, or the user at the terminal wants one."""
    if cache.path.exists() or not sys.stdin.isatty():
        return
    click.echo(f"Cache path: {cache.path}")
    click.confirm("The cache does not yet exist, do you want to create it?", abort=True)
