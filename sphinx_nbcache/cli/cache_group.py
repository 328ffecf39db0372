"""The group ``nbcache cache``: the entries of the cache."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sphinx_nbcache.cli.opening import pass_cache, take_path
from sphinx_nbcache.cli.parameters import FILE, take_json, take_path_length
from sphinx_nbcache.cli.questions import confirm, confirm_chosen, confirm_making, take_force
from sphinx_nbcache.cli.tables import (
    count,
    list_json,
    shorten,
    show_fields,
    show_size,
    show_table,
    show_time,
    write_json,
)
from sphinx_nbcache.errors import NotExecutedError

if TYPE_CHECKING:
    from sphinx_nbcache.model import Input
    from sphinx_nbcache.pipeline import CachedEntry, NotebookCache
    from sphinx_nbcache.store import Pruned

_take_validation = click.option(
    "--validate/--no-validate", default=True, help="Whether it has to look executed. Default: yes."
)
_take_overwriting = click.option(
    "--overwrite/--no-overwrite",
    default=True,
    help="Whether it takes the place of an entry of the same code. Default: yes.",
)


@click.group("cache")
@take_path("-p", "--cache-path")
def cache_group() -> None:
    """Work on the outputs in the cache: look, add, compare, remove."""


@cache_group.command("list")
@take_path_length
@click.option("--latest-only", is_flag=True, help="Only the newest entry of each notebook.")
@click.option("-h", "--hashkeys", is_flag=True, help="Show the keys.")
@take_json
@pass_cache
def list_entries(
    cache: NotebookCache, path_length: int, latest_only: bool, hashkeys: bool, is_json: bool
) -> None:
    """List the entries of the cache, the one used last first.

    For help: --help.
    """
    entries = list(cache.entries.list_all())
    if latest_only:
        entries = _choose_latest(entries)
    if is_json:
        list_json(item.to_json() for item in entries)
    elif not entries:
        click.secho("No Cached Notebooks", fg="blue")
    else:
        keys = ["Hashkey"] if hashkeys else []
        headings = ["ID", "Origin", "Created", "Accessed", *keys]
        show_table(headings, [_make_row(item, path_length, hashkeys) for item in entries])


def _choose_latest(entries: list[CachedEntry]) -> list[CachedEntry]:
    latest: dict[str, CachedEntry] = {}
    for item in sorted(entries, key=lambda item: item.entry.executed_at):
        latest[item.entry.source] = item
    return [item for item in entries if latest[item.entry.source] is item]


def _make_row(item: CachedEntry, path_length: int, hashkeys: bool) -> list[str]:
    row = [
        str(item.id),
        shorten(item.entry.source, path_length),
        show_time(item.entry.executed_at),
        show_time(item.used_at),
    ]
    return [*row, item.entry.key] if hashkeys else row


@cache_group.command()
@click.argument("name", metavar="ID")
@take_json
@pass_cache
def info(cache: NotebookCache, name: str, is_json: bool) -> None:
    """Show all that is known of an entry. ID may be the path of a notebook, too."""
    item = cache.entries.get(name)
    if is_json:
        inputs = [list(found) for found in item.entry.inputs.items]
        write_json({**item.to_json(), "inputs": inputs})
        return
    entry = item.entry
    show_fields(
        {
            "ID": item.id,
            "Origin": entry.source,
            "Created": show_time(entry.executed_at),
            "Accessed": show_time(item.used_at),
            "Hashkey": entry.key,
            "Kernel": entry.kernel,
            "Size": show_size(item.size_bytes),
            "Data": {"execution_seconds": round(entry.seconds, 3)},
            "Notes": entry.notes or None,
            "Inputs": [_describe_input(found) for found in entry.inputs.items] or None,
            "Artifacts": [artifact.path for artifact in entry.artifacts] or None,
            "Left in a temporary folder": [artifact.path for artifact in entry.left] or None,
        }
    )


def _describe_input(found: Input) -> str:
    """Return kind and name of an input, and the version where it has one."""
    has_version = found.kind in ("package", "python")
    return f"{found.kind}: {found.name}{' ' + found.digest if has_version else ''}"


@cache_group.command("cat-artifact")
@click.argument("name", metavar="ID")
@click.argument("path", metavar="ARTIFACT_RPATH")
@pass_cache
def cat_artifact(cache: NotebookCache, name: str, path: str) -> None:
    """Write a file that a notebook wrote to the standard output, as it is."""
    click.echo(cache.entries.read_artifact(name, path), nl=False)


@cache_group.command()
@click.argument("paths", nargs=-1, required=True, metavar="NBPATHS...", type=FILE)
@_take_validation
@_take_overwriting
@pass_cache
def add(cache: NotebookCache, paths: tuple[Path, ...], validate: bool, overwrite: bool) -> None:
    """Cache notebooks that were executed elsewhere, with the outputs in their files."""
    confirm_making(cache)
    for path in paths:
        _add(cache, path, (), validate=validate, overwrite=overwrite)
    click.secho("Success!", fg="green")


@cache_group.command("add-with-artifacts")
@click.argument("artifacts", nargs=-1, metavar="ARTIFACT_PATHS...", type=FILE)
@click.option("-nb", "--nbpath", "path", required=True, type=FILE, help="The notebook.")
@_take_validation
@_take_overwriting
@pass_cache
def add_with_artifacts(
    cache: NotebookCache,
    path: Path,
    artifacts: tuple[Path, ...],
    validate: bool,
    overwrite: bool,
) -> None:
    """Cache a notebook that was executed elsewhere, with files that it wrote."""
    confirm_making(cache)
    _add(cache, path, artifacts, validate=validate, overwrite=overwrite)
    click.secho("Success!", fg="green")


def _add(
    cache: NotebookCache,
    path: Path,
    artifacts: tuple[Path, ...],
    *,
    validate: bool,
    overwrite: bool,
) -> None:
    click.echo(f"Caching: {path}")
    try:
        item = cache.entries.add(path, artifacts=artifacts, validate=validate, overwrite=overwrite)
    except NotExecutedError as error:
        if error.is_final:
            raise
        click.secho(f"Validity Error: {error.reason}", fg="red")
        confirm("The notebook may not have been executed, continue?", force=False)
        item = cache.entries.add(path, artifacts=artifacts, validate=False, overwrite=overwrite)
    click.echo(f"Cached with ID {item.id}")


@cache_group.command()
@click.argument("name", metavar="ID")
@click.argument("path", metavar="NBPATH", type=FILE)
@pass_cache
def diff(cache: NotebookCache, name: str, path: Path) -> None:
    """Show how a notebook differs from an entry: code cells, and what they gave."""
    click.echo(cache.entries.diff(name, path) or "no difference")


@cache_group.command()
@click.argument("names", nargs=-1, metavar="IDS...")
@click.option("-a", "--all", "is_all", is_flag=True, help="All entries.")
@take_force
@pass_cache
def remove(cache: NotebookCache, names: tuple[str, ...], is_all: bool, force: bool) -> None:
    """Remove entries from the cache."""
    found = cache.entries.find(names)
    of_some = f"Remove {count(len(found), 'entry', 'entries')}?"
    questions = ("Remove all entries of the cache?", of_some)
    confirm_chosen(names, questions, is_all=is_all, force=force)
    ids = [item.id for item in found]
    show_pruned(cache.entries.clear() if is_all else cache.entries.remove(ids))


@cache_group.command()
@take_force
@pass_cache
def clear(cache: NotebookCache, force: bool) -> None:
    """Remove all entries; the project's list of notebooks and its settings stay."""
    confirm("Remove all entries of the cache?", force=force)
    show_pruned(cache.entries.clear())


def show_pruned(pruned: Pruned) -> None:
    """Write what went."""
    entries = count(len(pruned.entries), "entry", "entries")
    click.echo(f"Removed: {entries}, {show_size(pruned.freed_bytes)}")


for _command, _name in ((cat_artifact, "cat-artefact"), (add_with_artifacts, "add-with-artefacts")):
    cache_group.add_command(_command, _name)  # jupyter-cache's spelling
