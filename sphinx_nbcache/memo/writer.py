"""The writer: tagged, counted parts of values on their way into a hash.

Owns the form that is hashed; which parts a value has is not known here.
The hash is BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs).
"""

from __future__ import annotations

import array
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from blake3 import blake3

_FLUSH_BYTES = 1 << 16
_DEEPEST = 200
FEW_ITEMS = 8
_CODES: dict[type, int] = {type(None): 0, bool: 1, int: 2, float: 3, str: 4}
"""Plain types, of which many are written at once."""
Write = Callable[["Writer", Any], None]


class NoContentError(Exception):
    """A value whose content cannot be told; says why."""


class Writer:
    """Bytes that stand for values, on their way into a hash."""

    def __init__(self, writers: Mapping[type, Write], parent: Writer | None = None) -> None:
        self._writers = writers
        self._hash = blake3(max_threads=blake3.AUTO)
        self._pending = bytearray()
        # What is being written around this place: identity to depth. A cycle ends there.
        self._around: dict[int, int] = {} if parent is None else parent._around  # noqa: SLF001
        # Functions and classes of the user that are written already, by identity. A part of
        # something without order does not know what its neighbours have written.
        self._written: dict[int, tuple[int, Any]] = (
            {} if parent is None else dict(parent._written)  # noqa: SLF001
        )

    def finish(self) -> str:
        """Return the digest of all that was put in."""
        self._hash.update(bytes(self._pending))
        return self._hash.hexdigest()

    def put(self, value: Any) -> None:
        """Write any value."""
        self._writers[type(value)](self, value)

    def put_bytes(self, tag: str, data: bytes | bytearray | memoryview) -> None:
        """Write bytes as they are."""
        self._pending += b"%s%d:" % (tag.encode("ascii"), len(data))
        if len(data) < _FLUSH_BYTES:
            self._pending += data
        else:
            self.put_raw(memoryview(data))
        if len(self._pending) > _FLUSH_BYTES:
            self.put_raw(memoryview(b""))

    def put_text(self, tag: str, text: str) -> None:
        """Write a text."""
        self.put_bytes(tag, text.encode("utf-8", "surrogatepass"))

    def put_raw(self, data: memoryview) -> None:
        """Write bytes whose number is told by what was written before."""
        self._hash.update(bytes(self._pending))
        self._pending.clear()
        self._hash.update(data)

    def put_many(self, tag: str, values: Iterable[Any], count: int) -> None:
        """Write values one after another."""
        self._pending += b"%s%d:" % (tag.encode("ascii"), count)
        for value in values:
            self.put(value)

    def put_unordered(self, tag: str, parts: Iterable[tuple[Any, ...]]) -> None:
        """Write groups of values so that the order of the groups does not count."""
        digests = []
        for part in parts:
            writer = Writer(self._writers, self)
            for value in part:
                writer.put(value)
            digests.append(writer.finish())
        digests.sort()
        self.put_bytes(tag, "".join(digests).encode("ascii"))

    def put_inside(self, value: Any, write: Callable[[], None]) -> None:
        """Write what lies inside a value; one that lies inside itself is named by its depth."""
        depth = self._around.get(id(value))
        if depth is not None:
            self.put_text("^", str(len(self._around) - depth))
            return
        if len(self._around) >= _DEEPEST:
            raise NoContentError(f"it is nested more than {_DEEPEST} levels deep")
        self._around[id(value)] = len(self._around)
        try:
            write()
        finally:
            del self._around[id(value)]

    def digest_alone(self, value: Any) -> str:
        """Return the digest of a value that is met here, without writing it."""
        part = Writer(self._writers, self)
        part.put(value)
        return part.finish()

    def put_once(self, value: Any, write: Callable[[], None]) -> None:
        """Write what is large and may be met again: later times only which one it was."""
        known = self._written.get(id(value))
        if known is not None:
            self.put_text("=", str(known[0]))
            return
        self._written[id(value)] = len(self._written), value  # kept alive: an identity is not
        write()

    def put_list(self, tag: str, value: list[Any] | tuple[Any, ...]) -> None:
        """Write a sequence; many plain items at once."""
        kinds: set[type] = {object}
        if len(value) > FEW_ITEMS:
            kinds = set(map(type, value))
        if _CODES.keys() >= kinds:
            self._put_plain_items(tag, value, kinds)
        else:
            self.put_inside(value, lambda: self.put_many(tag, value, len(value)))

    def _put_plain_items(
        self, tag: str, values: list[Any] | tuple[Any, ...], kinds: set[type]
    ) -> None:
        """Write many items of plain types: the type of each, then those of each type."""
        if len(kinds) == 1:
            codes = bytes([_CODES[next(iter(kinds))]]) * len(values)
        else:
            codes = bytes(map(_CODES.__getitem__, map(type, values)))
        self.put_bytes(tag + "*", codes)

        def choose(*chosen: type) -> list[Any] | tuple[Any, ...]:
            if kinds <= {*chosen}:
                return values
            if kinds.isdisjoint(chosen):
                return ()
            return [value for value in values if type(value) in chosen]

        self._put_texts(choose(str))
        floats = choose(float)
        if any(map(math.isnan, floats)):  # one NaN for all that there are
            floats = [math.nan if math.isnan(value) else value for value in floats]
        self._put_numbers("d", floats)
        integers = choose(int, bool)
        try:
            self._put_numbers("q", integers)
        except OverflowError:
            self.put_bytes("I", " ".join(f"{value:x}" for value in integers).encode("ascii"))

    def _put_texts(self, texts: list[str] | tuple[str, ...]) -> None:
        joined = "".join(texts)
        if joined.isascii():
            self._put_numbers("q", map(len, texts))
        else:
            self._put_numbers("q", [len(t.encode("utf-8", "surrogatepass")) for t in texts])
        self.put_bytes("s", joined.encode("utf-8", "surrogatepass"))

    def put_packed_texts(self, tag: str, lengths: memoryview, data: memoryview) -> None:
        """Write many texts that lie in one buffer, as ``put_list`` would.

        :param lengths: the bytes of each in UTF-8, as 64-bit integers of this machine.
        """
        packed = array.array("q")
        packed.frombytes(lengths.cast("B"))
        self.put_bytes(tag + "*", bytes([_CODES[str]]) * len(packed))
        self._put_numbers("q", packed)
        self.put_bytes("s", data)
        self._put_numbers("d", ())
        self._put_numbers("q", ())

    def _put_numbers(self, code: str, numbers: Iterable[float]) -> None:
        packed = numbers if isinstance(numbers, array.array) else array.array(code, numbers)
        if sys.byteorder == "big":
            packed.byteswap()
        self.put_bytes(code, memoryview(packed).cast("B"))
