"""What a build tells while it works; front doors show it in their own way."""

from __future__ import annotations

from typing import Protocol

from sphinx_nbcache.model import Outcome


class Progress(Protocol):
    """Listens to a build; called from the build's own thread only."""

    def begin(self, stale: int) -> None:
        """Look-up is done; so many notebooks are to be run."""

    def start(self, name: str) -> None:
        """A notebook's kernel is being started."""

    def finish(self, outcome: Outcome) -> None:
        """A notebook that was to be run has its outcome."""

    def wait(self, names: list[str]) -> None:
        """Other processes are running these; this one waits for their outputs."""

    def tick(self) -> None:
        """Time has passed."""

    def end(self) -> None:
        """No more notebook will run."""

    def warn(self, message: str) -> None:
        """Something is wrong with the store; the build goes on."""


class Silence:
    """A listener that shows nothing."""

    def begin(self, stale: int) -> None:
        """Show nothing."""

    def start(self, name: str) -> None:
        """Show nothing."""

    def finish(self, outcome: Outcome) -> None:
        """Show nothing."""

    def wait(self, names: list[str]) -> None:
        """Show nothing."""

    def tick(self) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""

    def warn(self, message: str) -> None:
        """Show nothing."""
