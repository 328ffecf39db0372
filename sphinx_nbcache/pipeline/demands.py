"""What a notebook asks of the schedule: its own metadata ``nbcache: {...}``. Pure.

Nothing in it changes the key, and nothing in it can stop a build: what is not understood
is told, and the rest holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from sphinx_nbcache.model import Demands, Notebook

METADATA_KEY = "nbcache"
_RESOURCE = re.compile(r"[^\s,=]+")


def read_demands(notebook: Notebook, *, timeout_s: float | None) -> tuple[Demands, tuple[str, ...]]:
    """Return what a notebook's metadata demands, and what in it is not understood.

    :param timeout_s: longest time for all cells where the notebook does not say.
    """
    fields: dict[str, Any] = {"timeout_s": timeout_s}
    own = notebook.metadata.get(METADATA_KEY)
    if own is None:
        return Demands(**fields), ()
    if not isinstance(own, Mapping):
        expected = "keys and values, such as {exclusive: true}"
        return Demands(**fields), (f"{METADATA_KEY} = {own!r}: expected {expected}",)
    problems = []
    for key, value in own.items():
        if key not in _KEYS:
            problems.append(_describe_unknown(key))
            continue
        field, check, expected = _KEYS[key]
        try:
            fields[field] = check(value)
        except (ValueError, TypeError, OverflowError):
            problems.append(f"{METADATA_KEY}: {key} = {value!r}: expected {expected}")
    return Demands(**fields), tuple(problems)


def unite_demands(first: Demands, second: Demands) -> Demands:
    """Return the demands of two notebooks that are answered by one run.

    The longer time counts: a page shall not fail for a limit that another one set.
    """
    limits = (first.timeout_s, second.timeout_s)
    return Demands(
        is_fresh=first.is_fresh or second.is_fresh,
        is_exclusive=first.is_exclusive or second.is_exclusive,
        resources=_unique([*first.resources, *second.resources]),
        timeout_s=None if None in limits else max(limit for limit in limits if limit),
    )


def _check_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _check_resources(value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise TypeError
    if not all(isinstance(name, str) and _RESOURCE.fullmatch(name) for name in names):
        raise ValueError
    return _unique(names)


def _check_timeout(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not 0 < value < float("inf"):
        raise ValueError
    return float(value)


def _unique(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


_FLAG = "true or false"
_KEYS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "fresh": ("is_fresh", _check_flag, _FLAG),
    "exclusive": ("is_exclusive", _check_flag, _FLAG),
    "resource": (
        "resources",
        _check_resources,
        "a name, or a list of names, without spaces, commas and equals signs",
    ),
    "timeout": ("timeout_s", _check_timeout, "a number of seconds above 0, or null for no limit"),
}
"""What may stand below ``nbcache``: our field, its check, and what a right value is."""


def _describe_unknown(key: object) -> str:
    near = get_close_matches(str(key).lower(), _KEYS, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"{METADATA_KEY}: unknown key {key!r}{hint}; known are {', '.join(_KEYS)}"
