"""Arguments and options that several commands have: each is declared here, once."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(path_type=Path)
take_json = click.option("--json", "is_json", is_flag=True, help="Write JSON for scripts.")
take_path_length = click.option(
    "-l",
    "--path-length",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Parts of each path to show.",
)
