"""What a build tells while it works; front doors show it in their own way."""

from __future__ import annotations

from typing import Protocol

from sphinx_nbcache.model import Outcome, Topic


class Progress(Protocol):
    """Listens to a build; called from the build's own thread only."""

    def begin(self, stale: int) -> None:
        """Take note that look-up is done and so many notebooks are to be run."""

    def start(self, name: str) -> None:
        """Take note that a notebook's kernel is being started."""

    def finish(self, outcome: Outcome) -> None:
        """Take note of the outcome of a notebook that was to be run."""

    def wait(self, names: list[str]) -> None:
        """Take note that other processes are running these, and that this one waits."""

    def tick(self) -> None:
        """Take note that time has passed."""

    def digest(self, name: str, done: int, size: int) -> None:
        """Take note that so many of the bytes of a large file have been read."""

    def end(self) -> None:
        """Take note that no more notebook will run."""

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Take note that something is wrong; the build goes on.

        :param name: the notebook concerned, where it is one of them.
        """


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

    def digest(self, name: str, done: int, size: int) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Show nothing."""
