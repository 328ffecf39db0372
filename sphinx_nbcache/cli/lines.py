"""How a run is told while it goes on, in plain lines."""

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
        if self.shows(outcome):
            click.echo(describe_outcome(outcome))

    def shows(self, outcome: Outcome) -> bool:
        """Return whether a notebook gets a line."""
        return not self._is_brief or outcome.status.is_failure

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Write a warning."""
        click.echo(describe_warning(message, name), err=True)


def describe_outcome(outcome: Outcome) -> str:
    """Return the line that tells how a notebook ended."""
    note = f"  ({outcome.retry_note})" if outcome.retry_note else ""
    return f"{outcome.status}  {outcome.name}  {outcome.seconds:.1f} s{note}"


def describe_warning(message: str, name: str) -> str:
    """Return the line of a warning."""
    return f"warning: {name + ': ' if name else ''}{message}"
