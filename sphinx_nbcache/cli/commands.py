"""The ``nbcache`` command. Turns arguments into calls and reports into lines."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sphinx_nbcache.cli.cache_group import cache_group
from sphinx_nbcache.cli.checking import check
from sphinx_nbcache.cli.completion import take_completion
from sphinx_nbcache.cli.doctor import doctor
from sphinx_nbcache.cli.executing import execute, exit_for, show_totals, take_execution
from sphinx_nbcache.cli.keeping import export_entries, import_entries, prune, stats
from sphinx_nbcache.cli.looking import plan, status, why
from sphinx_nbcache.cli.moving_over import import_jupyter_cache
from sphinx_nbcache.cli.notebook_group import notebook
from sphinx_nbcache.cli.opening import pass_cache, take_path
from sphinx_nbcache.cli.parameters import take_json
from sphinx_nbcache.cli.project_group import project
from sphinx_nbcache.cli.remote_group import remote
from sphinx_nbcache.cli.stripping import strip
from sphinx_nbcache.cli.tables import list_json
from sphinx_nbcache.postponing import postpone_iri_grammar

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import NotebookCache


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-v", "--version", package_name="sphinx-nbcache", prog_name="nbcache")
@take_path("--cache-path")
@take_completion
def main() -> None:
    """Execute notebooks, only the stale ones, and keep their outputs.

    Exit status: 0 fine, 1 a notebook failed or differs or the cache is damaged, 2 wrong use.
    """
    postpone_iri_grammar()


@main.command("execute")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@take_execution(force=False)
@pass_cache
def execute_paths(cache: NotebookCache, paths: tuple[Path, ...], **given: Any) -> None:
    """Execute notebooks, and those in folders, whose outputs are not in the cache.

    They need not be on the project's list.
    """
    report = execute(cache, paths, **given)
    show_totals(report)
    exit_for(report)


@main.command()
@click.option("--repair", is_flag=True, help="Remove what is damaged, or needed by nothing.")
@take_json
@pass_cache
def verify(cache: NotebookCache, repair: bool, is_json: bool) -> None:
    """Read everything in the cache and name what is damaged, or needed by nothing.

    Exit status: 1 when something is damaged and was not removed.
    """
    problems = cache.verify(repair=repair)
    damaged = sum(problem.is_damage for problem in problems)
    if is_json:
        list_json({**asdict(problem), "path": str(problem.path)} for problem in problems)
    else:
        unfetched = sum(problem.is_unfetched for problem in problems)
        for problem in problems:
            if not problem.is_unfetched:
                click.echo(f"{'removed: ' if repair and problem.is_removable else ''}{problem}")
        if unfetched:
            click.echo(f"{unfetched} objects are not fetched from git LFS: run `git lfs pull`")
        click.echo(f"{cache.path}: {damaged} damaged" if damaged else f"{cache.path}: sound")
    if damaged and not repair:
        raise SystemExit(1)


_COMMANDS = (
    *(notebook, cache_group, project, remote),
    *(why, plan, status, check),
    *(prune, stats, export_entries, import_entries, import_jupyter_cache),
    *(strip, doctor),
)
for _command in _COMMANDS:
    main.add_command(_command)
main.add_command(execute_paths, "run")
