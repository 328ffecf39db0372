"""The command ``check``: which notebooks give something else when they run again."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from sphinx_nbcache.cli.opening import pass_cache
from sphinx_nbcache.cli.parameters import take_json
from sphinx_nbcache.cli.tables import list_json

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import Drift, NotebookCache


@click.command()
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--rerun", is_flag=True, help="Run notebooks again whose outputs are cached.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Kernels at once.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="REGEX",
    help="What may differ in text outputs; can be given several times.",
)
@take_json
@pass_cache
def check(  # noqa: PLR0913, PLR0917 - one parameter for each option
    cache: NotebookCache,
    patterns: tuple[str, ...],
    rerun: bool,
    jobs: int | None,
    ignore: tuple[str, ...],
    is_json: bool,
) -> None:
    """Find notebooks whose outputs are others each time they run.

    Runs those whose outputs are cached once more, in a scratch place, and compares. PATTERN
    is one of names of pages or paths; without one all are checked. Nothing is stored. Exit
    status: 1 when outputs differ.
    """
    if not rerun:
        raise click.UsageError("add --rerun: notebooks are checked by running them again")
    show = None if is_json else _show
    results = cache.check(patterns=patterns, jobs=jobs, ignore=ignore, on_finished=show)
    if is_json:
        list_json(drift.to_json(cache.root) for drift in results)
    else:
        click.echo(_sum_up(results))
    if any(drift.has_drifted for drift in results):
        raise SystemExit(1)


def _show(drift: Drift) -> None:
    """Write what came out of one notebook."""
    if drift.skip_reason:
        click.echo(f"{drift.name}: not checked: {drift.skip_reason}")
    elif drift.failure:
        click.echo(f"{drift.name}: failed: {drift.failure}")
    elif not drift.cells:
        click.echo(f"{drift.name}: the same")
    else:
        click.echo(f"{drift.name}: differs")
        for cell, what, diff in drift.cells:
            click.echo(f"  cell {cell}, {what}:")
            click.echo(textwrap.indent(diff, "    "))


def _sum_up(results: tuple[Drift, ...]) -> str:
    checked = [drift for drift in results if not drift.skip_reason]
    differing = sum(drift.has_drifted for drift in checked)
    text = f"{len(checked)} checked, {differing} differ" if checked else "nothing checked"
    rest = len(results) - len(checked)
    return f"{text}, {rest} not checked" if rest else text
