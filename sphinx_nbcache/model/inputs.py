"""Inputs: what a run was seen to read, and what of it is different now.

Owns their record, its digest, and how a change is said; how inputs are observed or
checked is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sphinx_nbcache.model.digest import digest_json


class InputKind(StrEnum):
    """The kinds of inputs; their text is part of every entry."""

    FILE = "file"
    """The content of a file."""
    LISTING = "listing"
    """The names in a folder."""
    MISSING = "missing"
    """A path at which there was nothing."""
    MODULE = "module"
    """The source of a module that is not installed."""
    PACKAGE = "package"
    """The version of an installed distribution."""
    PYTHON = "python"
    """The version of the interpreter, by its implementation."""
    GLOB = "glob"
    """The names that match a declared pattern; their contents are files."""
    VARIABLE = "variable"
    """A declared environment variable; a digest of its value."""


ABSENT = ""
"""The digest of what is not there."""
UNSTABLE = "changed while the notebook ran"
"""A digest that nothing has: what was read cannot be told any more."""


class Input(NamedTuple):
    """One thing that was read."""

    kind: str
    name: str
    """A path relative to the project root in POSIX form, or absolute where it is outside;
    else the name of a distribution, an implementation or a variable."""
    digest: str
    """sha256 of the content; the version of what has one; ``ABSENT`` for nothing."""
    via: str = ""
    """What imported a module, in the form of ``name``; for people, not part of the digest."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that one run was seen to read; empty when it was not observed."""

    items: tuple[Input, ...] = ()

    def to_json(self) -> list[list[str]]:
        """Return the JSON form: a sorted list of [kind, name, digest, via]."""
        return sorted(list(item) for item in self.items)

    @classmethod
    def from_json(cls, value: Any) -> Inputs:
        """Read the JSON form back."""
        return cls(tuple(Input(kind, name, digest, via) for kind, name, digest, via in value))

    @property
    def digest(self) -> str:
        """Return the digest that names the entry among those of its key."""
        return digest_json(sorted(list(item[:3]) for item in self.items))


@dataclass(frozen=True, slots=True)
class Declared:
    """What a notebook and its project say of its outputs, for what cannot be seen."""

    depends: tuple[str, ...] = ()
    """Patterns of files, relative to the project root, in POSIX form."""
    env: tuple[str, ...] = ()
    """Names of environment variables."""
    max_age_s: float | None = None
    """How old its outputs may become; None for any age."""
    is_cached: bool = True
    """False for a notebook that is to run in every build."""


@dataclass(frozen=True, slots=True)
class Change:
    """An input that is not as it was."""

    input: Input
    now: str
    """The digest it has now."""

    def describe(self) -> str:
        """Return what people read: ``data/x.csv changed``, ``numpy 2.3.1 -> 2.4.6``."""
        kind, name, before, via = self.input
        if kind == InputKind.PYTHON:
            return f"{name} {before} -> {self.now or 'another implementation'}"
        if kind == InputKind.PACKAGE and before == ABSENT:
            return f"{name} {self.now} is installed now"
        if kind == InputKind.PACKAGE:
            return f"{name} {before} -> {self.now or 'not installed'}"
        text = _SENTENCES.get(kind, "{} changed").format(name)
        if self.now == ABSENT:
            text = _GONE.get(kind, text).format(name)
        if before == UNSTABLE:
            text = f"{name} {UNSTABLE}"
        return f"{text} (imported by {via})" if via and kind == InputKind.MODULE else text


_SENTENCES: dict[str, str] = {
    InputKind.LISTING: "{} holds other files",
    InputKind.MISSING: "{} is there now",
    InputKind.GLOB: "{} matches other files",
    InputKind.VARIABLE: "the environment variable {} changed",
}
_GONE: dict[str, str] = {
    InputKind.FILE: "{} is gone",
    InputKind.MODULE: "{} is gone",
    InputKind.LISTING: "the folder {} is gone",
    InputKind.VARIABLE: "the environment variable {} is not set any more",
}
