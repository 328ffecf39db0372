"""Inputs: what a run was seen to read.

Owns their record and its digest; how they are observed or checked is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sphinx_nbcache.model.digest import digest_json


class Input(NamedTuple):
    """One thing that was read: a file, a module, a package, a variable..."""

    kind: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that one run was seen to read; empty when it was not observed."""

    items: tuple[Input, ...] = ()

    def to_json(self) -> list[list[str]]:
        """Return the JSON form: a sorted list of [kind, name, digest]."""
        return sorted(list(item) for item in self.items)

    @classmethod
    def from_json(cls, value: Any) -> Inputs:
        """Read the JSON form back."""
        return cls(tuple(Input(kind, name, digest) for kind, name, digest in value))

    @property
    def digest(self) -> str:
        """Return the digest that names the entry among those of its key."""
        return digest_json(self.to_json())
