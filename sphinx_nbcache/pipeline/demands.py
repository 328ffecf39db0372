"""What a notebook asks for itself: its own metadata ``nbcache: {...}``. Pure.

Nothing in it changes the key, and nothing in it can stop a build: what is not understood
is told, and the rest holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from sphinx_nbcache.config import check_duration
from sphinx_nbcache.model import Declared, Demands, Notebook

METADATA_KEY = "nbcache"
_RESOURCE = re.compile(r"[^\s,=]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a notebook's own metadata says, as far as it is understood."""

    demands: Demands = field(default_factory=Demands)
    declared: Declared = field(default_factory=Declared)
    """With patterns as they are written: relative to the notebook's folder."""
    after: tuple[str, ...] = ()
    """Names of notebooks, as they are written."""
    problems: tuple[str, ...] = ()
    """What is not understood, for people."""


def read_wishes(notebook: Notebook, *, timeout_s: float | None) -> Wishes:
    """Return what a notebook's metadata asks for, and what in it is not understood.

    :param timeout_s: longest time for all cells where the notebook does not say.
    """
    own = notebook.metadata.get(METADATA_KEY)
    if own is not None and not isinstance(own, Mapping):
        expected = "keys and values, such as {exclusive: true}"
        problem = f"{METADATA_KEY} = {own!r}: expected {expected}"
        return Wishes(demands=Demands(timeout_s=timeout_s), problems=(problem,))
    found: dict[str, dict[str, Any]] = {_DEMANDS: {"timeout_s": timeout_s}, _DECLARED: {}, "": {}}
    problems = []
    for key, value in (own or {}).items():
        if key not in _KEYS:
            problems.append(_describe_unknown(key))
            continue
        part, field, check, expected = _KEYS[key]
        try:
            found[part][field] = check(value)
        except (ValueError, TypeError, OverflowError):
            problems.append(f"{METADATA_KEY}: {key} = {value!r}: expected {expected}")
    return Wishes(
        demands=Demands(**found[_DEMANDS]),
        declared=Declared(**found[_DECLARED]),
        after=found[""].get("after", ()),
        problems=tuple(problems),
    )


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


def _check_texts(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise TypeError
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError
    return _unique([text.strip() for text in texts])


def _check_max_age(value: Any) -> float | None:
    if not isinstance(value, str | int | float | None):
        raise TypeError
    return check_duration(value)


def _unique(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


_DEMANDS, _DECLARED = "demands", "declared"
_FLAG = "true or false"
_NAMES = "a name, or a list of names, without spaces, commas and equals signs"
_PATTERNS = 'a pattern of files, or a list of them, such as ["data/*.nc"]'
_PAGES = "the name of a notebook, or a list of names"
_AGE = 'a time such as "90min", "12h", "7d" or "2w"'
_KEYS: dict[str, tuple[str, str, Callable[[Any], Any], str]] = {
    "depends": (_DECLARED, "depends", _check_texts, _PATTERNS),
    "env": (_DECLARED, "env", _check_resources, _NAMES),
    "after": ("", "after", _check_texts, _PAGES),
    "cache": (_DECLARED, "is_cached", _check_flag, _FLAG),
    "max_age": (_DECLARED, "max_age_s", _check_max_age, _AGE),
    "fresh": (_DEMANDS, "is_fresh", _check_flag, _FLAG),
    "exclusive": (_DEMANDS, "is_exclusive", _check_flag, _FLAG),
    "resource": (_DEMANDS, "resources", _check_resources, _NAMES),
    "timeout": (
        _DEMANDS,
        "timeout_s",
        _check_timeout,
        "a number of seconds above 0, or null for no limit",
    ),
}
"""What may stand below ``nbcache``: our part and field, its check, and what is right."""


def _describe_unknown(key: object) -> str:
    near = get_close_matches(str(key).lower(), _KEYS, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"{METADATA_KEY}: unknown key {key!r}{hint}; known are {', '.join(_KEYS)}"
