"""Values: as trees of JSON with large parts beside them, and back, of the same type and dtype.

Plain data, arrays, frames and images have forms that run nothing when they are read: JSON,
NumPy's ``.npy`` (https://numpy.org/neps/nep-0001-npy-format.html), Arrow's stream
(https://arrow.apache.org/docs/format/Columnar.html). All else is pickled (protocol 5, PEP
574), as a whole, so that what is shared inside a value stays shared.
"""

from __future__ import annotations

import base64
import io
import math
import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Protocol
from uuid import UUID

from sphinx_nbcache.memo.forms import (
    decode_array,
    decode_frame,
    decode_image,
    decode_scalar,
    find_form,
    read_array,
)

Piece = bytes | bytearray | memoryview
_INLINE_BYTES = 4096
"""Smaller parts stand in the tree itself."""
_DEEPEST = 100
_MOST_FROZEN = 10_000_000
"""Items of tuples and frozensets: a few, each inside the next twice, would be without end."""
_PLAIN_BITS = 64
"""Python refuses to read longer numbers from very long texts."""


class NotStorableError(Exception):
    """A value that no form can hold; says why."""


class NotTrustedError(Exception):
    """A value that has to be unpickled, and may not be."""


class Part(Protocol):
    """A large part of a value that is stored."""

    def read(self) -> bytearray | bytes:
        """Return its bytes; raises OSError when they are gone or damaged."""

    def find_path(self) -> Path | None:
        """Return the file that holds just these bytes, if there is one."""

    def open(self) -> io.RawIOBase | None:
        """Return what these bytes can be read from once, if they lie in several files."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value in its stored form."""

    tree: Any
    parts: tuple[tuple[Piece, ...], ...]
    """Each as pieces, one after another; the tree names them by number."""
    is_pickled: bool


def encode(value: Any) -> Encoded:
    """Return the stored form of a value. Raises NotStorableError."""
    encoder = _Encoder()
    try:
        tree = encoder.encode(value)
    except Exception:  # noqa: BLE001 - no safe form; what is really wrong, pickle will say
        return _pickle(value)
    return Encoded(tree, tuple(encoder.parts), is_pickled=False)


def decode(tree: Any, parts: Sequence[Part], *, is_trusted: bool, is_mapped: bool = False) -> Any:
    """Return the value of a stored form.

    :param is_trusted: whether it may be unpickled, which runs code that is named in it.
    :param is_mapped: leave large arrays in their files, read-only, until they are looked at.

    Raises NotTrustedError; OSError or ValueError for a damaged form; and whatever is
    raised by what a pickle runs.
    """
    decoder = _Decoder(parts, is_trusted=is_trusted, is_mapped=is_mapped)
    return decoder.decode(tree)


class _NoSafeFormError(Exception):
    """A value that has to be pickled."""


def _pickle(value: Any) -> Encoded:
    try:
        return _pickle_with(pickle.dumps, value)
    except Exception:  # noqa: BLE001 - an object may raise anything when it is taken apart
        import cloudpickle
    try:
        return _pickle_with(cloudpickle.dumps, value)
    except Exception as error:
        kind = type(error).__name__
        raise NotStorableError(f"it cannot be pickled ({kind}: {error})") from error


def _pickle_with(dumps: Callable[..., bytes], value: Any) -> Encoded:
    buffers: list[pickle.PickleBuffer] = []
    data = dumps(value, protocol=5, buffer_callback=buffers.append)
    parts = tuple((buffer.raw(),) for buffer in buffers)
    tree = {"t": "pickle", "buffers": len(parts), "part": len(parts)}
    return Encoded(tree, (*parts, (data,)), is_pickled=True)


class _Encoder:
    def __init__(self) -> None:
        self.parts: list[tuple[Piece, ...]] = []
        # Identity to number, and the object itself: an identity is given anew when one is gone.
        self._numbers: dict[int, tuple[int, Any]] = {}
        self._open: set[int] = set()
        self._depth = 0
        self._frozen = 0

    def encode(self, value: Any) -> Any:
        """Return the tree of a value."""
        kind = type(value)
        if (is_word := _WORDS.get(kind)) is not None and is_word(value):
            return value
        if kind in _SHARED:
            return self._encode_shared(value)
        if (encode_plain := _PLAIN.get(kind)) is not None:
            return {"t": _NAMES[kind], "v": encode_plain(value)}
        if kind in {tuple, frozenset}:
            return self._encode_frozen(value)
        return self._encode_large(value)

    def _encode_frozen(self, value: tuple[Any, ...] | frozenset[Any]) -> Any:
        """Return the tree of what cannot be changed, as often as it is met; within limits."""
        self._frozen += len(value)
        if self._frozen > _MOST_FROZEN or self._depth > _DEEPEST:
            raise _NoSafeFormError
        self._depth += 1
        tree = {"t": type(value).__name__, "v": [self.encode(item) for item in value]}
        self._depth -= 1
        return tree

    def _encode_shared(self, value: Any) -> Any:
        """Return the tree of what can be changed, so that it matters where else it is."""
        if id(value) in self._numbers:
            if id(value) in self._open:
                raise _NoSafeFormError
            return {"t": "same", "n": self._numbers[id(value)][0]}
        if len(self._open) > _DEEPEST:
            raise _NoSafeFormError
        self._numbers[id(value)] = len(self._numbers), value
        self._open.add(id(value))
        tree = self._encode_content(value)
        self._open.discard(id(value))
        return tree

    def _encode_content(self, value: Any) -> Any:
        if type(value) is list:
            return [self.encode(item) for item in value]
        if type(value) is dict:
            pairs = [[self.encode(key), self.encode(item)] for key, item in value.items()]
            return {"t": "dict", "v": pairs}
        if type(value) is set:
            return {"t": "set", "v": [self.encode(item) for item in value]}
        return {"t": "bytearray", "v": self.put(value)}

    def _encode_large(self, value: Any) -> Any:
        if type(value) is bytes:
            return {"t": "bytes", "v": self.put(value)}
        if id(value) in self._numbers:
            return {"t": "same", "n": self._numbers[id(value)][0]}
        form = find_form(value)
        if form is None:
            raise _NoSafeFormError
        name, pieces, description = form
        self._numbers[id(value)] = len(self._numbers), value
        tree = {"t": name, "v": self.put(*pieces)}
        if description is not None:
            tree["d"] = self.encode(description)
        return tree

    def put(self, *pieces: Piece) -> Any:
        """Put bytes aside, if there are many; return what stands for them in the tree."""
        size = sum(memoryview(piece).nbytes for piece in pieces)
        if size <= _INLINE_BYTES:
            return base64.b64encode(b"".join(pieces)).decode("ascii")
        self.parts.append(pieces)
        return len(self.parts) - 1


class _Decoder:
    def __init__(self, parts: Sequence[Part], *, is_trusted: bool, is_mapped: bool) -> None:
        self._parts = parts
        self._is_trusted = is_trusted
        self._is_mapped = is_mapped
        self._shared: list[Any] = []

    def decode(self, tree: Any) -> Any:
        """Return the value of a tree."""
        if isinstance(tree, list):
            items: list[Any] = []
            return self._fill(items, items.extend, tree)
        if not isinstance(tree, dict):
            return tree
        name = tree["t"]
        if (make := _MAKERS.get(name)) is not None:
            return make(tree["v"])
        return _KINDS[name](self, tree)

    def _fill(self, value: Any, add: Callable[[Iterable[Any]], Any], trees: list[Any]) -> Any:
        self._shared.append(value)
        add(self.decode(item) for item in trees)
        return value

    def decode_dict(self, tree: Any) -> Any:
        """Return a dict."""
        value: dict[Any, Any] = {}
        self._shared.append(value)
        value.update((self.decode(key), self.decode(item)) for key, item in tree["v"])
        return value

    def decode_set(self, tree: Any) -> Any:
        """Return a set."""
        items: set[Any] = set()
        return self._fill(items, items.update, tree["v"])

    def decode_tuple(self, tree: Any) -> Any:
        """Return a tuple."""
        return tuple(self.decode(item) for item in tree["v"])

    def decode_frozenset(self, tree: Any) -> Any:
        """Return a frozenset."""
        return frozenset(self.decode(item) for item in tree["v"])

    def decode_bytes(self, tree: Any) -> Any:
        """Return bytes."""
        return bytes(self._get(tree["v"]))

    def decode_bytearray(self, tree: Any) -> Any:
        """Return a bytearray."""
        return self._share(bytearray(self._get(tree["v"])))

    def decode_same(self, tree: Any) -> Any:
        """Return an object that is there already."""
        return self._shared[tree["n"]]

    def decode_array(self, tree: Any) -> Any:
        """Return an array, from its file or its bytes."""
        place = tree["v"]
        part = self._parts[place] if isinstance(place, int) else None
        if part is not None and (path := part.find_path()) is not None:
            return self._share(decode_array(path, is_mapped=self._is_mapped))
        if part is not None and (stream := part.open()) is not None:
            with stream:
                return self._share(read_array(stream))
        return self._share(decode_array(io.BytesIO(self._get(place)), is_mapped=False))

    def decode_scalar(self, tree: Any) -> Any:
        """Return a NumPy scalar."""
        return self._share(decode_scalar(self._get(tree["v"])))

    def decode_frame(self, tree: Any) -> Any:
        """Return a frame or a series."""
        number = len(self._shared)
        self._shared.append(None)
        value = decode_frame(self._get(tree["v"]), self.decode(tree["d"]))
        self._shared[number] = value
        return value

    def decode_image(self, tree: Any) -> Any:
        """Return an image."""
        number = len(self._shared)
        self._shared.append(None)
        value = decode_image(self._get(tree["v"]), self.decode(tree["d"]))
        self._shared[number] = value
        return value

    def decode_pickle(self, tree: Any) -> Any:
        """Return what a pickle makes."""
        if not self._is_trusted:
            raise NotTrustedError
        buffers = [bytearray(self._parts[number].read()) for number in range(tree["buffers"])]
        return pickle.loads(self._parts[tree["part"]].read(), buffers=buffers)  # noqa: S301

    def _share(self, value: Any) -> Any:
        self._shared.append(value)
        return value

    def _get(self, place: Any) -> bytes | bytearray:
        if isinstance(place, int):
            return self._parts[place].read()
        return base64.b64decode(place, validate=True)


def _is_whole(text: str) -> bool:
    """Refuse halves of characters: two of them would come back as one."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _NoSafeFormError from error
    return True


def _write_moment(value: datetime) -> str:
    if value.tzinfo is not None or value.fold:
        raise _NoSafeFormError  # a time zone is an object of its own kind
    return value.isoformat()


_KINDS: dict[str, Callable[[_Decoder, Any], Any]] = {
    "dict": _Decoder.decode_dict,
    "set": _Decoder.decode_set,
    "tuple": _Decoder.decode_tuple,
    "frozenset": _Decoder.decode_frozenset,
    "bytes": _Decoder.decode_bytes,
    "bytearray": _Decoder.decode_bytearray,
    "same": _Decoder.decode_same,
    "array": _Decoder.decode_array,
    "scalar": _Decoder.decode_scalar,
    "frame": _Decoder.decode_frame,
    "image": _Decoder.decode_image,
    "pickle": _Decoder.decode_pickle,
}
_WORDS: dict[type, Callable[[Any], bool]] = {
    type(None): lambda _: True,
    bool: lambda _: True,
    int: lambda value: value.bit_length() <= _PLAIN_BITS,
    float: math.isfinite,
    str: _is_whole,
}
"""Types of JSON's own, and whether a value of theirs comes back as it is."""
_SHARED = frozenset({list, dict, set, bytearray})
_PLAIN: dict[type, Callable[[Any], Any]] = {
    float: repr,
    int: hex,
    complex: lambda value: [repr(value.real), repr(value.imag)],
    range: lambda value: [value.start, value.stop, value.step],
    type(...): lambda _: None,
    Decimal: str,
    Fraction: str,
    UUID: str,
    date: date.isoformat,
    datetime: _write_moment,
    timedelta: lambda value: [value.days, value.seconds, value.microseconds],
    PurePosixPath: str,
    PureWindowsPath: str,
    type(Path()): str,
}
_NAMES = {kind: kind.__name__ for kind in _PLAIN} | {type(Path()): "path"}
_MAKERS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "int": lambda value: int(value, 16),
    "complex": lambda value: complex(float(value[0]), float(value[1])),
    "range": lambda value: range(*value),
    type(...).__name__: lambda _: ...,
    "Decimal": Decimal,
    # Other texts than ours may stand for numbers that no memory can hold.
    "Fraction": lambda value: Fraction(*map(int, value.split("/"))),
    "UUID": UUID,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "timedelta": lambda value: timedelta(*value),
    "PurePosixPath": PurePosixPath,
    "PureWindowsPath": PureWindowsPath,
    "path": Path,
}
