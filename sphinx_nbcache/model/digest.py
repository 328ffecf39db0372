"""Digests: sha256 of bytes, and of values through one canonical JSON.

Owns the canonical form; knows nothing of what the values mean.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def digest_bytes(data: bytes) -> str:
    """Return the sha256 of bytes as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def to_canonical_json(value: Any) -> bytes:
    """Serialise a JSON value so that equal values give equal bytes.

    Keys are sorted, no white space, and all but ASCII is escaped: lone
    surrogates, which a notebook may hold, then survive the encoding.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii")


def digest_json(value: Any) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return digest_bytes(to_canonical_json(value))
