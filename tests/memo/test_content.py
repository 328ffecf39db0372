"""What counts of a value: its content, in every process."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import io
import math
import re
import threading
import uuid
from collections import Counter, OrderedDict, namedtuple
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.errors import NotMemoizableError
from sphinx_nbcache.memo.content import digest_values
from tests.conftest import RunPython

Point = namedtuple("Point", "x y")  # noqa: PYI024 - one without types, as users have


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Settings:
    depth: int
    names: list[str]


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Tags(set[str]):
    pass


class Lazy:
    def __init__(self, values: list[int]) -> None:
        self.values = values

    @functools.cached_property
    def total(self) -> int:
        return sum(self.values)


def read_lazy(value: Lazy) -> Lazy:
    """Look at what is remembered from then on."""
    assert value.total == 1
    return value


class Access(enum.Flag):
    READ = 1
    WRITE = 2


def digest(value: Any) -> str:
    return digest_values({"x": value})


MATRIX = np.arange(12.0).reshape(3, 4)
FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])})

TEXTS = pd.Series(["a", None, "\u00e4\u00f6", ""] * 5)

SAME: list[tuple[Any, Any]] = [
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1, "a", None}, {None, "a", 1}),
    (frozenset("abc"), frozenset("cba")),
    (math.nan, float("nan")),
    ([math.nan] * 20, [-math.nan] * 20),
    (Point(1, 2), Point(1, 2)),
    (Colour.RED, Colour.RED),
    (Settings(1, ["a"]), Settings(1, ["a"])),
    (Slotted([1]), Slotted([1])),
    (Counter("abca"), Counter("caab")),
    (MATRIX, np.asfortranarray(MATRIX)),
    (MATRIX.T, np.ascontiguousarray(MATRIX.T)),
    (MATRIX[::2, 1:], MATRIX[::2, 1:].copy()),
    (np.array(["a", None, 1.5], dtype=object), np.array(["a", None, 1.5], dtype=object)),
    (FRAME, FRAME.copy()),
    (FRAME["c"], pd.Series(pd.Categorical(["u", "v"]), name="c")),
    (pd.MultiIndex.from_tuples([(1, "a")]), pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])[:1]),
    (TEXTS.astype("string[pyarrow]")[5:], TEXTS[5:].astype("string[pyarrow]")),
    (TEXTS.astype("string[pyarrow]")[3:5], TEXTS[3:5].astype("string[pyarrow]")),
    (Path("a/b"), Path("a") / "b"),
    ([[1], [1]], [one := [1], one]),
    (Tags("abcdef"), Tags("fedcba")),
    (Lazy([1]), read_lazy(Lazy([1]))),
]
MOMENT = dt.datetime.fromisoformat("2020-01-01")
DIFFERENT: list[tuple[Any, Any]] = [
    (1, 1.0),
    (1, True),
    (0.0, -0.0),
    ("1", 1),
    ("a", b"a"),
    ([1, 2], (1, 2)),
    ([1, 2], [2, 1]),
    ([1, [2]], [1, 2]),
    (["ab", "c"], ["a", "bc"]),
    (["ab", "c"] * 9, ["a", "bc"] * 9),
    ([1] * 20, [1.0] * 20),
    ([1] * 20, [True] * 20),
    ({"a": 1}, {"a": 2}),
    ({"a": "b"}, {"b": "a"}),
    (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
    (Point(1, 2), (1, 2)),
    (Colour.RED, Colour.BLUE),
    (Settings(1, ["a"]), Settings(1, ["b"])),
    (Slotted([1]), Slotted([2])),
    (np.float64(1), 1.0),
    (np.float32(1), np.float64(1)),
    (MATRIX, MATRIX.T),
    (MATRIX, MATRIX.reshape(4, 3)),
    (MATRIX, MATRIX.astype("f4")),
    (np.array([1, 2]), np.array([1, 2]).astype(">i8")),
    (np.zeros((0, 3)), np.zeros((3, 0))),
    (np.datetime64("2020-01-01"), np.datetime64("2020-01-01T00")),
    (FRAME, FRAME.rename(columns={"a": "A"})),
    (FRAME, FRAME.astype({"a": "float"})),
    (FRAME, FRAME.iloc[::-1]),
    (FRAME["b"], FRAME["b"].fillna("")),
    (pd.Categorical(["u"], ["u", "v"]), pd.Categorical(["u"], ["v", "u"])),
    (pd.Series([1, None], dtype="Int64"), pd.Series([1, 0], dtype="Int64")),
    (pd.Series([1], name="a"), pd.Series([1], name="b")),
    (TEXTS.astype("string[pyarrow]"), TEXTS.astype("string[pyarrow]").replace("a", "b")),
    (pd.Series(["ab", "c"] * 9), pd.Series(["a", "bc"] * 9)),
    (slice(1, 2, 3), (1, 2, 3)),
    ({1}, frozenset({1})),
    (re.compile("a"), ("a", 32)),
    (np.frombuffer(b"abcdefgh" * 8, "S1"), np.frombuffer(b"abcdefgh" * 8, "S16")),
    (pd.Series([None, "a"], dtype=object), pd.Series([math.nan, "a"], dtype=object)),
    (functools.partial(max, 1), functools.partial(max, 2)),
    (Decimal("1.0"), Decimal("1.00")),
    (dt.date(2020, 1, 1), dt.date(2020, 1, 2)),
    (dt.date(2020, 1, 1), MOMENT),
    (MOMENT, MOMENT.replace(fold=1)),
    (MOMENT, MOMENT.replace(tzinfo=dt.UTC)),
    (dt.time(1), dt.time(1, 0, 1)),
    (dt.timedelta(1), dt.timedelta(0, 1)),
    (Fraction(1, 2), Fraction(1, 3)),
    (uuid.UUID(int=1), uuid.UUID(int=2)),
    (pd.period_range("2020", periods=2, freq="D"), pd.period_range("2020", periods=2, freq="M")),
    (pd.interval_range(0, 2), pd.interval_range(0, 2, closed="left")),
    (pd.interval_range(0, 2), pd.interval_range(1, 3)),
    (int, float),
    (len, max),
]


@pytest.mark.parametrize(("first", "second"), SAME, ids=lambda value: type(value).__name__)
def test_values_of_the_same_content_have_one_digest(first: Any, second: Any) -> None:
    assert digest(first) == digest(second)


@pytest.mark.parametrize(("first", "second"), DIFFERENT, ids=lambda value: type(value).__name__)
def test_values_that_differ_have_two(first: Any, second: Any) -> None:
    assert digest(first) != digest(second)


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])) | st.none()))
def test_texts_count_the_same_however_a_frame_keeps_them(texts: list[str | None]) -> None:
    pytest.importorskip("pyarrow")
    plain, packed = pd.array(texts, "string[python]"), pd.array(texts, "string[pyarrow]")
    assert digest(plain) == digest(packed)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=20,
)


@given(PLAIN, PLAIN)
def test_plain_data_has_one_digest_exactly_if_it_reads_the_same(first: Any, second: Any) -> None:
    def order(value: Any) -> Any:
        if isinstance(value, dict):
            return ("dict", sorted(((repr(k), order(v)) for k, v in value.items())))
        if isinstance(value, list | tuple):
            return (type(value).__name__, [order(item) for item in value])
        return repr(value)

    assert (digest(first) == digest(second)) == (order(first) == order(second))


def test_a_value_that_holds_itself_has_a_digest() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    other: list[Any] = [1]
    other.append(other)
    assert digest(ring) == digest(other) != digest([1, [1]])


def test_the_digest_is_the_same_in_other_processes(
    run_python: RunPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import numpy as np, pandas as pd, sys\n"
        "from sphinx_nbcache.memo.content import digest_values\n"
        "def f(x):\n    return x in {'a', 'b', 'c'}\n"
        "value = [{'a', 'b', 'c'}, {'k': 1, 'j': 2}, np.arange(5), pd.Series(['x', None]), f]\n"
        "print(digest_values({'x': value}))\n"
    )
    found = set()
    for seed in "012":
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        found.add(run_python(code).stdout)
    assert len(found) == 1
    assert len(found.pop().strip()) == 64


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (io.StringIO, "stands for a file"),
        (lambda: (i for i in (1,)), "used up"),
        (lambda: iter([1]), "used up"),
        (threading.Lock, "no content"),
        (lambda: open(__file__, "rb"), "stands for a file"),  # noqa: SIM115, PTH123
    ],
)
def test_what_has_no_content_is_refused_by_name(make: Callable[[], Any], reason: str) -> None:
    value = make()
    with pytest.raises(NotMemoizableError, match=reason) as raised:
        digest_values({"the argument source": [{"in": value}]})
    assert str(raised.value).startswith("the argument source: ")
    getattr(value, "close", lambda: None)()


def test_an_object_that_fails_when_it_is_read_is_refused_with_its_words() -> None:
    class Broken:
        def __reduce__(self) -> str:
            raise OSError("no connection")

    with pytest.raises(NotMemoizableError, match=r"x: .*no content"):
        digest(Broken())


def test_flags_that_have_no_name_do_not_change_those_that_have() -> None:
    before = digest(Access.READ)
    assert digest(Access.READ | Access.WRITE) != digest(Access(0)) != before
    assert digest(Access.READ) == before


def test_functions_that_are_not_found_by_their_names_are_refused() -> None:
    with pytest.raises(NotMemoizableError, match="not found by its name"):
        digest(np.frompyfunc(lambda x: x, 1, 1))
    assert digest(np.sqrt) != digest(np.exp)


def test_what_is_shared_and_entangled_takes_no_longer_than_it_is_large() -> None:
    pair: Any = ()
    for _ in range(100):
        pair = (pair, pair)
    nodes = [Slotted([]) for _ in range(30)]
    for node in nodes:
        node.value = nodes
    assert digest(pair) != digest(nodes)


def test_columns_of_every_kind_have_content() -> None:
    pa = pytest.importorskip("pyarrow")
    times = pd.Series(pd.to_datetime(["2020", None]))
    columns = [
        times.astype(pd.ArrowDtype(pa.timestamp("us"))),
        pd.Series(pd.period_range("2020", periods=2)),
        pd.Series(pd.interval_range(0, 2)),
        pd.Series(pd.arrays.SparseArray([0, 1])),
        pd.Series([dt.date(2020, 1, 1), None]),
    ]
    assert len(set(map(digest, columns))) == len(columns)


def test_large_dicts_count_by_content_too() -> None:
    first = {f"k{n}": n for n in range(1000)}
    second = {f"k{n}": n for n in reversed(range(1000))}
    assert digest(first) == digest(second)
    assert digest(first) != digest({**first, "k5": 6})
    assert digest({n: n for n in range(9)}) == digest({n: n for n in reversed(range(9))})


def test_nesting_without_end_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NotMemoizableError, match="deep"):
        digest(value)
    while value:  # or the interpreter runs out of stack when it frees it
        value = value[0]
