"""An entry: the immutable record of one successful run.

Owns the stored form (format 3) and its seal; where entries lie is the store's.
"""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass
from typing import Any

from sphinx_nbcache.model.digest import digest_json, to_canonical_json
from sphinx_nbcache.model.inputs import Inputs
from sphinx_nbcache.model.key import Key
from sphinx_nbcache.model.outcome import Artifact, CellRun

ENTRY_FORMAT = 3
IMPORTED = "imported"
"""The note on a run that was made elsewhere: nobody saw what it read."""


class ForeignFormatError(ValueError):
    """An entry is of another version, which may be able to read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Key + inputs + outputs + artifacts + timings."""

    key: Key
    inputs: Inputs
    outputs: str
    """Digest of the outputs object."""
    kernel: str
    executed_at: float
    """POSIX timestamp."""
    seconds: float
    cells: tuple[CellRun, ...]
    source: str
    """Path of the notebook that was run, relative to the project root; for people."""
    artifacts: tuple[Artifact, ...] = ()
    left: tuple[Artifact, ...] = ()
    """Files that it left in a temporary folder, from which their paths count: they can be had
    from the entry, and are put nowhere."""
    notes: tuple[str, ...] = ()
    """What makes it more than its inputs: ``network``, ``processes``, ``unobserved``,
    ``imported``."""
    signature: str = ""
    """Made with a key by whoever stored it; empty where there was none."""

    @property
    def name(self) -> str:
        """Return what tells the entry from all others: ``key/inputs digest``."""
        return f"{self.key}/{self.inputs.digest}"

    @property
    def objects(self) -> tuple[str, ...]:
        """Return the digests of all objects the entry needs."""
        files = (*self.artifacts, *self.left)
        return (self.outputs, *(artifact.digest for artifact in files))

    def to_bytes(self) -> bytes:
        """Serialise to the stored form: readable JSON, sealed with its own digest.

        The seal covers the signature, so that versions that know of none can read it.
        """
        value = self._to_json()
        if self.signature:
            value["signature"] = self.signature
        value["seal"] = digest_json(value)
        return json.dumps(value, indent=1).encode("ascii") + b"\n"

    def to_signable(self) -> bytes:
        """Return what a signature is made of: all but signature and seal."""
        return to_canonical_json(self._to_json())

    def _to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "format": ENTRY_FORMAT,
            "key": self.key,
            "source": self.source,
            "kernel": self.kernel,
            "executed_at": self.executed_at,
            "seconds": self.seconds,
            "inputs": self.inputs.to_json(),
            "outputs": self.outputs,
            "artifacts": [[a.path, a.digest, a.mode] for a in self.artifacts],
            "notes": list(self.notes),
            "cells": [cell.to_json() for cell in self.cells],
        }
        if self.left:
            value["left"] = [[a.path, a.digest, a.mode] for a in self.left]
        return value

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Read the stored form.

        Raises ValueError, with a reason for people, for anything torn, altered or
        of another format.
        """
        try:
            value = json.loads(data)
            seal, found = value.pop("seal"), value["format"]
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise ValueError("torn: not a complete JSON record") from error
        if found != ENTRY_FORMAT:
            raise ForeignFormatError(f"format {found!r}, this version reads format {ENTRY_FORMAT}")
        if seal != digest_json(value):
            raise ValueError("altered: its seal does not fit its content")
        try:
            return cls._from_json(value)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("incomplete: a field is missing or of the wrong kind") from error

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> Entry:
        signature = value.get("signature", "")
        texts = (value["outputs"], value["kernel"], value["source"], signature, *value["notes"])
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
        if not all(math.isfinite(value[name]) for name in ("executed_at", "seconds")):
            raise ValueError
        return cls(
            key=Key(value["key"]),
            inputs=Inputs.from_json(value["inputs"]),
            outputs=value["outputs"],
            kernel=value["kernel"],
            executed_at=value["executed_at"],
            seconds=value["seconds"],
            cells=tuple(map(CellRun.from_json, value["cells"])),
            source=value["source"],
            artifacts=tuple(itertools.starmap(_make_artifact, value["artifacts"])),
            left=tuple(itertools.starmap(_make_artifact, value.get("left", ()))),
            notes=tuple(value["notes"]),
            signature=signature,
        )


def _make_artifact(path: Any, digest: Any, mode: Any) -> Artifact:
    if not (isinstance(path, str) and isinstance(digest, str) and isinstance(mode, int)):
        raise TypeError
    return Artifact(path=path, digest=digest, mode=mode)
