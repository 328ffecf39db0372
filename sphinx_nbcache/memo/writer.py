"""The writer: tagged, counted parts of values on their way into a hash.

Owns the form that is hashed; which parts a value has is not known here.
The hash is BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs).
"""

from __future__ import annotations

import array
import math
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class _Seen:
    """What one digest has met, by identity; values are kept, as identities are given anew."""

    around: dict[int, int] = field(default_factory=dict)
    """What is being written around this place, to its depth: a cycle ends there."""
    closed: dict[int, tuple[str, Any]] = field(default_factory=dict)
    """What names nothing around it, with its digest: what is shared is written once."""
    defined: dict[int, tuple[str, Any]] = field(default_factory=dict)
    """Definitions with their digests; with their names while they are being written."""


class Writer:
    """Bytes that stand for values, on their way into a hash.

    :param walk: the definitions that are written one after another here, if there are any.
    """

    def __init__(
        self, writers: Mapping[type, Write], seen: _Seen | None = None, walk: _Walk | None = None
    ) -> None:
        self._writers = writers
        self._seen = seen or _Seen()
        self._walk = walk
        self._hash = blake3(max_threads=blake3.AUTO)
        self._pending = bytearray()
        self._outermost = _DEEPEST
        """The least depth of what is around this place and was named here."""

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
        digests = sorted(self.digest_alone(*part) for part in parts)
        self.put_bytes(tag, "".join(digests).encode("ascii"))

    def digest_alone(self, *values: Any) -> str:
        """Return the digest of values that are met here, without writing it."""
        part = Writer(self._writers, self._seen)
        for value in values:
            part.put(value)
        self._outermost = min(self._outermost, part._outermost)
        return part.finish()

    def put_inside(self, value: Any, write: Callable[[Writer], None]) -> None:
        """Write the digest of what lies inside a value.

        One that lies inside itself is named by its depth there.
        """
        seen, identity = self._seen, id(value)
        if identity in seen.closed:
            self.put_text("#", seen.closed[identity][0])
            return
        depth = len(seen.around)
        if identity in seen.around:
            self._outermost = min(self._outermost, seen.around[identity])
            self.put_text("^", str(depth - seen.around[identity]))
            return
        if depth >= _DEEPEST:
            raise NoContentError(f"it is nested more than {_DEEPEST} levels deep")
        inside = Writer(self._writers, seen)
        seen.around[identity] = depth
        try:
            write(inside)
        finally:
            del seen.around[identity]
        digest = inside.finish()
        if inside._outermost >= depth:
            seen.closed[identity] = digest, value
        else:
            self._outermost = min(self._outermost, inside._outermost)
        self.put_text("#", digest)

    def put_definition(self, value: Any, name: str, write: Callable[[Writer], None]) -> None:
        """Write a function or class of the user, which may use others, and they it.

        Those that use each other are written one after another, each once, in the order in
        which they are met, and named by their numbers.
        """
        if self._walk is not None:
            self.put_text("=", str(self._walk.find_number(value, write)))
            return
        seen = self._seen
        if id(value) not in seen.defined:
            around, seen.around = seen.around, {}
            seen.defined[id(value)] = name, value
            try:
                seen.defined[id(value)] = self._digest_definition(value, write), value
            except BaseException:
                del seen.defined[id(value)]
                raise
            finally:
                seen.around = around
        self.put_text("@", seen.defined[id(value)][0])

    def _digest_definition(self, value: Any, write: Callable[[Writer], None]) -> str:
        walk = _Walk()
        writer = Writer(self._writers, self._seen, walk)
        writer.put_definition(value, "", write)
        while walk.waiting:
            walk.waiting.popleft()(writer)
        return writer.finish()

    def put_list(self, tag: str, value: list[Any] | tuple[Any, ...]) -> None:
        """Write a sequence; many plain items at once."""
        kinds: set[type] = {object}
        if len(value) > FEW_ITEMS:
            kinds = set(map(type, value))
        if _CODES.keys() >= kinds:
            self._put_plain_items(tag, value, kinds)
        else:
            self.put_inside(value, lambda inside: inside.put_many(tag, value, len(value)))

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


class _Walk:
    """Definitions that are written one after another, without one call inside the other."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[Writer], None]] = deque()
        self._numbers: dict[int, tuple[int, Any]] = {}

    def find_number(self, value: Any, write: Callable[[Writer], None]) -> int:
        """Return the number of a definition; a new one waits to be written."""
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._numbers), value
            self.waiting.append(write)
        return self._numbers[id(value)][0]
