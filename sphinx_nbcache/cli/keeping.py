"""The commands that keep a cache in order: ``prune``, ``stats``, ``export``, ``import``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sphinx_nbcache.cli.opening import pass_cache
from sphinx_nbcache.cli.parameters import take_json
from sphinx_nbcache.cli.questions import confirm, take_force
from sphinx_nbcache.cli.tables import (
    count,
    show_fields,
    show_seconds,
    show_size,
    show_time,
    write_json,
)
from sphinx_nbcache.config import check_duration, check_size

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import NotebookCache
    from sphinx_nbcache.store import Pruned

    ParamType = click.ParamType[Any]
    Prune = Callable[..., Pruned]
else:
    ParamType = click.ParamType  # generic for the type checker only, before click 8.3


class _Checked(ParamType):
    """A parameter that is checked as an option of ``conf.py`` is."""

    def __init__(self, name: str, check: Any, expected: str) -> None:
        self.name = name
        self._check = check
        self._expected = expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value in its final type."""
        try:
            return self._check(value)
        except (ValueError, TypeError):
            return self.fail(f"{value!r}: expected {self._expected}", param, ctx)


_SIZE = _Checked("size", check_size, 'a size such as "2 GB" or "500 MB"')
_AGE = _Checked("age", check_duration, 'a duration such as "90d", "12h"')


def make_prune(age_help: str) -> Callable[[Callable[[NotebookCache], Prune]], click.Command]:
    """Make a command that tells what pruning would take, asks, and does it.

    It decorates a function that returns what prunes, and takes its docstring for the help.

    :param age_help: what an age is counted from.
    """

    def make(choose: Callable[[NotebookCache], Prune]) -> click.Command:
        def prune(
            cache: NotebookCache, dry_run: bool, force: bool, is_json: bool, **limits: Any
        ) -> None:
            _prune(partial(choose(cache), **limits), dry_run, force, is_json)

        options = (
            click.option(
                "--max-size",
                "max_size_bytes",
                type=_SIZE,
                help='Bytes of all that is kept, such as "2 GB".',
            ),
            click.option(
                "--max-age", "max_age_s", type=_AGE, help=f'Time since {age_help}, such as "90d".'
            ),
            click.option("--max-count", type=click.IntRange(0), help="Number of entries."),
            click.option("--dry-run", is_flag=True, help="Only tell what would go."),
            take_force,
            take_json,
        )
        command = pass_cache(prune)
        for option in reversed(options):
            command = option(command)
        return click.command("prune", help=choose.__doc__)(command)

    return make


@make_prune("an entry answered last")
def prune(cache: NotebookCache) -> Prune:
    """Remove what no entry needs, and entries until the limits are kept.

    Entries that save the fewest seconds for each byte go first, then those used longest ago.
    """
    return cache.entries.prune


def _prune(prune: Prune, dry_run: bool, force: bool, is_json: bool) -> None:
    if is_json and not (force or dry_run):
        raise click.UsageError("with --json nothing is asked: add -f, or --dry-run")
    pruned = prune(dry_run=True)
    if not dry_run and (pruned.entries or pruned.memos or pruned.objects):
        if not force:
            click.echo(_describe(pruned, "would go"))
        confirm("Remove them?", force=force)
        pruned = prune(dry_run=False)
    if is_json:
        write_json(
            {
                "entries": [entry.name for entry in pruned.entries],
                "memos": [memo.name for memo in pruned.memos],
                "objects": pruned.objects,
                "freed_bytes": pruned.freed_bytes,
                "left_entries": pruned.left_entries,
                "left_bytes": pruned.left_bytes,
            }
        )
    else:
        click.echo(_describe(pruned, "would go" if dry_run else "removed"))


def _describe(pruned: Pruned, what: str) -> str:
    entries = count(len(pruned.entries), "entry", "entries")
    if pruned.memos:
        entries += f", {count(len(pruned.memos), 'memo')}"
    left = count(pruned.left_entries, "entry", "entries")
    return (
        f"{what}: {entries}, {count(pruned.objects, 'object')}, {show_size(pruned.freed_bytes)}; "
        f"left: {left}, {show_size(pruned.left_bytes)}"
    )


@click.command()
@take_json
@pass_cache
def stats(cache: NotebookCache, is_json: bool) -> None:
    """Show what the cache holds, in numbers."""
    found = cache.entries.compute_stats()
    if is_json:
        write_json({"path": str(cache.path), **asdict(found)})
        return
    show_fields(
        {
            "Cache": str(cache.path),
            "Entries": found.entries,
            "Notebooks": found.notebooks,
            "Artifacts": found.artifacts,
            "Memos": found.memos,
            "Objects": found.objects,
            "Size": show_size(found.size_bytes),
            "Time to make it": show_seconds(found.seconds),
            "Oldest entry": show_time(found.oldest_at),
            "Newest entry": show_time(found.newest_at),
            "Limit": found.limit or "none",
        }
    )


@click.command("export")
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("names", nargs=-1, metavar="[ID_OR_PATH]...")
@take_force
@pass_cache
def export_entries(
    cache: NotebookCache, archive: Path, names: tuple[str, ...], force: bool
) -> None:
    """Write entries with all that they need into an archive, a tar file.

    Without IDs or paths: all of them.
    """
    if archive.exists():
        confirm(f"{archive} exists: write over it?", force=force)
    number = cache.entries.export_to(archive, names or None)
    click.echo(f"{archive}: {count(number, 'entry', 'entries')}")


@click.command("import")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@pass_cache
def import_entries(cache: NotebookCache, archive: Path) -> None:
    """Take the entries of an archive into the cache; everything is verified.

    Exit status: 1 when something in it could not be taken.
    """
    imported = cache.entries.import_from(archive)
    for problem in imported.problems:
        click.echo(problem, err=True)
    new = count(len(imported.entries), "new entry", "new entries")
    if imported.memos:
        new += f", {count(len(imported.memos), 'new memo')}"
    click.echo(f"{new}, {imported.known} known already")
    if imported.problems:
        raise SystemExit(1)
