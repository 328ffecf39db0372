"""The group ``nbcache project``: the cache as a whole, and all notebooks on its list."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from sphinx_nbcache.cli.executing import execute, exit_for, show_lists, take_execution
from sphinx_nbcache.cli.opening import pass_cache, take_path
from sphinx_nbcache.cli.questions import confirm, confirm_making, take_force

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import NotebookCache, Tracking

_NO_LIMIT = "none"


@click.group()
@take_path("-p", "--cache-path")
def project() -> None:
    """Work on a project: execute its notebooks, set and clear its cache."""


@project.command()
@pass_cache
def version(cache: NotebookCache) -> None:
    """Print the format of the cache."""
    found = cache.find_format()
    if found is None:
        raise click.ClickException("No cache found.")
    click.echo(found)


@project.command()
@click.option("--git", "is_git", is_flag=True, help="Keep the cache in the git repository.")
@click.option("--git-lfs", "is_lfs", is_flag=True, help="The same, with its objects in git LFS.")
@pass_cache
def init(cache: NotebookCache, is_git: bool, is_lfs: bool) -> None:
    """Make the cache, and have git take it if that is wanted.

    Nothing is added to a commit. It can be called again.
    """
    place = os.path.relpath(cache.path)
    if not (is_git or is_lfs):
        cache.make()
        click.echo(f"cache: {place}")
        return
    tracking = cache.track(lfs=is_lfs)
    click.echo(f"cache: {place}, kept in the git repository")
    for path in tracking.written:
        click.echo(f"wrote {os.path.relpath(path)}")
    for step in _list_steps(tracking, place, is_lfs=is_lfs):
        click.echo(f"next: {step}")


def _list_steps(tracking: Tracking, place: str, *, is_lfs: bool) -> Iterator[str]:
    """Yield what is left to the user, before the first commit of the cache."""
    if is_lfs and not tracking.has_filter:
        yield "git lfs install  (once on each machine)"
    if tracking.is_ignored:
        yield f"take the line that names {place} out of the .gitignore that has it"
    if tracking.written and tracking.is_known:
        yield f"git add --renormalize {place}"
    yield f"git add {place}"


@project.command()
@take_force
@pass_cache
def clear(cache: NotebookCache, force: bool) -> None:
    """Remove the cache as a whole: entries, list of notebooks, settings."""
    confirm(f"Remove the cache {cache.path} with everything in it?", force=force)
    cache.clear()
    click.secho("Cache cleared!", fg="green")


@project.command("cache-limit")
@click.argument("limit", metavar="[CACHE_LIMIT]", required=False)
@pass_cache
def cache_limit(cache: NotebookCache, limit: str | None) -> None:
    """Show or set the largest number of entries that a build leaves in the cache.

    `none` is no limit. What a build used itself it always leaves.
    """
    if limit is None:
        click.echo(f"Current cache limit: {cache.entries.limit or _NO_LIMIT}")
        return
    if limit != _NO_LIMIT and (not limit.isdecimal() or int(limit) < 1):
        raise click.BadParameter(
            f"{limit!r} is no whole number from 1, and not `{_NO_LIMIT}`", param_hint="CACHE_LIMIT"
        )
    cache.entries.set_limit(None if limit == _NO_LIMIT else int(limit))
    click.secho("Cache limit changed!", fg="green")


@project.command("execute")
@take_execution(force=False)
@pass_cache
def execute_all(cache: NotebookCache, **given: Any) -> None:
    """Execute all notebooks of the project that are stale."""
    confirm_making(cache)
    report = execute(cache, None, **given)
    show_lists(report)
    exit_for(report)
