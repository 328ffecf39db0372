"""The group ``nbcache notebook``: the project's list of notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sphinx_nbcache.cli.executing import execute, exit_for, show_lists, take_execution
from sphinx_nbcache.cli.opening import pass_cache, take_path
from sphinx_nbcache.cli.parameters import FILE, take_json, take_path_length
from sphinx_nbcache.cli.questions import (
    confirm,
    confirm_at_terminal,
    confirm_chosen,
    confirm_making,
    take_force,
)
from sphinx_nbcache.cli.tables import (
    count,
    list_json,
    shorten,
    show_fields,
    show_table,
    show_time,
    write_json,
)

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import ListedNotebook, NotebookCache

_MARKS = {"fresh": "✅", "failed": "❌"}
_take_reader = click.option(
    "-r", "--reader", help="Name of the reader for these files. Default: as the file says."
)
_take_names = click.argument("names", nargs=-1, required=True, metavar="ID_OR_PATH...")


@click.group()
@take_path("-p", "--cache-path")
def notebook() -> None:
    """Work on the notebooks of a project: add, look, execute, merge."""


@notebook.command()
@click.argument("paths", nargs=-1, required=True, metavar="NBPATHS...", type=FILE)
@_take_reader
@pass_cache
def add(cache: NotebookCache, paths: tuple[Path, ...], reader: str | None) -> None:
    """Add notebooks to the project, for later execution."""
    confirm_making(cache)
    for record in cache.notebooks.add(paths, reader=reader):
        click.echo(f"Adding: {record.path}")
    click.secho("Success!", fg="green")


@notebook.command("add-with-assets")
@click.argument("assets", nargs=-1, metavar="ASSET_PATHS...", type=FILE)
@click.option("-nb", "--nbpath", "path", required=True, type=FILE, help="The notebook.")
@_take_reader
@pass_cache
def add_with_assets(
    cache: NotebookCache, path: Path, assets: tuple[Path, ...], reader: str | None
) -> None:
    """Add a notebook with files that it needs, in its folder or below.

    They are copied beside it where it runs in a temporary folder.
    """
    confirm_making(cache)
    (record,) = cache.notebooks.add([path], reader=reader, assets=assets)
    click.echo(f"Adding: {record.path}, with {count(len(record.assets), 'asset')}")
    click.secho("Success!", fg="green")


@notebook.command("list")
@take_path_length
@click.option("--assets", is_flag=True, help="Show the number of assets.")
@take_json
@pass_cache
def list_notebooks(cache: NotebookCache, path_length: int, assets: bool, is_json: bool) -> None:
    """List the notebooks of the project."""
    listed = cache.notebooks.list_all()
    if is_json:
        list_json(item.to_json(cache.root) for item in listed)
    elif not listed:
        click.secho("No notebooks in project", fg="blue")
    else:
        headings = ["ID", "Path", "Reader", "Added", "Status", *(["Assets"] if assets else [])]
        rows = [_make_row(item, path_length, with_assets=assets) for item in listed]
        show_table(headings, rows)


def _make_row(item: ListedNotebook, path_length: int, *, with_assets: bool) -> list[str]:
    record = item.record
    row = [
        str(record.id),
        shorten(record.path, path_length),
        item.reader or "-",
        show_time(record.added_at),
        _describe(item),
    ]
    return [*row, str(len(record.assets))] if with_assets else row


def _describe(item: ListedNotebook) -> str:
    """Return the status: a mark, and the ID of the entry that has the outputs."""
    if item.standing is None or item.is_unreadable:
        return "(unreadable)"
    mark = _MARKS.get(str(item.standing.state), "-")
    return mark if item.entry_id is None else f"{mark} [{item.entry_id}]"


@notebook.command()
@click.argument("name", metavar="ID_OR_PATH")
@click.option("--tb/--no-tb", "has_traceback", default=True, help="Show the last traceback.")
@take_json
@pass_cache
def info(cache: NotebookCache, name: str, has_traceback: bool, is_json: bool) -> None:
    """Show all that is known of a notebook."""
    item = cache.notebooks.get(name)
    if is_json:
        write_json({**item.to_json(cache.root), "traceback": item.traceback or None})
        return
    standing = item.standing
    show_fields(
        {
            "ID": item.record.id,
            "Path": item.record.path,
            "Reader": item.reader or None,
            "Added": show_time(item.record.added_at),
            "Status": _describe(item),
            "Reason": None if standing is None else standing.reason,
            "Assets": item.record.assets or None,
        }
    )
    if item.has_failed and not item.is_unreadable:
        click.secho("Failed Last Execution!", fg="red")
        if has_traceback and item.traceback:
            click.echo(item.traceback)


@notebook.command()
@click.argument("name", metavar="ID_OR_PATH")
@click.argument("output_path", metavar="OUTPUT_PATH", type=click.Path(path_type=Path))
@take_force
@pass_cache
def merge(cache: NotebookCache, name: str, output_path: Path, force: bool) -> None:
    """Write a new notebook: the source with the cached outputs in it."""
    item = cache.notebooks.get(name)
    if output_path.is_file():
        confirm_at_terminal(f"{output_path} exists: write over it?", force=force)
    cache.merge_into(item.path, output_path)
    click.echo(f"Merged with cache ID {item.entry_id}")
    click.secho("Success!", fg="green")


@notebook.command()
@_take_names
@take_force
@pass_cache
def remove(cache: NotebookCache, names: tuple[str, ...], force: bool) -> None:
    """Take notebooks off the project; what the cache has of them stays."""
    found = cache.notebooks.find(names)
    confirm_at_terminal(f"Remove {count(len(found), 'notebook')} from the project?", force=force)
    for record in cache.notebooks.remove([record.id for record in found]):
        click.echo(f"Removing: {record.path}")
    click.secho("Success!", fg="green")


@notebook.command()
@click.argument("names", nargs=-1, metavar="ID_OR_PATH...")
@click.option("-a", "--all", "is_all", is_flag=True, help="All notebooks of the project.")
@take_force
@pass_cache
def invalidate(cache: NotebookCache, names: tuple[str, ...], is_all: bool, force: bool) -> None:
    """Remove the cached outputs of notebooks, so that they run again."""
    found = cache.notebooks.find(names)
    questions = (
        "Remove the cached outputs of all notebooks of the project?",
        f"Remove the cached outputs of {count(len(found), 'notebook')}?",
    )
    confirm_chosen(names, questions, is_all=is_all, force=force)
    removed = cache.notebooks.invalidate(None if is_all else names)
    click.echo(f"Removed: {count(removed, 'entry', 'entries')}")


@notebook.command()
@take_force
@pass_cache
def clear(cache: NotebookCache, force: bool) -> None:
    """Take all notebooks off the project; what the cache has of them stays."""
    confirm("Remove all notebooks from the project?", force=force)
    click.echo(f"Removed: {count(cache.notebooks.clear(), 'notebook')}")


@notebook.command("execute")
@_take_names
@take_execution(force=True)
@pass_cache
def execute_named(cache: NotebookCache, names: tuple[str, ...], **given: Any) -> None:
    """Execute some notebooks of the project, whatever the cache has of them."""
    paths = cache.notebooks.find_paths(names)
    report = execute(cache, paths, **given)
    show_lists(report)
    exit_for(report)
