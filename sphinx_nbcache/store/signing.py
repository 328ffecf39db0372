"""Signatures: what was made by somebody who has the key, told from what was not.

HMAC-SHA256 (RFC 2104). Owns the keys and never shows them; what is signed, and what
follows from a wrong signature, is not known here.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import NoReturn

from sphinx_nbcache.config import SIGNING_VARIABLE
from sphinx_nbcache.errors import ConfigurationError

SHORTEST_KEY = 16
"""Characters; whoever sees signatures can try out keys that are shorter."""
_SEPARATORS = re.compile(r"[\s,]+")
_EXPECTED = (
    f"secrets of at least {SHORTEST_KEY} characters, separated by commas or white space, such as "
    "`openssl rand -hex 32` prints one"
)


class SigningKeys:
    """Some keys: the first one signs, each of them verifies; none for no signatures at all."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._keys = tuple(key.encode() for key in keys)

    @classmethod
    def from_text(cls, text: str) -> SigningKeys:
        """Read the keys of an environment variable.

        Raises ConfigurationError, which does not show them, for one that is too short.
        """
        keys = [key for key in _SEPARATORS.split(text) if key]
        if any(len(key) < SHORTEST_KEY for key in keys):
            raise ConfigurationError(SIGNING_VARIABLE, "(not shown)", _EXPECTED)
        return cls(keys)

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._keys)

    def __repr__(self) -> str:
        """Tell how many there are, and no more."""
        return f"<{len(self._keys)} signing keys>"

    def __reduce__(self) -> NoReturn:
        """Stay in this process: no other one, and no file, is to have them."""
        raise TypeError("signing keys do not leave their process")

    def derive(self, purpose: str) -> SigningKeys:
        """Return keys made of these, for one purpose: they tell nothing of the keys themselves.

        HMAC as a key derivation (NIST SP 800-108, one step of counter mode).
        """
        return SigningKeys(_compute(key, "derive", purpose.encode()) for key in self._keys)

    def to_text(self) -> str:
        """Return the keys as ``from_text`` reads them: only to hand them to a kernel of ours."""
        return ",".join(key.decode() for key in self._keys)

    def sign(self, kind: str, data: bytes) -> str:
        """Return the signature of bytes; empty where there is no key.

        :param kind: what the bytes are, in one word: the signature of one kind is none of another.
        """
        return _compute(self._keys[0], kind, data) if self._keys else ""

    def verify(self, kind: str, data: bytes, signature: str) -> bool:
        """Return whether a signature is that of one of the keys."""
        given = signature.encode("utf-8", "replace")
        found = [hmac.compare_digest(_compute(k, kind, data).encode(), given) for k in self._keys]
        return any(found)


def _compute(key: bytes, kind: str, data: bytes) -> str:
    return hmac.digest(key, kind.encode() + b"\n" + data, "sha256").hex()
