"""How a run is told while it goes on."""

from __future__ import annotations

import click

from sphinx_nbcache.model import Outcome, Topic
from sphinx_nbcache.pipeline import Silence


class Lines(Silence):
    """A listener that writes one line for each notebook and each warning.

    :param is_brief: write no line for a notebook that ended well.
    """

    def __init__(self, *, is_brief: bool = False) -> None:
        self._is_brief = is_brief

    def finish(self, outcome: Outcome) -> None:
        """Write how a notebook ended."""
        if self._is_brief and not outcome.status.is_failure:
            return
        note = f"  ({outcome.retry_note})" if outcome.retry_note else ""
        click.echo(f"{outcome.status}  {outcome.name}  {outcome.seconds:.1f} s{note}")

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Write a warning."""
        click.echo(f"warning: {name + ': ' if name else ''}{message}", err=True)
