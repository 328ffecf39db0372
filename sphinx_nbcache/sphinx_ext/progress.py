"""A build's progress through Sphinx's logger, which knows ``-q`` and colours."""

from __future__ import annotations

import sys
import time

from sphinx.application import Sphinx

from sphinx_nbcache.model import Outcome, Topic
from sphinx_nbcache.sphinx_ext.warnings import LOGGER, WarningSubtype, warn

_CLEAR_LINE = "\r\x1b[2K"
_BAR_WIDTH = 20


class SphinxProgress:
    """One line per finished notebook, or one live line on a terminal.

    :param told: the warnings that this build has given; none of them is given again.
    """

    def __init__(self, app: Sphinx, told: set[tuple[str, str]]) -> None:
        self._app = app
        self._told = told
        self._is_live = sys.stdout.isatty() and app.verbosity == 0
        self._stale = 0
        self._done = 0
        self._running: dict[str, float] = {}
        self._has_waited = False
        self._large: set[str] = set()

    def begin(self, stale: int) -> None:
        """Remember how many more notebooks are to be run."""
        self._stale += stale

    def start(self, name: str) -> None:
        """Show that a notebook runs."""
        self._running[name] = time.monotonic()
        self.tick()

    def finish(self, outcome: Outcome) -> None:
        """Show how a notebook ended."""
        self._done += 1
        self._running.pop(outcome.name, None)
        line = f"{outcome.status}  {outcome.name}  {outcome.seconds:.1f} s"
        if note := outcome.retry_note:
            line = f"{line} ({note})"
        if not self._is_live:
            LOGGER.info(f"[{self._done}/{self._stale}] {line}")
        elif note:
            LOGGER.info(_CLEAR_LINE + line)
        self.tick()

    def wait(self, names: list[str]) -> None:
        """Say once that another build has the work."""
        if not self._has_waited and not self._is_live:
            LOGGER.info(f"waiting for another build that is running {', '.join(names[:3])}")
        self._has_waited = True

    def tick(self) -> None:
        """Draw the live line again."""
        if self._is_live:
            LOGGER.info(_CLEAR_LINE + self._draw(), nonl=True)

    def digest(self, name: str, done: int, size: int) -> None:
        """Show how much of a large file is read; once, where there is no terminal."""
        if self._is_live:
            text = f"reading {name}: {100 * done // size} % of {size / 1e9:.1f} GB"
            LOGGER.info(_CLEAR_LINE + text, nonl=True)
        elif name not in self._large:
            LOGGER.info(f"reading {name} ({size / 1e9:.1f} GB), to see whether it has changed")
        self._large.add(name)

    def end(self) -> None:
        """Take the live line away."""
        self._clear()

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Give a warning, at the notebook's page where it is about one."""
        if (name, message) not in self._told:
            self._told.add((name, message))
            self._clear()
            warn(self._app.config, message, WarningSubtype(topic), name or None)

    def _clear(self) -> None:
        if self._is_live and self._stale:
            LOGGER.info(_CLEAR_LINE, nonl=True)

    def _draw(self) -> str:
        filled = _BAR_WIDTH * self._done // max(1, self._stale)
        bar = "#" * filled + "-" * (_BAR_WIDTH - filled)
        text = f"executing notebooks [{bar}] {self._done}/{self._stale}"
        if not self._running:
            return text
        name, since = min(self._running.items(), key=lambda item: item[1])
        return f"{text}  {len(self._running)} running: {name} {time.monotonic() - since:.0f} s"
