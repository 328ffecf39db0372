"""Forms in which arrays, frames and images are stored, and read without running anything.

Knows the formats of NumPy, Arrow and Pillow, each imported only when a value is of its kind.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from sphinx_nbcache.errors import NotMemoizableError
from sphinx_nbcache.memo.content import digest_values

Piece = bytes | memoryview
_PLAIN_MODES = frozenset({"1", "L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"})
_KEPT_WITHOUT_FILE = (str, int, float, bool)


class Form(NamedTuple):
    """A value in the form that is stored."""

    name: str
    pieces: tuple[Piece, ...]
    """The bytes, one piece after another."""
    description: Any = None
    """Plain data that is needed beside them."""


def find_form(value: Any) -> Form | None:
    """Return the form of a value; None if there is none that gives it back as it is."""
    module = type(value).__module__.partition(".")[0]
    if module == "numpy":
        return _find_array_form(value)
    if module == "pandas":
        return _find_frame_form(value)
    if module == "PIL":
        return _find_image_form(value)
    return None


def _find_array_form(value: Any) -> Form | None:
    import numpy as np

    if type(value) is np.ndarray and _is_plain(value.dtype):
        return Form("array", _write_array(value))
    if isinstance(value, np.generic) and _is_plain(value.dtype):
        # Its dtype tells its type: a subclass of a scalar type has no array of its own.
        is_itself = type(value) is value.dtype.type
        return Form("scalar", _write_array(np.asarray(value))) if is_itself else None
    return None


def _is_plain(dtype: Any) -> bool:
    """Return whether the format gives a dtype back as it is, without pickles."""
    import numpy as np

    if dtype.hasobject or dtype.metadata or dtype.type is np.record:
        return False
    try:
        again = np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(dtype))
        return bool(again == dtype and again.isalignedstruct == dtype.isalignedstruct)
    except (TypeError, ValueError):
        return False


def _write_array(value: Any) -> tuple[Piece, ...]:
    import numpy as np

    head = io.BytesIO()
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    description = {
        "descr": np.lib.format.dtype_to_descr(value.dtype),
        "fortran_order": order == "F",
        "shape": value.shape,
    }
    try:
        np.lib.format.write_array_header_1_0(head, description)
    except ValueError:  # a header of more than 64 KiB
        head = io.BytesIO()
        np.lib.format.write_array_header_2_0(head, description)
    flat = np.ascontiguousarray(value.T if order == "F" else value).reshape(-1)
    data = flat.view(np.uint8).data if flat.nbytes else b""
    return head.getvalue(), data


def decode_array(place: Path | IO[bytes], *, is_mapped: bool) -> Any:
    """Return an array of its own memory, or one that lies in its file and cannot be changed.

    Raises OSError or ValueError when the file is damaged.
    """
    import numpy as np

    if isinstance(place, Path) and is_mapped:
        return np.lib.format.open_memmap(place, mode="r")
    if isinstance(place, Path):
        with place.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    return np.lib.format.read_array(place, allow_pickle=False)


def read_array(stream: io.RawIOBase) -> Any:
    """Return an array whose bytes come from several files, without a copy in between.

    Raises OSError or ValueError when they are damaged.
    """
    import numpy as np

    version = np.lib.format.read_magic(stream)
    is_first = version == (1, 0)
    read_header = (
        np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError("an array of objects would have to be unpickled")
    array = np.empty(shape, dtype, order="F" if is_fortran else "C")
    rest: memoryview = array.reshape(-1, order="A").view(np.uint8).data
    while rest and (count := stream.readinto(rest)):
        rest = rest[count:]
    if rest:
        raise ValueError(f"{len(rest)} bytes of the array are missing")
    return array


def decode_scalar(data: bytes | bytearray) -> Any:
    """Return a NumPy scalar."""
    return decode_array(io.BytesIO(data), is_mapped=False)[()]


def _find_frame_form(value: Any) -> Form | None:
    """Return a frame or series as an Arrow table; None unless that gives it back exactly."""
    import pandas as pd

    if type(value) not in {pd.DataFrame, pd.Series} or not _has_arrow():
        return None
    import pyarrow as pa

    is_series = type(value) is pd.Series
    frame = value.to_frame(name="0") if is_series else value
    description = {"series": is_series, "name": value.name if is_series else None}
    description["attrs"] = value.attrs
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what does not fit, which is looked at below
            table = pa.Table.from_pandas(frame, preserve_index=None)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        data = memoryview(sink.getvalue())
        restored = decode_frame(data, description)
        is_alike = _describe_kinds(restored) == _describe_kinds(value)
        if not is_alike or digest_values({"": restored}) != digest_values({"": value}):
            return None
    except (pa.ArrowException, NotMemoizableError, TypeError, ValueError):
        return None
    return Form("frame", (data,), description)


def _describe_kinds(value: Any) -> Any:
    """Return what of a frame or series its content does not tell."""
    axes = value.axes
    dtypes = [value.dtype] if value.ndim == 1 else list(value.dtypes)
    dtypes += [getattr(axis, "dtype", None) for axis in axes]
    zones = [type(getattr(dtype, "tz", None)) for dtype in dtypes]
    return [repr(dtype) for dtype in dtypes], zones, value.flags.allows_duplicate_labels


def _has_arrow() -> bool:
    try:
        import pyarrow as pa  # noqa: F401
    except ImportError:
        return False
    return True


def decode_frame(data: bytes | bytearray | memoryview, description: Mapping[str, Any]) -> Any:
    """Return a frame or series.

    Raises ModuleNotFoundError without pyarrow, ValueError when the data is damaged.
    """
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(data)) as stream:
        table = stream.read_all()
    table.validate(full=True)  # else wrong offsets would be followed, to anywhere
    frame = table.to_pandas()
    if description["series"]:
        frame = frame.iloc[:, 0].rename(description["name"])
    frame.attrs = description["attrs"]
    return frame


def _find_image_form(value: Any) -> Form | None:
    """Return an image that belongs to no file as its pixels."""
    from PIL import Image

    if type(value) is not Image.Image or value.mode not in _PLAIN_MODES:
        return None
    if getattr(value, "_exif", None):
        return None
    if not all(isinstance(item, _KEPT_WITHOUT_FILE) for item in value.info.values()):
        return None
    description = {"mode": value.mode, "size": list(value.size), "info": dict(value.info)}
    return Form("image", (value.tobytes(),), description)


def decode_image(data: bytes | bytearray, description: Mapping[str, Any]) -> Any:
    """Return an image. Raises ModuleNotFoundError without Pillow, ValueError if it is damaged."""
    from PIL import Image

    mode, (width, height) = description["mode"], description["size"]
    row_bytes = (width + 7) // 8 if mode == "1" else width * len(Image.new(mode, (1, 1)).tobytes())
    if len(data) != row_bytes * height:  # no memory is taken for what is not there
        raise ValueError(f"{len(data)} bytes for an image of {width} x {height}")
    image = Image.frombytes(mode, (width, height), bytes(data))
    image.info = dict(description["info"])
    return image
