"""The options and the report of all commands that execute notebooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sphinx_nbcache.config import EXECUTORS, list_executors

if TYPE_CHECKING:
    from sphinx_nbcache.model import Report
    from sphinx_nbcache.pipeline import NotebookCache

Command = Callable[..., Any]
JCACHE_EXIT = "NBCACHE_JCACHE_EXIT"
"""Variable that makes failed notebooks no failure of a command, as in ``jcache``."""
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_UNREADABLE = "NotebookReadError"


def _complete_executor(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in list_executors() if name.startswith(incomplete)]


def take_execution(*, force: bool) -> Callable[[Command], Command]:
    """Add the options of a command that executes.

    :param force: whether what is cached runs, too, when the user says nothing.
    """
    default = "on" if force else "off"
    options = (
        click.option(
            "-e",
            "--executor",
            metavar="NAME",
            shell_complete=_complete_executor,
            help=f"How notebooks are run: {', '.join(EXECUTORS)}, or a plug-in's name.",
        ),
        click.option(
            "--executor-options",
            metavar="NAME=VALUE,...",
            help="What the executor is told: address=tcp://10.0.0.1:8786,jobs=8",
        ),
        click.option("-j", "--jobs", type=click.IntRange(1), help="Kernels at once."),
        click.option(
            "-t",
            "--timeout",
            type=click.FloatRange(0, min_open=True),
            metavar="SECONDS",
            help="Longest time for one cell. Default: what the documentation says, else 30.",
        ),
        click.option(
            "-f/",
            "--force/--no-force",
            default=force,
            help=f"Run notebooks whose outputs are cached, too. Default: {default}.",
        ),
        click.option(
            "--frozen", is_flag=True, default=None, help="Start no kernel; a miss is a failure."
        ),
        click.option(
            "--keep-going/--fail-fast",
            default=True,
            help="Whether to run the others when one has failed. Default: keep going.",
        ),
        click.option(
            "-v",
            "--verbosity",
            type=click.Choice(_LEVELS, case_sensitive=False),
            default="INFO",
            help="What is told: from WARNING on no line for each notebook.",
        ),
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def execute(
    cache: NotebookCache,
    paths: Iterable[Path] | None,
    *,
    verbosity: str,
    keep_going: bool,
    **given: Any,
) -> Report:
    """Execute notebooks and tell how each ends.

    :param paths: None for those on the project's list.
    :param given: the other options, as the API takes them.
    """
    from sphinx_nbcache.cli.listener import choose_listener

    progress = choose_listener(
        is_brief=_LEVELS.index(verbosity.upper()) >= _LEVELS.index("WARNING")
    )
    report = cache.execute(paths, progress=progress, fail_fast=not keep_going, **given)
    for outcome in report.failures:
        click.echo(f"{outcome.name}: {outcome.failure and outcome.failure.describe()}", err=True)
    return report


def exit_for(report: Report) -> None:
    """Exit with the status for failed notebooks, if there are any."""
    if report.failures and not os.environ.get(JCACHE_EXIT):
        raise SystemExit(1)


def show_totals(report: Report) -> None:
    """Write how many notebooks there were of each kind."""
    totals = report.totals
    parts = {"hits": totals.hits, "ran": totals.ran, "failed": totals.failed}
    text = ", ".join(f"{number} {word}" for word, number in parts.items())
    skipped = f", {totals.skipped} not executed" if totals.skipped else ""
    click.echo(f"notebooks: {totals.notebooks} ({text}{skipped})")


def show_lists(report: Report) -> None:
    """Write which notebooks ran, as YAML with jupyter-cache's words."""
    from sphinx_nbcache.cli.tables import show_fields
    from sphinx_nbcache.model import Status

    failed = report.failures
    # A cell that raised, or a notebook that did not come as far as that.
    raised = [o.name for o in failed if o.failure is not None and o.failure.cell is not None]
    show_fields(
        {
            "succeeded": [o.name for o in report.outcomes if o.status is Status.RAN],
            "excepted": raised,
            "errored": [o.name for o in failed if o.name not in raised],
        }
    )
