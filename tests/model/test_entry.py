"""The stored form of an entry, and its seal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.model import (
    Artifact,
    CellRun,
    CellStatus,
    Entry,
    Input,
    Inputs,
    Key,
    digest_json,
)

names = st.text(max_size=10)
numbers = st.floats(allow_nan=False, allow_infinity=False)
entries = st.builds(
    Entry,
    key=names.map(Key),
    inputs=st.lists(st.builds(Input, names, names, names), max_size=3).map(
        lambda items: Inputs(tuple(sorted(items)))
    ),
    outputs=names,
    kernel=names,
    executed_at=numbers,
    seconds=numbers,
    cells=st.lists(
        st.builds(CellRun, st.integers(1), st.sampled_from(CellStatus), st.none() | numbers)
    ).map(tuple),
    source=names,
    artifacts=st.lists(
        st.builds(Artifact, path=names, digest=names, mode=st.integers()), max_size=2
    ).map(tuple),
)
ENTRY = Entry(
    key=Key("0" * 64),
    inputs=Inputs((Input("file", "data.csv", "1" * 64),)),
    outputs="2" * 64,
    kernel="python3",
    executed_at=1700000000.5,
    seconds=1.25,
    cells=(CellRun(1, CellStatus.OK, 1700000001.0, 0.5),),
    source="docs/é.ipynb",
)


def read_or_none(data: bytes) -> Entry | None:
    """Return the entry in some bytes, None where they are refused as the interface says."""
    try:
        return Entry.from_bytes(data)
    except ValueError:
        return None


@given(entries)
def test_an_entry_is_read_as_it_was_stored(entry: Entry) -> None:
    assert Entry.from_bytes(entry.to_bytes()) == entry


@given(entries)
def test_the_stored_form_is_ascii_and_readable(entry: Entry) -> None:
    text = entry.to_bytes().decode("ascii")
    assert json.loads(text)["key"] == entry.key
    assert text.count("\n") > 5


def test_an_entry_torn_at_any_length_is_refused() -> None:
    data = ENTRY.to_bytes()
    readable = [n for n in range(len(data)) if read_or_none(data[:n]) is not None]
    assert readable == [len(data) - 1]  # only the line feed at the end is missing there


def test_an_entry_with_any_byte_altered_is_refused_or_says_the_same() -> None:
    data = ENTRY.to_bytes()
    for position, byte in enumerate(data):
        for other in (byte ^ 1, byte ^ 0x20, 0, 0x20, 0x22, 0x30, 0x7D, 0xFF):
            altered = data[:position] + bytes([other]) + data[position + 1 :]
            assert read_or_none(altered) in {None, ENTRY}


@given(st.binary(max_size=50), st.integers(0, len(ENTRY.to_bytes())), st.integers(0, 50))
def test_an_entry_with_a_part_replaced_is_refused_or_says_the_same(
    part: bytes, start: int, length: int
) -> None:
    data = ENTRY.to_bytes()
    assert read_or_none(data[:start] + part + data[start + length :]) in {None, ENTRY}


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"1", b"{}", b"\xff\xfe", b'{"seal":1}'])
def test_other_bytes_are_refused_as_torn(data: bytes) -> None:
    with pytest.raises(ValueError, match="torn"):
        Entry.from_bytes(data)


def seal(value: dict[str, Any]) -> bytes:
    """Return a record with the seal it should have."""
    return json.dumps({**value, "seal": digest_json(value)}).encode()


@pytest.mark.parametrize("other", [1, 2, 4, 0, "3", None])
def test_another_format_is_refused_by_its_number(other: object) -> None:
    value = {**json.loads(ENTRY.to_bytes()), "format": other}
    value.pop("seal")
    with pytest.raises(ValueError, match=r"format .*, this version reads format 3"):
        Entry.from_bytes(seal(value))


@pytest.mark.parametrize("missing", ["key", "inputs", "outputs", "cells", "artifacts", "seconds"])
def test_a_sealed_record_without_a_field_is_refused(missing: str) -> None:
    value = json.loads(ENTRY.to_bytes())
    value.pop("seal")
    value.pop(missing)
    with pytest.raises(ValueError, match=r".+"):
        Entry.from_bytes(seal(value))


def test_an_entry_needs_its_outputs_and_its_artifacts() -> None:
    artifact = Artifact(path="a.png", digest="3" * 64, mode=0o644)
    entry = Entry.from_bytes(ENTRY.to_bytes())
    assert entry.objects == ("2" * 64,)
    with_artifact = Entry(**{**_fields(entry), "artifacts": (artifact,)})
    assert with_artifact.objects == ("2" * 64, "3" * 64)


def _fields(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__}
