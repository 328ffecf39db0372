"""Which line of which cell failed, from the tracebacks of a real kernel."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from sphinx_nbcache.model import Failure, Run
from sphinx_nbcache.running import LocalExecutor
from sphinx_nbcache.running.failure import (
    describe_cell_error,
    describe_notebook_timeout,
    describe_start,
)
from sphinx_nbcache.running.limits import can_limit_memory
from sphinx_nbcache.testing import make_notebook
from tests.running.conftest import RunCells, make_job


class Case(NamedTuple):
    """A cell that fails, and what is to be said of it."""

    source: str
    name: str
    line: int | None
    code: str


DEFINITIONS = """import json
def fail():

    return 1 / 0
def chain():
    try:
        fail()
    except ZeroDivisionError:
        raise ValueError("chained")
def ask():
    input()
"""

CASES = {
    "one line": Case("1 / 0", "ZeroDivisionError", 1, "1 / 0"),
    "third line": Case("a = 1\n\nb = a / 0\nc = 3", "ZeroDivisionError", 3, "b = a / 0"),
    "blank lines first": Case("\n\n1 / 0", "ZeroDivisionError", 3, "1 / 0"),
    "indented": Case("if True:\n    for i in [0]:\n        1 / i", "ZeroDivisionError", 3, "1 / i"),
    "a call of many lines": Case(
        "a = 1\ndivmod(\n    1,\n    0,\n)", "ZeroDivisionError", 2, "divmod("
    ),
    "a function of this cell": Case(
        "def f():\n    return 1 / 0\na = 1\nf()", "ZeroDivisionError", 4, "f()"
    ),
    "a function of an earlier cell": Case("a = 1\nfail()", "ZeroDivisionError", 2, "fail()"),
    "a function of an earlier cell that raises from another": Case(
        "a = 1\nb = 2\nc = 3\nchain()", "ValueError", 4, "chain()"
    ),
    "an exception while another is handled": Case(
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    nowhere", "NameError", 4, "nowhere"
    ),
    "an exception raised from another": Case(
        "try:\n    fail()\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
        "KeyError", 4, "raise KeyError('k') from e",
    ),
    "inside a library": Case("a = 1\njson.loads('{')", "JSONDecodeError", 2, "json.loads('{')"),
    "syntax": Case("a = 1\nb = = 2", "SyntaxError", 2, "b = = 2"),
    "an open bracket": Case("a = 1\nb = (2\nc = 3", "SyntaxError", 2, "b = (2"),
    "indentation": Case("a = 1\n  b = 2", "IndentationError", 2, "b = 2"),
    "compiled code": Case("a = 1\nexec('x =')", "SyntaxError", 2, "exec('x =')"),
    "assertion": Case("a = 1\nassert a == 2, 'no'", "AssertionError", 2, "assert a == 2, 'no'"),
    "a name that looks like a place": Case(
        "a = 1\nb = 2\nraise ValueError('Cell In[1], line 1')", "ValueError", 3,
        "raise ValueError('Cell In[1], line 1')",
    ),
    # IPython hides where an exit comes from.
    "an exit": Case("a = 1\nraise SystemExit(3)", "SystemExit", None, "a = 1"),
    "a magic": Case("%%time\na = 1\n1 / 0", "ZeroDivisionError", 1, "%%time"),
    "another language": Case("%%bash\nexit 3", "CalledProcessError", 1, "%%bash"),
    "input in a function": Case("a = 1\nask()", "StdinNotImplementedError", 2, "ask()"),
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run all cases in one kernel, in which every cell may raise."""
    notebook = make_notebook(DEFINITIONS, *(case.source for case in CASES.values()))
    job = make_job(notebook, tmp_path_factory.mktemp("run"), allow_errors=True)
    with LocalExecutor(1) as executor:
        return executor.submit(job).result(90)


@pytest.fixture
def failure(run: Run, request: pytest.FixtureRequest) -> Failure:
    """Return what is said of one case."""
    position = list(CASES).index(request.param) + 1
    cell = list(run.job.notebook.iterate_code_cells())[position]
    found = run.outputs.cells[position]
    assert found is not None
    (error,) = [output for output in found.outputs if output["output_type"] == "error"]
    traceback = "\n".join(error["traceback"])  # as nbclient does
    count = found.execution_count
    assert count is not None
    return describe_cell_error(error["ename"], error["evalue"], traceback, cell, count=count)


@pytest.mark.parametrize(("failure", "case"), CASES.items(), ids=CASES, indirect=["failure"])
def test_a_failure_names_the_line_of_the_cell(failure: Failure, case: Case) -> None:
    assert (failure.name, failure.line, failure.code) == (case.name, case.line, case.code)


@pytest.mark.parametrize(
    ("source", "name", "line"),
    [
        ("a = 1\nraise ExceptionGroup('several', [ValueError(1)])", "ExceptionGroup", 2),
        ("a = 1\n%nowhere", "UsageError", None),
        # nbclient puts the code and what the cell printed before the traceback.
        ("print('Cell In[1], line 1')\nx = 'Cell In[1], line 2'\n\n1 / 0", "ZeroDivisionError", 4),
    ],
    ids=["a group of exceptions", "an unknown magic", "text that looks like a traceback"],
)
def test_an_error_that_is_told_in_another_way_is_a_failure(
    run_cells: RunCells, source: str, name: str, line: int | None
) -> None:
    failure = run_cells(source, "2").failure
    assert failure is not None
    assert (failure.name, failure.line) == (name, line)


(CELL,) = make_notebook("\nx = load()\nx").iterate_code_cells()
LIMIT = "the kernel may use 512 MiB (nbcache_memory_limit)" if can_limit_memory() else ""


@pytest.mark.parametrize(
    ("name", "message", "said"),
    [
        ("MemoryError", "", LIMIT),
        ("_ArrayMemoryError", "no 3 GiB", f"no 3 GiB; {LIMIT}" if LIMIT else "no 3 GiB"),
        ("OSError", "[Errno 12] no", f"[Errno 12] no; {LIMIT}" if LIMIT else "[Errno 12] no"),
        ("OSError", "[Errno 2] no such file", "[Errno 2] no such file"),
        ("ValueError", "MemoryError", "MemoryError"),
    ],
)
def test_an_error_for_want_of_memory_names_the_limit(name: str, message: str, said: str) -> None:
    limited = describe_cell_error(name, message, "", CELL, count=1, memory_limit_bytes=2**29)
    free = describe_cell_error(name, message, "", CELL, count=1)
    assert (limited.message, free.message) == (said, message)


def test_a_kernel_that_cannot_start_for_want_of_memory_names_the_limit() -> None:
    message = "kernel 'k' did not start: it died\n  import numpy\nMemoryError"
    end = "\n  import numpy\nMemoryError"
    headline = "kernel 'k' did not start: it died" + (f"; {LIMIT}" if LIMIT else "")
    assert describe_start(message, memory_limit_bytes=2**29).message == headline + end
    assert describe_start(message).message == message
    missing = "there is no kernel 'k'"
    assert describe_start(missing, memory_limit_bytes=2**29).message == missing


def test_a_notebook_that_takes_too_long_names_the_limit_and_both_ways_to_change_it() -> None:
    failure = describe_notebook_timeout(90.0, CELL)
    assert failure.headline == (
        "NotebookTimeoutError in cell 1: the notebook took longer than 90 s; allow more with "
        "nbcache_notebook_timeout, or with nbcache: {timeout: ...} in its metadata"
    )
    assert failure.code == "x = load()"
