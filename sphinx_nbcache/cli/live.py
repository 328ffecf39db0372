"""How a run is told on a terminal: finished notebooks, and below them what goes on now.

Only imported where there is a terminal: rich is not free.
"""

from __future__ import annotations

import sys
import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sphinx_nbcache.cli.lines import Lines, describe_outcome, describe_warning
from sphinx_nbcache.model import Outcome, Topic

_BAR_WIDTH = 30
_MOST_NAMES = 8


class Display(Lines):
    """A listener that writes one line for each notebook, above a live part.

    The live part is drawn when something happens and with each tick, by the build's own
    thread: there is none of rich's that could write into what the build writes.
    """

    def __init__(self, console: Console, *, is_brief: bool = False) -> None:
        super().__init__(is_brief=is_brief)
        self._console = console
        self._live: Live | None = None
        self._stale = 0
        self._done = 0
        self._begun = 0.0
        self._running: dict[str, float] = {}
        self._note = ""
        """What goes on beside the notebooks that run; until the next tick."""

    def begin(self, stale: int) -> None:
        """Show the live part; later calls make it longer."""
        self._stale += stale
        if self._live is None:
            self._begun = time.monotonic()
            self._live = Live(
                console=self._console,
                get_renderable=self._draw,
                auto_refresh=False,
                transient=True,
                # Else what goes to a file would appear on the terminal instead.
                redirect_stderr=sys.stderr.isatty(),
            )
            self._live.start()
        self._refresh()

    def start(self, name: str) -> None:
        """Show that a notebook runs."""
        self._running[name] = time.monotonic()
        self._refresh()

    def finish(self, outcome: Outcome) -> None:
        """Write how a notebook ended."""
        self._done += 1
        self._running.pop(outcome.name, None)
        text = Text(describe_outcome(outcome))
        text.stylize("red" if outcome.status.is_failure else "green", 0, len(outcome.status))
        if self.shows(outcome):
            self._write(text)
        self._refresh()

    def wait(self, names: list[str]) -> None:
        """Show that other processes are running these."""
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        self._note = f"waiting for another process that is running {names[0]}{others}"

    def tick(self) -> None:
        """Draw the live part again."""
        self._refresh()
        self._note = ""

    def digest(self, name: str, done: int, size: int) -> None:
        """Show how much of a large file is read."""
        self._note = f"reading {name}: {100 * done // size} % of {size / 1e9:.1f} GB"
        self._refresh()

    def end(self) -> None:
        """Take the live part away, and give the cursor back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Write a warning, above the live part unless it goes to a file."""
        if sys.stderr.isatty() and self._live is not None:
            self._write(Text(describe_warning(message, name)))
        else:
            super().warn(message, topic, name)

    def _write(self, text: Text) -> None:
        # Left to the terminal to wrap: so it can be copied as one line.
        self._console.print(text, soft_wrap=True)

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def _draw(self) -> RenderableType:
        now = time.monotonic()
        head = Table.grid(padding=(0, 1))
        for is_text in (True, False, True, True):
            head.add_column(no_wrap=is_text)  # so it is the bar that becomes shorter
        head.add_row(
            "executing notebooks",
            self._draw_bar(),
            f"{self._done}/{self._stale}",
            f"{now - self._begun:.0f} s",
        )
        oldest = sorted(self._running.items(), key=lambda item: item[1])
        # The seconds come first: it is the name that a narrow terminal cuts off.
        lines = [f"{now - since:5.0f} s  {name}" for name, since in oldest[:_MOST_NAMES]]
        if hidden := len(oldest) - len(lines):
            lines.append(f"         and {hidden} more")
        lines += [f"         {self._note}"] if self._note else []
        return Group(head, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))

    def _draw_bar(self) -> ProgressBar:
        return ProgressBar(
            total=max(1, self._stale),
            completed=self._done,
            width=_BAR_WIDTH,
            complete_style="green",  # rich's own red looks like a failure
            finished_style="green",
        )


def open_display(*, is_brief: bool = False) -> Display | None:
    """Return a listener for this terminal; None where it can only show plain lines."""
    console = Console(highlight=False)
    is_able = console.is_interactive and not console.is_dumb_terminal
    return Display(console, is_brief=is_brief) if is_able else None
