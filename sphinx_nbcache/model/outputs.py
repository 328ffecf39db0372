"""Outputs: what running a notebook added to it, apart from the notebook itself.

Owns the stored form (format 1), which holds no text of the author's: a change of
prose, tags or file format finds the same outputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OUTPUTS_FORMAT = 1


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
        cells = [cell and [cell.execution_count, cell.outputs] for cell in self.cells]
        value = {"format": OUTPUTS_FORMAT, "metadata": self.metadata, "cells": cells}
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> Outputs:
        """Read the stored form.

        Raises ValueError for anything but this format.
        """
        value = json.loads(data)
        try:
            if value["format"] != OUTPUTS_FORMAT:
                raise ValueError(f"outputs of format {value['format']!r}")
            cells = tuple(cell and CellOutputs(cell[0], cell[1]) for cell in value["cells"])
            return cls(cells, value["metadata"])
        except (TypeError, LookupError) as error:
            raise ValueError("not outputs of a notebook") from error
