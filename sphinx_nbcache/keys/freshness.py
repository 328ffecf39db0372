"""Whether an entry still holds: its inputs against what they are now. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sphinx_nbcache.model import Change, Input

FindNow = Callable[[Input], str | None]
"""Returns the digest that an input has now; None where that cannot be told here."""


def find_changes(items: Iterable[Input], find_now: FindNow) -> tuple[Change, ...]:
    """Return the inputs that are not as they were.

    What cannot be told holds: a package is not older for want of a kernel to ask.
    """
    found = ((item, find_now(item)) for item in items)
    return tuple(Change(item, now) for item, now in found if now is not None and now != item.digest)
