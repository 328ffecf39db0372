"""The values that travel: what they say of themselves, and their stored forms."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.model import (
    CellOutputs,
    CellRun,
    CellStatus,
    Failure,
    Input,
    Inputs,
    Outcome,
    Outputs,
    Report,
    Status,
    digest_bytes,
    digest_json,
    to_canonical_json,
)
from sphinx_nbcache.testing import code_cell, make_notebook, markdown_cell

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
large_texts = st.builds(
    lambda part, end: part * 600 + end,
    st.sampled_from(["ab", "QUJD", "\ud800é", "x\n"]),
    st.sampled_from(["", "\n", "=", "A==", "AAA="]),
)
outputs_of_kernels = st.fixed_dictionaries(
    {"output_type": st.just("display_data")},
    optional={"text": large_texts, "data": st.dictionaries(st.text(), large_texts | json_values)},
)
cell_outputs = st.none() | st.builds(
    CellOutputs,
    st.none() | st.integers(),
    st.lists(st.dictionaries(st.text(), json_values) | outputs_of_kernels),
)


@given(st.binary())
def test_a_digest_is_the_sha256(data: bytes) -> None:
    assert digest_bytes(data) == hashlib.sha256(data).hexdigest()


@given(st.dictionaries(st.text(), json_values))
def test_equal_values_have_one_canonical_form(value: dict[str, Any]) -> None:
    backwards = dict(reversed(value.items()))
    assert to_canonical_json(backwards) == to_canonical_json(value)
    assert json.loads(to_canonical_json(value)) == value


def test_a_lone_surrogate_has_a_digest() -> None:
    assert digest_json("\ud800") != digest_json("\udfff")


def test_an_image_is_stored_as_its_bytes() -> None:
    image = bytes(range(256)) * 8
    text = b64encode(image).decode()
    outputs = Outputs((CellOutputs(1, [{"data": {"image/png": text, "text/plain": "x"}}]),))
    assert image in outputs.to_bytes()
    assert Outputs.from_bytes(outputs.to_bytes()) == outputs


@given(st.lists(cell_outputs), st.dictionaries(st.text(), json_values))
def test_outputs_are_read_as_they_were_stored(
    cells: list[CellOutputs | None], metadata: dict[str, Any]
) -> None:
    outputs = Outputs(tuple(cells), metadata)
    assert Outputs.from_bytes(outputs.to_bytes()) == outputs


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"1",
        b'"x"',
        b"{}",
        b'{"format":1,"metadata":{},"cells":[]}',
        b'{"format":2,"metadata":{},"cells":[]}\n',
        b'{"format":2,"metadata":{},"blocks":[]}\n',
        b'{"format":2,"cells":[],"blocks":[]}\n',
        b'{"format":2,"metadata":{},"cells":[],"blocks":[]}\nmore',
        b'{"format":2,"metadata":{},"cells":[[1]],"blocks":[[]]}\n',
        b'{"format":2,"metadata":{},"cells":1,"blocks":[]}\n',
        b'{"format":2,"metadata":{},"cells":[[1,[{}]]],"blocks":[[[0,null,"x","text",2]]]}\na',
        b'{"format":2,"metadata":{},"cells":[[1,[{}]]],"blocks":[[[1,null,"x","text",1]]]}\na',
        b'{"format":2,"metadata":{},"cells":[[1,[{}]]],"blocks":[[[0,"y","x","text",1]]]}\na',
        b'{"format":2,"metadata":{},"cells":[[1,[{}]]],"blocks":[[[0,null,"x","zip",1]]]}\na',
        b'{"format":2,"metadata":{},"cells":[[1,[{}]]],"blocks":[[[0,null,"x","text",1]]]}\n\xff',
    ],
)
def test_bytes_that_are_no_outputs_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Outputs.from_bytes(data)


@given(st.lists(st.builds(Input, st.text(), st.text(), st.text())))
def test_the_digest_of_inputs_does_not_depend_on_their_order(items: list[Input]) -> None:
    assert Inputs(tuple(items)).digest == Inputs(tuple(reversed(items))).digest


def test_code_cells_are_numbered_with_the_empty_ones_but_those_are_left_out() -> None:
    notebook = make_notebook("a", markdown_cell("text"), " \n", code_cell("b", tags=["x"]))
    found = [(c.number, c.position, c.source, c.tags) for c in notebook.iterate_code_cells()]
    assert found == [(1, 0, "a", frozenset()), (3, 3, "b", frozenset({"x"}))]


def make_outcome(name: str, status: Status, seconds: float = 1.0) -> Outcome:
    return Outcome(name=name, path=Path(name), status=status, reason="", seconds=seconds)


def test_a_report_sums_up_its_outcomes() -> None:
    report = Report(
        (
            make_outcome("a", Status.HIT, 3),
            make_outcome("b", Status.HIT, 4),
            make_outcome("c", Status.RAN),
            make_outcome("d", Status.FAILED),
            make_outcome("e", Status.TIMED_OUT),
            make_outcome("f", Status.SKIPPED),
        ),
        seconds=2.5,
    )
    totals = report.totals
    assert dataclasses.astuple(totals) == (6, 2, 1, 0, 2, 1, 2.5, 7)
    assert [outcome.name for outcome in report.failures] == ["d", "e"]


def test_an_empty_report_has_sums_of_zero() -> None:
    assert dataclasses.astuple(Report(()).totals) == (0, 0, 0, 0, 0, 0, 0.0, 0)


def test_the_slowest_cell_is_known() -> None:
    cells = tuple(CellRun(n, CellStatus.OK, 0.0, seconds) for n, seconds in ((1, 1.0), (2, 3.0)))
    outcome = dataclasses.replace(make_outcome("a", Status.RAN), cells=cells)
    assert outcome.slowest_cell == cells[1]
    assert make_outcome("a", Status.RAN).slowest_cell is None


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure(name="E", message="m", cell=2, line=3, code="x"), "E in cell 2, line 3: m\n    x"),
        (Failure(name="E", message="m", cell=2), "E in cell 2: m"),
        (Failure(name="E", message="m"), "E: m"),
        (Failure(name="E", message="", cell=1, code="x"), "E in cell 1\n    x"),
        (Failure(name="E", message=""), "E"),
    ],
)
def test_a_failure_says_what_where_and_which_code(failure: Failure, text: str) -> None:
    assert failure.describe() == text


def test_an_outcome_says_that_and_why_it_was_run_again() -> None:
    once = make_outcome("a", Status.RAN)
    failure = Failure(name="E", message="m", cell=2, code="1 / 0")
    again = dataclasses.replace(once, attempts=3, first_failure=failure)
    assert once.retry_note == ""
    assert again.retry_note == "attempt 3; the first failed: E in cell 2: m"


def test_a_report_counts_what_passed_after_a_retry() -> None:
    outcomes = [make_outcome(str(status), status) for status in Status]
    again = tuple(dataclasses.replace(outcome, attempts=2) for outcome in outcomes)
    assert Report((*outcomes, *again)).totals.retried == 1


def test_two_failures_are_the_same_when_they_read_the_same() -> None:
    failure = Failure(name="E", message="m", traceback="0x1")
    assert failure.is_same_as(dataclasses.replace(failure, traceback="0x2"))
    assert not failure.is_same_as(dataclasses.replace(failure, message="n"))
    assert not failure.is_same_as(None)


@given(
    st.builds(
        CellRun,
        st.integers(1),
        st.sampled_from(CellStatus),
        st.none() | st.floats(0, 1e10),
        st.integers(0, 10**6).map(float),
    )
)
def test_a_cell_run_is_read_as_it_was_stored(cell: CellRun) -> None:
    assert CellRun.from_json(json.loads(json.dumps(cell.to_json()))) == cell


def test_outcomes_travel_between_processes() -> None:
    outcome = make_outcome("a", Status.RAN)
    assert pickle.loads(pickle.dumps(Report((outcome,)))) == Report((outcome,))
