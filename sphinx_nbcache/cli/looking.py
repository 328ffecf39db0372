"""The commands that look and run nothing: ``why``, ``plan``, ``status``."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sphinx_nbcache.cli.completion import complete_files
from sphinx_nbcache.cli.opening import Command, pass_cache
from sphinx_nbcache.cli.parameters import take_json
from sphinx_nbcache.cli.tables import list_json, show_time

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import NotebookCache, Standing

_NOTES = {
    "network": "it used the network: what it got there is not looked at",
    "processes": "it started other programs: what those read is not looked at",
    "unobserved": "nobody saw what it read: only what is declared makes it stale",
    "imported": "its outputs come from jupyter-cache: nobody saw what it read, so only what is "
    "declared makes it stale",
}
_NOTHING = "no notebooks"


def take_names(command: Command) -> Command:
    """Add the arguments that all of these commands have."""
    names = click.argument(
        "names", nargs=-1, metavar="[PAGE_OR_PATH]...", shell_complete=complete_files
    )
    return names(take_json(pass_cache(command)))


@click.command()
@take_names
def why(cache: NotebookCache, names: tuple[str, ...], is_json: bool) -> None:
    """Say why notebooks would run, or why not.

    Without arguments: all pages of the documentation.
    """
    standings = cache.explain(names or None)
    if is_json:
        list_json(standing.to_json(cache.root) for standing in standings)
        return
    for standing in standings:
        click.echo("\n".join(_explain(standing)))
    if not standings:
        click.echo(_NOTHING)


@click.command()
@take_names
def plan(cache: NotebookCache, names: tuple[str, ...], is_json: bool) -> None:
    """List the notebooks that would run, with the seconds that each took last time."""
    standings = cache.explain(names or None)
    stale = [standing for standing in standings if standing.would_run]
    if is_json:
        list_json(standing.to_json(cache.root) for standing in stale)
        return
    rows = [[item.name, _show_seconds(item.expected_seconds), item.reason] for item in stale]
    for line in align(rows):
        click.echo(line)
    click.echo(_sum_up(stale, len(standings)))


@click.command()
@take_names
def status(cache: NotebookCache, names: tuple[str, ...], is_json: bool) -> None:
    """Show how each page stands: fresh, stale, failed or skipped; one line for each."""
    standings = cache.explain(names or None)
    if is_json:
        list_json(standing.to_json(cache.root) for standing in standings)
        return
    for line in align([_make_row(standing) for standing in standings]) or [_NOTHING]:
        click.echo(line)


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _explain(standing: Standing) -> list[str]:
    """Return a heading, and below it all that makes a notebook stale, with the lines of code."""
    diffs = {difference.text: difference.diff for difference in standing.differences}
    lines = [f"{standing.name}: {standing.state}"]
    for change in standing.changes or (standing.reason,):
        lines.append(f"  {change}")
        lines += textwrap.indent(diffs.get(change, ""), "    ").splitlines()
    if standing.is_fresh and standing.executed_at is not None:
        lines.append(
            f"  ran {show_time(standing.executed_at)} in {_show_seconds(standing.seconds)}"
        )
    lines += [f"  {_NOTES.get(note, note)}" for note in standing.notes]
    lines += [f"  {problem}" for problem in standing.problems if problem != standing.reason]
    return lines


def _make_row(standing: Standing) -> list[str]:
    return [
        str(standing.state),
        standing.name,
        show_time(standing.executed_at),
        _show_seconds(standing.seconds),
        standing.reason,
    ]


def _sum_up(stale: Sequence[Standing], number: int) -> str:
    """Return how many would run, and how long that takes; code that two share runs once."""
    expected = {standing.key: standing.expected_seconds for standing in stale}
    known = [seconds for seconds in expected.values() if seconds is not None]
    text = f"{len(stale)} of {number} notebooks would run"
    if known:
        text += f": {sum(known):.1f} s of kernels"
    unknown = len(expected) - len(known)
    if unknown:
        text += f"{', and' if known else ':'} {unknown} of unknown time"
    return text


def _show_seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"
