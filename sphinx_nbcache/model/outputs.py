"""Outputs: what running a notebook added to it, apart from the notebook itself.

Owns the stored form (format 2), which holds no text of the author's: a change of
prose, tags or file format finds the same outputs.

The stored form is one line of JSON, and after it the large texts one after another, as
bytes: an image is kept as what it is, not as base64 inside JSON, and moves as a block.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

OUTPUTS_FORMAT = 2
_SMALLEST_BLOCK = 1024
"""Characters; shorter texts stay in the JSON."""
_TEXT, _BASE64 = "text", "base64"


@dataclass(frozen=True, slots=True)
class CellOutputs:
    """Outputs of one code cell that ran."""

    execution_count: int | None
    outputs: list[Mapping[str, Any]]
    """nbformat 4 outputs."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Outputs of a notebook: one item for each code cell that holds code, in order."""

    cells: tuple[CellOutputs | None, ...]
    """None for a cell that did not run: it keeps what the source file has."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Notebook metadata that the run found out: ``language_info``, ``widgets``."""

    def to_bytes(self) -> bytes:
        """Serialise to the stored form."""
        blocks = _Blocks()
        cells = [cell and [cell.execution_count, blocks.take_out(cell)] for cell in self.cells]
        value = {
            "format": OUTPUTS_FORMAT,
            "metadata": self.metadata,
            "cells": cells,
            "blocks": blocks.places,
        }
        head = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        return b"\n".join((head, b"".join(blocks.contents)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Outputs:
        """Read the stored form.

        Raises ValueError for anything but this format.
        """
        head, _, tail = data.partition(b"\n")
        try:
            value = json.loads(head)
            if value["format"] != OUTPUTS_FORMAT:
                raise ValueError(f"outputs of format {value['format']!r}")
            cells = [CellOutputs(cell[0], cell[1]) if cell else None for cell in value["cells"]]
            _put_back(cells, value["blocks"], memoryview(tail))
            return cls(tuple(cells), value["metadata"])
        except (TypeError, LookupError, AttributeError, RecursionError) as error:
            raise ValueError("not outputs of a notebook") from error


class _Blocks:
    """The large texts of a notebook's outputs, taken out of them."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.places: list[list[list[Any]]] = []
        """For each cell that ran: output, field or MIME type, kind and size of each block."""

    def take_out(self, cell: CellOutputs) -> list[Mapping[str, Any]]:
        """Return a cell's outputs with null in the place of each large text."""
        places: list[list[Any]] = []
        self.places.append(places)
        return [self._thin(number, output, places) for number, output in enumerate(cell.outputs)]

    def _thin(
        self, number: int, output: Mapping[str, Any], places: list[list[Any]]
    ) -> Mapping[str, Any]:
        for holder, name, text in _find_large(output):
            kind, content = _encode(text)
            self.contents.append(content)
            places.append([number, holder, name, kind, len(content)])
            thin = output if holder is None else output[holder]
            thin = {**thin, name: None}
            output = thin if holder is None else {**output, holder: thin}
        return output


def _find_large(output: Mapping[str, Any]) -> Iterator[tuple[str | None, str, str]]:
    """Yield the large texts of an output: what holds them (None for itself), name, text."""
    data = output.get("data")
    holders = [(None, output), ("data", data if isinstance(data, Mapping) else {})]
    for holder, fields in holders:
        for name, value in fields.items():
            if isinstance(value, str) and len(value) >= _SMALLEST_BLOCK:
                yield holder, name, value


def _encode(text: str) -> tuple[str, bytes]:
    """Return a text's kind and bytes: what it encodes, if it is base64 as Jupyter writes it."""
    content = text.encode("utf-8", "surrogatepass")
    try:
        decoded = b64decode(content, validate=True)
    except ValueError:
        return _TEXT, content
    return (_BASE64, decoded) if b64encode(decoded) == content else (_TEXT, content)


def _decode(kind: str, content: memoryview) -> str:
    if kind == _BASE64:
        return b64encode(content).decode("ascii")
    if kind == _TEXT:
        return str(content, "utf-8", "surrogatepass")
    raise ValueError(f"a block of kind {kind!r}")


def _put_back(cells: list[CellOutputs | None], places: list[Any], contents: memoryview) -> None:
    """Put the blocks back into the outputs, which nobody has seen yet."""
    start = 0
    ran = (cell for cell in cells if cell is not None)
    for cell, blocks in zip(ran, places, strict=True):
        for number, holder, name, kind, size in blocks:
            output: Any = cell.outputs[number]
            fields = output if holder is None else output[holder]
            fields[name] = _decode(kind, contents[start : start + size])
            start += size
    if start != len(contents):
        raise ValueError("blocks are missing, or more than there should be")
