"""IDs as users write them: numbers, or texts of digits; everything else is a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from sphinx_nbcache.errors import RecordNotFoundError

IdOrPath = int | str | Path
_LONGEST = 18
"""Digits; no ID comes near it, and Python refuses to read numbers that are very much longer."""
_T = TypeVar("_T")


def find_by_id(given: IdOrPath, by_id: Mapping[int, _T], reason: str) -> _T | None:
    """Return what an ID stands for; None where a path is given.

    :param reason: what is said of an ID that is not there.

    Raises RecordNotFoundError.
    """
    text = str(given)
    if not text.isdecimal():
        return None
    number = int(text) if len(text) <= _LONGEST else None
    if number is None or number not in by_id:
        raise RecordNotFoundError(text[:_LONGEST], reason)
    return by_id[number]
