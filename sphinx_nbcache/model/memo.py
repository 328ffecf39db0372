"""A memo: the immutable record of one computed value.

Owns the stored form (format 1) and its seal; how values become trees and objects is not
known here, nor where records lie.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from sphinx_nbcache.model.digest import digest_bytes
from sphinx_nbcache.model.entry import ForeignFormatError

MEMO_FORMAT = 1
_SEAL_LENGTH = 65


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """What was asked, and the value that came of it."""

    key: str
    """Digest of what was asked: code, arguments, group."""
    family: str
    """Digest of what the values of one function, or of one group, have in common."""
    source: str
    """What was computed, for people: ``module.function``, or the notebook of a cell."""
    executed_at: float
    """POSIX timestamp."""
    seconds: float
    """What it took."""
    tree: Any
    """The value as JSON; large parts of it are objects. See ``memo.values``."""
    objects: tuple[str, ...] = ()
    """Digests of the objects that the tree names."""
    is_pickled: bool = False
    """Whether reading the value runs code that is named in it, or putting it back may."""
    signature: str = ""
    """Made with a key by whoever stored it; empty where there was none."""

    @property
    def name(self) -> str:
        """Return what tells the memo from all others: ``family/key``."""
        return f"{self.family}/{self.key}"

    def to_bytes(self) -> bytes:
        """Serialise to the stored form: a line with the digest of the rest, and JSON."""
        value = self._to_json()
        if self.signature:
            value["signature"] = self.signature
        body = _write(value)
        return _seal(body) + body

    def to_signable(self) -> bytes:
        """Return what a signature is made of: all but signature and seal."""
        return _write(self._to_json())

    def _to_json(self) -> dict[str, Any]:
        return {
            "format": MEMO_FORMAT,
            "key": self.key,
            "family": self.family,
            "source": self.source,
            "executed_at": self.executed_at,
            "seconds": self.seconds,
            "is_pickled": self.is_pickled,
            "objects": list(self.objects),
            "tree": self.tree,
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> Memo:
        """Read the stored form.

        Raises ValueError, with a reason for people, for anything torn, altered or of
        another format.
        """
        seal, body = data[:_SEAL_LENGTH], data[_SEAL_LENGTH:]
        if seal != _seal(body):
            raise ValueError("altered or torn: its seal does not fit its content")
        try:
            value = json.loads(body)
            found = value.pop("format")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise ValueError("torn: not a complete JSON record") from error
        if found != MEMO_FORMAT:
            raise ForeignFormatError(f"format {found!r}, this version reads format {MEMO_FORMAT}")
        try:
            return cls._from_json(value)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("incomplete: a field is missing or of the wrong kind") from error

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> Memo:
        objects = tuple(value.pop("objects"))
        signature = value.setdefault("signature", "")
        texts = (value["key"], value["family"], value["source"], signature, *objects)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
        if not all(math.isfinite(value[name]) for name in ("executed_at", "seconds")):
            raise ValueError
        if not isinstance(value["is_pickled"], bool):
            raise TypeError
        return cls(objects=objects, **value)


def _write(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def _seal(body: bytes) -> bytes:
    return digest_bytes(body).encode("ascii") + b"\n"
