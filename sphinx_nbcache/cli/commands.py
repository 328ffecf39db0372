"""The ``nbcache`` command. Turns arguments into calls and reports into lines."""

from __future__ import annotations

import click


@click.group()
def main() -> None:
    """Execute notebooks and keep their outputs."""
