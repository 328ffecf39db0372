"""What a right value of an option is: one function for each kind, from value to final type.

Each raises ValueError or TypeError for a wrong value; the message is made from the option.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]?)(?P<binary>i?)B?", re.IGNORECASE)
_NAME = re.compile(r"[^\s,=]+")
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|min|h|d|w)", re.IGNORECASE)
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_LEVELS = ("on", "warn", "off")


def check_path(value: Any) -> Path | None:
    """Return a folder; None for the default place."""
    if value is None or value == "":
        return None
    if isinstance(value, str | Path):
        return Path(value)
    raise ValueError


def check_jobs(value: Any) -> int | None:
    """Return a number of kernels; None for as many as there are usable cores."""
    if value in (None, "auto"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    jobs = int(value)
    if jobs < 1:
        raise ValueError
    return jobs


def check_choice(*choices: str) -> Callable[[Any], str]:
    """Return a check that takes one of some words."""

    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return check


def check_flag(value: Any) -> bool:
    """Return a flag from a bool, or from a word as environment variables have it."""
    flags = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    flags[""] = False
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in flags:
        return flags[value.lower()]
    raise ValueError


def check_patterns(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, or of a text with commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError
    return tuple(item.strip() for item in value if item.strip())


def check_expressions(value: Any) -> tuple[str, ...]:
    """Return regular expressions: one for each line of a text, or item of a list."""
    if isinstance(value, str):
        value = value.splitlines()
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError
    expressions = tuple(item for item in value if item.strip())
    for expression in expressions:
        try:
            re.compile(expression)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError from error
    return expressions


def check_count(value: Any) -> int:
    """Return a whole number from 0; a text of digits is one."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    count = int(value)
    if count < 0:
        raise ValueError
    return count


def check_positive(value: Any) -> int:
    """Return a whole number from 1; a text of digits is one."""
    count = check_count(value)
    if count == 0:
        raise ValueError
    return count


def check_seconds(value: Any) -> float | None:
    """Return a time above 0; None for no limit."""
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    seconds = float(value)
    if not 0 < seconds < float("inf"):
        raise ValueError
    return seconds


def check_size(value: Any) -> int | None:
    """Return a number of bytes, given as such or as a text like ``2 GB`` or ``512 MiB``.

    None for no limit. ``kB``, ``MB``... count in thousands, ``KiB``, ``MiB``... in 1024s.
    """
    if value in (None, ""):
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    found = _SIZE.fullmatch(str(value).strip())
    if found is None:
        raise ValueError
    scale = 1024 if found["binary"] else 1000
    size = int(float(found["number"]) * scale ** " KMGT".index(found["unit"].upper() or " "))
    if size < 1:
        raise ValueError
    return size


def check_modules(value: Any) -> tuple[str, ...] | None:
    """Return names of modules; None for ``auto``."""
    if value in (None, "auto"):
        return None
    names = check_patterns(value)
    if not all(part.isidentifier() for name in names for part in name.split(".")):
        raise ValueError
    return names


def check_duration(value: Any) -> float | None:
    """Return seconds, given as such or as a text like ``90s``, ``30min``, ``12h``, ``7d``, ``2w``.

    None for no limit.
    """
    if value in (None, ""):
        return None
    if isinstance(value, str) and (found := _DURATION.fullmatch(value.strip())):
        return check_seconds(float(found["number"]) * _UNITS[found["unit"].lower()])
    return check_seconds(value)


def check_names(value: Any) -> tuple[str, ...]:
    """Return names without spaces, commas and equals signs."""
    names = check_patterns(value)
    if not all(_NAME.fullmatch(name) for name in names):
        raise ValueError
    return names


def check_levels(*classes: str) -> Callable[[Any], tuple[tuple[str, str], ...]]:
    """Return a check for levels of some classes: a dict, or a text like ``packages=warn``.

    What is not named is ``on``; True and False stand for ``on`` and ``off``.
    """

    def check(value: Any) -> tuple[tuple[str, str], ...]:
        if isinstance(value, str):
            pairs = (item.partition("=") for item in value.split(",") if item.strip())
            value = {name.strip(): level.strip() for name, _, level in pairs}
        words: dict[Any, str] = {True: "on", False: "off"}
        levels: dict[str, Any] = dict(value)
        given = {name: words.get(level, str(level)) for name, level in levels.items()}
        if not (given.keys() <= set(classes) and set(given.values()) <= set(_LEVELS)):
            raise ValueError
        return tuple((name, given[name]) for name in classes if given.get(name, "on") != "on")

    return check


def check_capacities(value: Any) -> tuple[tuple[str, int], ...]:
    """Return (name, capacity) pairs from a dict, or from a text like ``gpu=1,licence=2``."""
    if isinstance(value, str):
        pairs = (item.partition("=") for item in value.split(",") if item.strip())
        value = {name.strip(): number for name, _, number in pairs}
    if not isinstance(value, Mapping):
        value = dict(value)
    found = {name: check_count(number) for name, number in value.items()}
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in found):
        raise ValueError
    if 0 in found.values():
        raise ValueError
    return tuple(found.items())


def check_table(rows: Mapping[str, str]) -> Callable[[Any], tuple[tuple[str, str], ...]]:
    """Return a check for a dict of texts, which is added to some rows that are always there."""

    def check(value: Any) -> tuple[tuple[str, str], ...]:
        if not isinstance(value, Mapping):
            raise TypeError
        table = {**rows, **value}
        if not all(isinstance(text, str) for row in table.items() for text in row):
            raise ValueError
        return tuple(table.items())

    return check


def check_values(value: Any) -> tuple[tuple[str, Any], ...]:
    """Return (name, value) pairs from a dict, or from a text: JSON, or ``address=host,jobs=4``.

    Values are numbers, texts, flags, None, and lists of these.
    """
    if isinstance(value, str):
        text = value.strip()
        value = json.loads(text) if text.startswith("{") else _split_pairs(text)
    if not isinstance(value, Mapping):
        value = dict(value)
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in value):
        raise ValueError
    return tuple((name, _freeze(item)) for name, item in value.items())


def _split_pairs(text: str) -> dict[str, Any]:
    pairs = (item.partition("=") for item in text.split(",") if item.strip())
    found = {}
    for name, sign, item in pairs:
        if not sign:
            raise ValueError
        found[name.strip()] = _read_plain(item.strip())
    return found


def _read_plain(text: str) -> Any:
    """Return a number, a flag or None that a text stands for, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _freeze(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_freeze, value))
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError
