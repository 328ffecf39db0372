"""The ``nbcache`` command. Turns arguments into calls and reports into lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sphinx_nbcache.cli.checking import check
from sphinx_nbcache.cli.looking import plan, status, why
from sphinx_nbcache.cli.opening import pass_cache, take_path
from sphinx_nbcache.config import EXECUTORS

if TYPE_CHECKING:
    from sphinx_nbcache.model import Report
    from sphinx_nbcache.pipeline import NotebookCache


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sphinx-nbcache", prog_name="nbcache")
@take_path("--cache-path")
def main() -> None:
    """Execute notebooks, only the stale ones, and keep their outputs.

    Exit status: 0 fine, 1 a notebook failed or differs or the cache is damaged, 2 wrong use.
    """


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-j", "--jobs", type=click.IntRange(1), help="Kernels at once.")
@click.option("-e", "--executor", type=click.Choice(EXECUTORS), help="How notebooks are run.")
@click.option("-f", "--force", is_flag=True, help="Run notebooks whose outputs are cached, too.")
@click.option("--frozen", is_flag=True, default=None, help="Start no kernel; a miss is a failure.")
@pass_cache
def execute(  # noqa: PLR0913, PLR0917 - one parameter for each option
    cache: NotebookCache,
    paths: tuple[Path, ...],
    jobs: int | None,
    executor: str | None,
    force: bool,
    frozen: bool | None,
) -> None:
    """Execute notebooks, and those in folders, whose outputs are not in the cache."""
    from sphinx_nbcache.cli.lines import Lines

    report = cache.execute(
        paths,
        jobs=jobs,
        executor=executor,
        force=force,
        frozen=frozen,
        progress=Lines(),
    )
    for outcome in report.failures:
        click.echo(f"{outcome.name}: {outcome.failure and outcome.failure.describe()}", err=True)
    _show_totals(report)
    if report.failures:
        raise SystemExit(1)


def _show_totals(report: Report) -> None:
    totals = report.totals
    parts = {"hits": totals.hits, "ran": totals.ran, "failed": totals.failed}
    text = ", ".join(f"{number} {word}" for word, number in parts.items())
    skipped = f", {totals.skipped} not executed" if totals.skipped else ""
    click.echo(f"notebooks: {totals.notebooks} ({text}{skipped})")


@main.command()
@click.option("--repair", is_flag=True, help="Remove what is damaged.")
@pass_cache
def verify(cache: NotebookCache, repair: bool) -> None:
    """Read everything in the cache and name what is damaged, or needed by nothing.

    Exit status: 1 when something is damaged and was not removed.
    """
    problems = cache.verify(repair=repair)
    for problem in problems:
        click.echo(f"{'removed: ' if repair else ''}{problem}")
    damaged = sum(problem.is_damage for problem in problems)
    click.echo(f"{cache.path}: {damaged} damaged" if damaged else f"{cache.path}: sound")
    if damaged and not repair:
        raise SystemExit(1)


for _command in (why, plan, status, check):
    main.add_command(_command)
