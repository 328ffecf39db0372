"""Whether an entry still holds: its inputs against what they are now. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sphinx_nbcache.model import Input, Inputs


def find_changes(inputs: Inputs, current: Mapping[tuple[str, str], str]) -> tuple[Input, ...]:
    """Return the inputs that no longer hold.

    :param current: (kind, name) to the digest it has now; an input that is not in it
        could not be observed and counts as changed.
    """
    return tuple(
        item for item in inputs.items if current.get((item.kind, item.name)) != item.digest
    )
