"""The group ``nbcache remote``: the cache that several machines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sphinx_nbcache.cli.keeping import make_prune
from sphinx_nbcache.cli.opening import pass_cache, take_path
from sphinx_nbcache.cli.parameters import take_json
from sphinx_nbcache.cli.tables import count, show_fields, show_size, write_json

if TYPE_CHECKING:
    from sphinx_nbcache.cli.keeping import Prune
    from sphinx_nbcache.pipeline import Moved, NotebookCache


@click.group()
@take_path("-p", "--cache-path")
def remote() -> None:
    """Work on the remote, the cache that several machines share.

    Which one that is, NBCACHE_REMOTE says, else nbcache_remote of the last sphinx-build.
    Commands that change it need NBCACHE_REMOTE_MODE=read-write, or the same in conf.py.
    """


@remote.command()
@take_json
@pass_cache
def status(cache: NotebookCache, is_json: bool) -> None:
    """Show what the remote holds, and how that differs from the cache here."""
    found = cache.remote.find_status()
    if is_json:
        write_json(found.to_json())
        return
    show_fields(
        {
            "Remote": found.address,
            "Mode": found.mode,
            "Entries there": found.there - found.memos,
            "Memos there": found.memos,
            "Here, too": found.both,
            "Only here": found.only_here,
            "Only there": found.only_there,
            "Objects there": found.objects,
            "Size": show_size(found.size_bytes),
        }
    )


@remote.command()
@pass_cache
def push(cache: NotebookCache) -> None:
    """Copy all entries to the remote that it has not.

    Exit status: 1 when some could not be copied.
    """
    _tell(cache.remote.push(), "pushed")


@remote.command()
@pass_cache
def pull(cache: NotebookCache) -> None:
    """Copy all entries from the remote that are not here; everything is verified.

    A build needs no pull: it takes what it needs itself. Exit status: 1 when something there
    could not be taken.
    """
    _tell(cache.remote.pull(), "pulled")


def _tell(moved: Moved, what: str) -> None:
    for problem in moved.problems:
        click.echo(problem, err=True)
    moves = count(moved.entries, "entry", "entries")
    if moved.memos:
        moves += f", {count(moved.memos, 'memo')}"
    click.echo(f"{what}: {moves}, {moved.known} known already")
    if moved.problems:
        raise SystemExit(1)


@make_prune("an entry was put there")
def prune(cache: NotebookCache) -> Prune:
    """Remove from the remote what no entry needs, and entries until the limits are kept.

    Entries that save the fewest seconds for each byte go first, then the oldest. Objects of
    the last day stay: their entries may be still to come.
    """
    return cache.remote.prune


remote.add_command(prune)


@remote.command("login-test")
@pass_cache
def login_test(cache: NotebookCache) -> None:
    """Try to list the remote; in the mode read-write, to write, read and remove a file, too."""
    for trial in cache.remote.test_login():
        click.echo(f"{trial.name}: ok, {trial.text}")
