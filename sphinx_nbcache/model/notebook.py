"""A notebook as it was read, whatever its file format.

Owns the view on cells that the rest of the package shares; does not know files,
kernels or outputs of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_KERNEL = "python3"
"""What Jupyter starts for a notebook that names no kernel."""


@dataclass(frozen=True, slots=True)
class CodeCell:
    """One code cell that has code in it."""

    number: int
    """Position among the notebook's code cells, from 1, empty ones counted."""
    position: int
    """Index in the notebook's list of cells, from 0."""
    source: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook in memory: nbformat 4 content, and where it came from.

    ``content`` is owned by whoever read the file; nobody changes it.
    """

    path: Path
    content: Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Return the notebook-level metadata."""
        metadata: Mapping[str, Any] = self.content.get("metadata") or {}
        return metadata

    @property
    def kernel_name(self) -> str:
        """Return the kernel the notebook names, or Jupyter's default."""
        return (self.metadata.get("kernelspec") or {}).get("name") or DEFAULT_KERNEL

    def iterate_code_cells(self) -> Iterator[CodeCell]:
        """Yield the code cells that hold code; empty ones never run and are left out."""
        number = 0
        for position, cell in enumerate(self.content["cells"]):
            if cell["cell_type"] != "code":
                continue
            number += 1
            if cell["source"].strip():
                yield CodeCell(number, position, cell["source"], _read_tags(cell))


def _read_tags(cell: Mapping[str, Any]) -> frozenset[str]:
    """Return a cell's tags; a text in their place, which nbclient takes too, names several."""
    tags = cell["metadata"].get("tags") or ()
    return frozenset(tags.replace(",", " ").split() if isinstance(tags, str) else tags)
