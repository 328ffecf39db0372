"""The command ``import-jupyter-cache``: what jupyter-cache has executed, taken over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sphinx_nbcache.cli.opening import pass_cache
from sphinx_nbcache.cli.parameters import take_json

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import NotebookCache


@click.command("import-jupyter-cache")
@click.argument("path", type=click.Path(file_okay=False, path_type=Path))
@take_json
@pass_cache
def import_jupyter_cache(cache: NotebookCache, path: Path, is_json: bool) -> None:
    """Take over the outputs that a jupyter-cache holds, such as _build/.jupyter_cache.

    Each notebook of the project whose code was executed there gets its outputs, files and
    times, unless the cache has outputs for it. The folder PATH stays as it is.
    """
    handover = cache.import_jupyter_cache(path)
    if is_json:
        click.echo(json.dumps(handover.to_json(), indent=2))
        return
    for name in handover.taken:
        click.echo(f"taken over  {name}")
    for uri, why in handover.left:
        click.echo(f"left behind  {uri}: {why}")
    for problem in handover.problems:
        click.echo(f"warning: {problem}", err=True)
    click.echo(handover.describe())
