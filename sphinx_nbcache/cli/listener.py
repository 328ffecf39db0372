"""Who tells how a run goes on: more than lines only where people look on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from sphinx_nbcache.cli.lines import Lines
from sphinx_nbcache.pipeline import Progress

_NOT_SET = ("", "0", "false")


def choose_listener(*, is_brief: bool = False) -> Progress:
    """Return who tells how a run goes on: live on a terminal, plain lines elsewhere.

    :param is_brief: write no line for a notebook that ended well.
    """
    if sys.stdout.isatty() and _is_watched(os.environ):
        from sphinx_nbcache.cli.live import open_display

        return open_display(is_brief=is_brief) or Lines(is_brief=is_brief)
    return Lines(is_brief=is_brief)


def _is_watched(variables: Mapping[str, str]) -> bool:
    """Return whether a terminal is one that people look at, and that can move its cursor.

    Services that build and test have terminals, too, which are logs: they set ``CI``.
    """
    is_service = variables.get("CI", "").lower() not in _NOT_SET
    return not is_service and variables.get("TERM", "").lower() not in ("dumb", "unknown")
