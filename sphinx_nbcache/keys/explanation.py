"""Why two keys differ: what was asked then, and what is asked now. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff
from typing import Any, NamedTuple

_MOST_DIFF_LINES = 12
_WORDS = {
    "kernel": "kernel",
    "working_directory": "working directory",
    "allow_errors": "allow-errors",
    "parameters": "parameters",
    "format": "the key's format",
}


class Difference(NamedTuple):
    """One thing in which two questions differ."""

    text: str
    """``cell 3 changed``, ``kernel python3 -> julia``."""
    diff: str = ""
    """Of a changed cell: the lines that went and came, as ``diff -u`` shows them."""


def explain(before: bytes, now: bytes) -> tuple[Difference, ...]:
    """Return in what two questions differ; empty if they are the same or cannot be read.

    :param before: the canonical JSON of a question, of which its key is the digest.
    """
    try:
        old, new = json.loads(before), json.loads(now)
        return (*_compare_cells(old["cells"], new["cells"]), *_compare_rest(old, new))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ()


def _compare_rest(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    for name, word in _WORDS.items():
        if old.get(name) != new.get(name):
            yield Difference(f"{word} {_show(old.get(name))} -> {_show(new.get(name))}")


def _show(value: Any) -> str:
    return value if isinstance(value, str) else "a temporary one" if value is None else str(value)


def _compare_cells(old: list[Any], new: list[Any]) -> Iterator[Difference]:
    """Yield the cells that changed, numbered as they are now; removed ones as they were.

    Cells are numbered among those that hold code.
    """
    marks = [json.dumps(cell) for cell in old], [json.dumps(cell) for cell in new]
    for kind, start, end, now, to in SequenceMatcher(None, *marks, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        pairs = min(end - start, to - now)
        for step in range(pairs):
            yield _compare_cell(now + step + 1, old[start + step], new[now + step])
        yield from (Difference(f"cell {n + 1} added") for n in range(now + pairs, to))
        yield from (Difference(f"cell {n + 1} removed") for n in range(start + pairs, end))


def _compare_cell(number: int, old: Any, new: Any) -> Difference:
    if old[0] == new[0]:
        tags = [", ".join(tags) or "none" for tags in (old[1], new[1])]
        return Difference(f"tags of cell {number}: {tags[0]} -> {tags[1]}")
    lines = [*unified_diff(old[0].split("\n"), new[0].split("\n"), lineterm="", n=1)][2:]
    if len(lines) > _MOST_DIFF_LINES:
        rest = len(lines) - _MOST_DIFF_LINES
        lines = [*lines[:_MOST_DIFF_LINES], f"... {rest} more lines"]
    return Difference(f"cell {number} changed", "\n".join(lines))
