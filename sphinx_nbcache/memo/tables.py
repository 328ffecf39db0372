"""Arrays and frames as content: their bytes, whatever lies between them in memory.

Loaded only when numpy is; knows numpy and pandas, whose own pickles differ with memory
layout and version.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from sphinx_nbcache.memo.writer import FEW_ITEMS, Write, Writer

_PIECE_BYTES = 1 << 20
_FEWEST_ROWS = 16


def find_table_writer(kind: type) -> Write | None:
    """Return what writes values of a type; None for types that are not known here."""
    pandas = sys.modules.get("pandas")
    families = [*_NUMPY]
    if pandas is not None and hasattr(pandas, "DataFrame"):
        families += (
            (pandas.DataFrame, _put_frame),
            (pandas.Series, _put_series),
            (pandas.MultiIndex, _put_multi_index),
            (pandas.Index, _put_index),
            (pandas.api.extensions.ExtensionArray, _put_extension_array),
        )
    whole = {np.ndarray, getattr(pandas, "DataFrame", None), getattr(pandas, "Series", None)}
    for parent, write in families:
        # A subclass of these has more than they have.
        if kind is parent or (parent not in whole and issubclass(kind, parent)):
            return write
    return None


def _describe_dtype(dtype: np.dtype[Any]) -> str:
    return str(np.lib.format.dtype_to_descr(dtype))


def _put_scalar(writer: Writer, value: np.generic) -> None:
    writer.put_text("ns", "")
    _put_array(writer, np.asarray(value))


def _put_array(writer: Writer, value: np.ndarray[Any, Any]) -> None:
    shape = ",".join(map(str, value.shape))
    writer.put_text("na", f"{_describe_dtype(value.dtype)}|{shape}")
    if value.dtype.hasobject:
        writer.put_inside(value, lambda inside: _put_objects(inside, value))
        return
    if value.size == 0 or value.dtype.itemsize == 0:
        return
    if value.flags.c_contiguous:
        writer.put_raw(_view(value))
        return
    flat = value.reshape(1) if value.ndim == 0 else value
    rows = max(_FEWEST_ROWS, _PIECE_BYTES // max(1, value.nbytes // len(flat)))
    for start in range(0, len(flat), rows):
        writer.put_raw(_view(np.ascontiguousarray(flat[start : start + rows])))


def _view(value: np.ndarray[Any, Any]) -> memoryview:
    return value.reshape(-1).view(np.uint8).data


def _put_objects(writer: Writer, value: np.ndarray[Any, Any]) -> None:
    if value.dtype.names is None:
        writer.put_list("no", value.ravel().tolist())
        return
    for name in value.dtype.names:
        writer.put_text("nf", name)
        _put_array(writer, value[name])


def _put_frame(writer: Writer, value: Any) -> None:
    writer.put_text("pf", str(value.shape))
    writer.put((value.index, value.columns, value.attrs))
    for number in range(value.shape[1]):
        _put_values(writer, value.iloc[:, number].array)


def _put_series(writer: Writer, value: Any) -> None:
    writer.put_text("ps", "")
    writer.put((value.index, value.name, value.attrs))
    _put_values(writer, value.array)


def _put_index(writer: Writer, value: Any) -> None:
    writer.put_text("pi", type(value).__name__)
    writer.put((value.name, getattr(value, "freqstr", None)))
    _put_values(writer, value.array)


def _put_multi_index(writer: Writer, value: Any) -> None:
    """Write each level's values: which ones it lists besides, and in which order, is its own."""
    writer.put_text("pm", "")
    writer.put(list(value.names))
    for number in range(value.nlevels):
        _put_values(writer, value.get_level_values(number).array)


def _put_extension_array(writer: Writer, value: Any) -> None:
    writer.put_text("pa", "")
    _put_values(writer, value)


def _put_values(writer: Writer, value: Any) -> None:
    """Write the values of a column."""
    import pandas as pd

    writer.put_text("pd", str(value.dtype))
    is_text = isinstance(value.dtype, pd.StringDtype)
    if isinstance(value, pd.arrays.NumpyExtensionArray) and not is_text:
        _put_array(writer, value.to_numpy())
    elif isinstance(value, pd.Categorical):
        _put_array(writer, np.asarray(value.codes))
        writer.put((value.categories, bool(value.ordered)))
    elif isinstance(value, pd.arrays.DatetimeArray | pd.arrays.TimedeltaArray):
        _put_array(writer, np.asarray(value.view("int64")))
    elif isinstance(value, pd.arrays.PeriodArray):
        _put_array(writer, np.asarray(value.asi8))
    elif isinstance(value, pd.arrays.IntervalArray):
        for ends in (value.left, value.right):
            _put_values(writer, ends.array)
    else:
        missing = np.asarray(value.isna())
        _put_array(writer, missing)
        present = value[~missing]
        if is_text and value.dtype.storage == "pyarrow":
            _put_arrow_texts(writer, present)
        else:
            _put_array(writer, np.asarray(present, dtype=_find_plain_dtype(value.dtype)))


def _find_plain_dtype(dtype: Any) -> Any:
    """Return the dtype of NumPy for values of which none is missing."""
    return getattr(dtype, "numpy_dtype", None)


def _put_arrow_texts(writer: Writer, value: Any) -> None:
    """Write texts as an array of objects would be written, without making objects of them."""
    import pyarrow as pa

    array = pa.chunked_array(value.__arrow_array__()).cast(pa.large_string())
    array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.large_string())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    first, last = (int(ends[0]), int(ends[-1])) if len(ends) else (0, 0)
    writer.put_text("na", f"{_describe_dtype(np.dtype(object))}|{len(array)}")
    texts = memoryview(data)[first:last] if data is not None else memoryview(b"")

    def write(inside: Writer) -> None:
        if len(array) <= FEW_ITEMS:
            inside.put_list("no", array.to_pylist())
        else:
            inside.put_packed_texts("no", np.diff(ends).data, texts)

    writer.put_inside(array, write)


def _put_dtype(writer: Writer, value: np.dtype[Any]) -> None:
    writer.put_text("nd", _describe_dtype(value))


_NUMPY: tuple[tuple[type, Write], ...] = (
    (np.ndarray, _put_array),
    (np.memmap, _put_array),
    (np.generic, _put_scalar),
    (np.dtype, _put_dtype),
)
