"""In what the outputs of two runs of one notebook differ, and what of that counts. Pure."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import unified_diff
from itertools import zip_longest
from typing import Any, NamedTuple

from sphinx_nbcache.model import CellOutputs, Notebook, Outputs

_MOST_DIFF_LINES = 8
_LONGEST_LINE = 160
_ALWAYS_OTHERS = (
    (re.compile(r"\b0x[0-9a-f]{6,}", re.IGNORECASE), "0x..."),
    (re.compile(r"ipykernel_\d+"), "ipykernel_..."),
    (re.compile(r"(?<=[/\\])(tmp|nbcache-(?:check-)?)[a-z0-9_]{8}\b"), r"\1..."),
)
"""What differs in each run of any notebook: addresses, processes, temporary names."""
_BINARY = re.compile(r"(image/(?!svg)|audio/|video/|application/(pdf|octet-stream)\b).*")
_WIDGET = "application/vnd.jupyter.widget-view+json"

Part = str | bytes


class CellDrift(NamedTuple):
    """One output that was different the second time."""

    cell: int
    """Number of the code cell, from 1."""
    what: str
    """The stream, or the MIME type; ``error`` for an exception, ``outputs`` for their number."""
    diff: str
    """The lines that went and came; of binary data the sizes."""


class Normaliser:
    """Takes out of texts what may differ.

    :param ignore: regular expressions, whose matches do not count.
    :param places: texts that stand for the same place: the scratch folder, the project's.
    """

    def __init__(self, ignore: Iterable[str], places: Mapping[str, str]) -> None:
        self._ignore = [re.compile(expression) for expression in ignore]
        self._places = places

    def normalise(self, text: str) -> str:
        """Return a text without what may differ."""
        for place, name in self._places.items():
            text = text.replace(place, name)
        for pattern, name in _ALWAYS_OTHERS:
            text = pattern.sub(name, text)
        for pattern in self._ignore:
            text = pattern.sub("", text)
        return text


def compare_outputs(
    notebook: Notebook, before: Outputs, now: Outputs, normaliser: Normaliser
) -> tuple[CellDrift, ...]:
    """Return in what two runs of a notebook differ, cell by cell.

    Execution counts do not count, nor in how many pieces a stream came.
    """
    cells = zip(notebook.iterate_code_cells(), before.cells, now.cells, strict=True)
    return tuple(
        CellDrift(cell.number, what, diff)
        for cell, old, new in cells
        for what, diff in _compare_cell(old, new, normaliser)
    )


def _compare_cell(
    old: CellOutputs | None, new: CellOutputs | None, normaliser: Normaliser
) -> Iterator[tuple[str, str]]:
    before, now = _list_parts(old), _list_parts(new)
    counts = len(before.displays), len(now.displays)
    if counts[0] != counts[1]:
        yield "outputs", f"{counts[0]} -> {counts[1]}"
    shown = zip(before.displays, now.displays, strict=False)
    for first, second in [(before.streams, now.streams), *shown]:
        for what in dict.fromkeys([*first, *second]):
            if diff := _compare(first.get(what), second.get(what), normaliser):
                yield what, diff


class _Parts(NamedTuple):
    """What a cell gave, in the form in which it is compared."""

    streams: Mapping[str, Part]
    displays: Sequence[Mapping[str, Part]]
    """MIME type to content of each output."""


def _list_parts(cell: CellOutputs | None) -> _Parts:
    streams: dict[str, str] = {}
    displays: list[dict[str, Part]] = []
    for output in () if cell is None else cell.outputs:
        match output["output_type"]:
            case "stream":
                name = output["name"]
                streams[name] = streams.get(name, "") + _join(output["text"])
            case "error":
                displays.append({"error": f"{output['ename']}: {output['evalue']}"})
            case _:
                data = output.get("data", {})
                displays.append({mime: _take(mime, data[mime]) for mime in data})
    return _Parts(streams, displays)


def _take(mime: str, value: Any) -> Part:
    """Return what is compared of a display."""
    if mime == _WIDGET and isinstance(value, Mapping):
        # Each run names its widgets anew.
        value = {name: value[name] for name in value if name != "model_id"}
    if not isinstance(value, str | list):
        return json.dumps(value, indent=1, sort_keys=True)
    text = _join(value)
    if _BINARY.fullmatch(mime):
        try:
            return b64decode(text, validate=False)
        except ValueError:
            return text
    return text


def _join(text: str | Sequence[Any]) -> str:
    return text if isinstance(text, str) else "".join(map(str, text))


def _compare(old: Part | None, new: Part | None, normaliser: Normaliser) -> str:
    """Return the difference of two contents, for people; empty if there is none."""
    if isinstance(old, bytes) or isinstance(new, bytes):
        return "" if old == new else f"{_measure(old)} -> {_measure(new)}"
    before, now = normaliser.normalise(old or ""), normaliser.normalise(new or "")
    if before == now:
        return ""
    lines = [*unified_diff(before.splitlines(), now.splitlines(), n=0, lineterm="")][2:]
    changed = [_shorten(line) for line in lines if not line.startswith("@@")]
    if not changed:
        return "line ends differ"
    if len(changed) > _MOST_DIFF_LINES:
        rest = len(changed) - _MOST_DIFF_LINES
        changed = [*_choose_lines(changed), f"... {rest} more lines"]
    return "\n".join(changed)


def _choose_lines(lines: Sequence[str]) -> list[str]:
    """Return some of the lines that went, and of those that came in their place."""
    gone = [line for line in lines if line.startswith("-")]
    came = [line for line in lines if line.startswith("+")]
    pairs = zip_longest(gone, came)
    chosen = [line for pair in pairs for line in pair if line is not None]
    return chosen[:_MOST_DIFF_LINES]


def _shorten(line: str) -> str:
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 3]}..."


def _measure(content: Part | None) -> str:
    if content is None:
        return "nothing"
    number = len(content)
    return f"{number} bytes" if isinstance(content, bytes) else f"{number} characters"
