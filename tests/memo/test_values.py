"""Values come back as they were stored: of the same type, and with the same parts shared."""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from sphinx_nbcache.memo.content import digest_values
from sphinx_nbcache.memo.values import (
    Encoded,
    NotStorableError,
    NotTrustedError,
    decode,
    encode,
)


class Part:
    """A large part that lies in a file."""

    def __init__(self, path: Path, pieces: tuple[Any, ...]) -> None:
        self.path = path
        path.write_bytes(b"".join(pieces))

    def read(self) -> bytes:
        return self.path.read_bytes()

    def find_path(self) -> Path | None:
        return self.path

    def open(self) -> None:
        """It lies in one file."""


def restore(encoded: Encoded, folder: Path, *, is_trusted: bool = False, **how: bool) -> Any:
    """Decode from files."""
    parts = [Part(folder / str(n), pieces) for n, pieces in enumerate(encoded.parts)]
    return decode(encoded.tree, parts, is_trusted=is_trusted, **how)


LARGE = np.arange(30_000.0).reshape(100, 300)
SAFE: list[Any] = [
    None,
    True,
    12345678901234567890123,
    1.5,
    math.inf,
    -0.0,
    1 - 2j,
    "a\n\u00e4\U0001f600",
    [10**5000],
    (((1,),),),
    b"\0" * 10_000,
    bytearray(b"ab"),
    [1, [2.5, None]],
    (1, (2,)),
    {"a": 1, 2: ["b"], (3, 4): {5}},
    {1, 2},
    frozenset({"a"}),
    range(1, 9, 2),
    ...,
    Decimal("1.10"),
    Fraction(1, 3),
    UUID(int=5),
    dt.date(2020, 2, 29),
    dt.datetime(2020, 2, 29, 1, 2, 3, 4),  # noqa: DTZ001 - that it has no zone is the point
    dt.timedelta(days=-1, microseconds=5),
    Path("a/b"),
    np.float32(1.5),
    np.datetime64("2020-01-01T00:00:00.123"),
    np.bool_(True),
    np.str_("a"),
    LARGE,
    np.asfortranarray(LARGE),
    LARGE[::3, ::2],
    np.array(5),
    np.zeros((0, 4), dtype="i2"),
    np.array([(1, 2.5)], dtype=[("a", ">i4"), ("b", "f8")]),
    np.array(["2020", "NaT"], dtype="M8[D]"),
    np.array(["ab", "c"]),
]
FRAMES: list[Any] = [
    pd.DataFrame({"a": range(5000), "b": np.linspace(0, 1, 5000)}),
    pd.DataFrame({"t": pd.to_datetime(["2020", None]), "u": pd.Series(["x", "y"])}),
    pd.DataFrame({"c": pd.Categorical(["u", "v", "u"], ordered=True)}, index=["p", "q", "r"]),
    pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "f": pd.array([True, None], "boolean")}),
    pd.DataFrame({"z": pd.to_datetime(["2020-01-01"]).tz_localize("Europe/Berlin")}),
    pd.Series([1.5, None], index=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]), name="s"),
]
PICKLED: list[Any] = [
    OrderedDict(b=1, a=2),
    np.array(["a", None], dtype=object),
    np.ma.masked_array([1, 2], [True, False]),
    pd.DataFrame({"mixed": ["a", 1, None]}),
    pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2020", periods=2, freq="D")),
    dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    ValueError("a", 1),
    "\ud83d" + "\ude00",
    np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0],
    np.zeros(3, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    pd.DataFrame({"a": [True, math.nan]}),
    pd.DataFrame({"z": pd.to_datetime(["2020"]).tz_localize(dt.UTC)}),
    pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
]


@pytest.mark.parametrize("value", SAFE, ids=lambda value: type(value).__name__)
def test_plain_data_and_arrays_come_back_without_running_anything(
    value: Any, tmp_path: Path
) -> None:
    encoded = encode(value)
    found = restore(encoded, tmp_path)
    assert not encoded.is_pickled
    assert type(found) is type(value)
    assert digest_values({"": found}) == digest_values({"": value})
    if isinstance(value, np.ndarray):
        assert (found.dtype, found.flags.writeable) == (value.dtype, True)
        assert found.flags.f_contiguous == value.flags.f_contiguous or not value.flags.c_contiguous


@pytest.mark.parametrize(
    "value", FRAMES, ids=lambda value: str(list(value.dtypes))[:40] if value.ndim > 1 else "series"
)
def test_frames_come_back_without_running_anything(value: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    encoded = encode({"frame": value})
    found = restore(encoded, tmp_path)["frame"]
    assert not encoded.is_pickled
    assert type(found) is type(value)
    assert digest_values({"": found}) == digest_values({"": value})
    equal = pd.testing.assert_frame_equal if value.ndim > 1 else pd.testing.assert_series_equal
    equal(found, value)


@pytest.mark.parametrize("value", PICKLED, ids=lambda value: type(value).__name__)
def test_what_has_no_safe_form_is_pickled_and_read_only_when_trusted(
    value: Any, tmp_path: Path
) -> None:
    encoded = encode([value])
    assert encoded.is_pickled
    with pytest.raises(NotTrustedError):
        restore(encoded, tmp_path)
    (found,) = restore(encoded, tmp_path, is_trusted=True)
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_an_image_keeps_mode_size_pixels_and_what_is_known_of_it(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    image = image_module.frombytes("RGB", (30, 40), bytes(range(240)) * 15)
    image.info["dpi"] = 72
    encoded = encode(image)
    found = restore(encoded, tmp_path)
    assert not encoded.is_pickled
    assert (found.mode, found.size, found.info) == ("RGB", (30, 40), {"dpi": 72})
    assert found.tobytes() == image.tobytes()


@pytest.mark.parametrize("outer", [list, dict, OrderedDict])
def test_what_is_shared_inside_a_value_stays_shared(outer: Any, tmp_path: Path) -> None:
    shared = [1]
    array = LARGE.copy()
    value = outer({"a": shared, "b": shared, "c": array, "d": {"e": array}})
    value = list(value.values()) if isinstance(value, dict) and outer is list else value
    if outer is list:
        value = [shared, shared, array, {"e": array}]
        found = restore(encode(value), tmp_path)
        assert found[0] is found[1]
        assert found[2] is found[3]["e"]
    else:
        found = restore(encode(value), tmp_path, is_trusted=True)
        assert found["a"] is found["b"]
        assert found["c"] is found["d"]["e"]


def test_a_value_that_holds_itself_comes_back_so(tmp_path: Path) -> None:
    ring: list[Any] = []
    ring.append(ring)
    found = restore(encode(ring), tmp_path, is_trusted=True)
    assert found[0] is found


def test_many_new_objects_are_not_taken_for_one(tmp_path: Path) -> None:
    frames = [pd.DataFrame({"a": [n]}, index=[f"r{n}"]) for n in range(50)]
    found = restore(encode(frames), tmp_path, is_trusted=True)
    assert [frame["a"].iloc[0] for frame in found] == list(range(50))


def test_functions_and_classes_of_a_notebook_are_stored_by_what_they_are(tmp_path: Path) -> None:
    made: dict[str, Any] = {"__name__": "gone"}
    exec("def f(x):\n    return x * factor\nfactor = 3", made)
    encoded = encode(made["f"])
    assert restore(encoded, tmp_path, is_trusted=True)(2) == 6


def test_large_arrays_are_mapped_on_request(tmp_path: Path) -> None:
    found = restore(encode({"a": LARGE}), tmp_path, is_mapped=True)["a"]
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    assert (found == LARGE).all()


def test_large_arrays_are_not_copied_into_the_tree() -> None:
    encoded = encode({"a": LARGE, "b": 1})
    (pieces,) = encoded.parts
    assert np.shares_memory(np.frombuffer(pieces[1], "f8"), LARGE)
    assert sys.getsizeof(str(encoded.tree)) < 500


def test_what_nothing_can_hold_is_refused_with_the_reason() -> None:
    with pytest.raises(NotStorableError, match="generator"):
        encode([(i for i in (1,))])
