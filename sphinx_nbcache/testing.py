"""Stand-ins that implement the real interfaces, for our tests and for plug-in authors.

Builders of notebooks, a listener that remembers, an executor that needs no kernels; checks
that a plug-in keeps its contract. Knows nothing of Sphinx or of a test framework.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.keys import compute_key, make_question
from sphinx_nbcache.model import (
    DEFAULT_KERNEL,
    CellOutputs,
    CellRun,
    CellStatus,
    Failure,
    Job,
    Key,
    Notebook,
    Outcome,
    Outputs,
    Run,
    Status,
    Topic,
)
from sphinx_nbcache.reading import ReadFunction, find_errors, is_built_in, read_text, read_with

if TYPE_CHECKING:
    from sphinx_nbcache.running import Executor

Cell = str | Mapping[str, Any]
"""A cell for the builders: a code cell's source, or a whole nbformat cell."""


def code_cell(
    source: str, *, tags: Iterable[str] = (), outputs: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return an nbformat 4 code cell."""
    return {
        "cell_type": "code",
        "source": source,
        "metadata": {"tags": list(tags)} if tags else {},
        "execution_count": None,
        "outputs": list(outputs),
    }


def markdown_cell(source: str) -> dict[str, Any]:
    """Return an nbformat 4 Markdown cell."""
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def make_notebook(
    *cells: Cell,
    kernel: str | None = DEFAULT_KERNEL,
    metadata: Mapping[str, Any] | None = None,
    path: Path = Path("notebook.ipynb"),
) -> Notebook:
    """Return a notebook in memory.

    :param kernel: name of its kernel; None for a notebook that names none.
    :param metadata: notebook metadata beside ``kernelspec``.
    """
    return Notebook(path, _make_content(cells, kernel, metadata))


def write_notebook(
    path: Path,
    *cells: Cell,
    kernel: str | None = DEFAULT_KERNEL,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write a notebook, as ``.ipynb`` or as MyST Markdown by its suffix; return the path."""
    content = _make_content(cells, kernel, metadata)
    is_markdown = path.suffix == ".md"
    text = _format_myst(content) if is_markdown else json.dumps(content, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _make_content(
    cells: Iterable[Cell], kernel: str | None, metadata: Mapping[str, Any] | None
) -> dict[str, Any]:
    spec = {"kernelspec": {"name": kernel, "display_name": kernel}} if kernel else {}
    return {
        "nbformat": 4,
        "nbformat_minor": 4,  # the last one whose cells need no ids
        "metadata": {**spec, **(metadata or {})},
        "cells": [code_cell(cell) if isinstance(cell, str) else dict(cell) for cell in cells],
    }


def _format_myst(content: Mapping[str, Any]) -> str:
    header = {"file_format": "mystnb", **content["metadata"]}
    lines = ["---", *(f"{name}: {json.dumps(value)}" for name, value in header.items()), "---", ""]
    for cell in content["cells"]:
        if cell["cell_type"] != "code":
            lines += [cell["source"], "", "+++", ""]
            continue
        tags = cell["metadata"].get("tags")
        options = [f":tags: {json.dumps(tags)}", ""] if tags else []
        lines += ["`````{code-cell}", *options, cell["source"], "`````", ""]
    return "\n".join(lines)


class RecordingProgress:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        """Names of the methods that were called, without ``tick``."""
        self.stale: list[int] = []
        self.started: list[str] = []
        self.finished: list[Outcome] = []
        self.waits: list[list[str]] = []
        self.warnings: list[str] = []
        self.topics: list[tuple[Topic, str]] = []
        """What each warning was about: its topic, and the notebook if it was one."""
        self.ticks = 0
        self.large: set[str] = set()
        """Large files that had to be read."""

    def begin(self, stale: int) -> None:
        """Remember how many notebooks are to be run."""
        self.calls.append("begin")
        self.stale.append(stale)

    def start(self, name: str) -> None:
        """Remember which kernel was started."""
        self.calls.append("start")
        self.started.append(name)

    def finish(self, outcome: Outcome) -> None:
        """Remember the outcome."""
        self.calls.append("finish")
        self.finished.append(outcome)

    def wait(self, names: list[str]) -> None:
        """Remember what other processes were running."""
        self.calls.append("wait")
        self.waits.append(names)

    def tick(self) -> None:
        """Count."""
        self.ticks += 1

    def digest(self, name: str, done: int, size: int) -> None:
        """Remember which large files were read."""
        self.large.add(name)

    def end(self) -> None:
        """Remember the end."""
        self.calls.append("end")

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        """Remember the warning."""
        self.calls.append("warn")
        self.warnings.append(message)
        self.topics.append((topic, name))


def make_run(job: Job, *, failure: Failure | None = None, seconds: float = 1.0) -> Run:
    """Return a run of a job in which each cell printed ``output of cell N``.

    :param failure: why its last cell failed, if so.
    """
    numbers = [cell.number for cell in job.notebook.iterate_code_cells()]
    cells = [CellRun(number, CellStatus.OK, 0.0, seconds / len(numbers)) for number in numbers]
    if failure is not None:
        cells[-1] = CellRun(numbers[-1], CellStatus.ERROR, 0.0, 0.0)
    return Run(
        job=job,
        status=Status.RAN if failure is None else Status.FAILED,
        outputs=Outputs(tuple(_make_output(number) for number in numbers)),
        cells=tuple(cells),
        started_at=0.0,
        seconds=seconds,
        failure=failure,
    )


def _make_output(number: int) -> CellOutputs:
    text = f"output of cell {number}\n"
    return CellOutputs(number, [{"output_type": "stream", "name": "stdout", "text": text}])


class FakeExecutor:
    """An executor that starts no kernel: ``answer`` says at once how a job ends.

    :param answer: called with each job; by default every cell prints a line.
    """

    def __init__(self, answer: Callable[[Job], Run] = make_run, *, capacity: int = 1) -> None:
        self.capacity = capacity
        self.jobs: list[Job] = []
        """What was submitted, in order."""
        self.notices: list[str] = []
        """What the listener is to be warned of."""
        self.is_open = False
        self._answer = answer

    def __enter__(self) -> Self:
        """Open."""
        self.is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close; there is nothing to stop."""
        self.is_open = False

    def submit(self, job: Job) -> Future[Run]:
        """Return a future that is done."""
        assert self.is_open, "a job was submitted outside the executor's context"
        self.jobs.append(job)
        future: Future[Run] = Future()
        future.set_result(self._answer(job))
        return future


def check_reader(
    read: ReadFunction, example: str | Path, *, codes: Iterable[str], broken: str
) -> None:
    """Check that a reader does what ``nbcache.readers`` asks of it.

    :param example: a file of the reader's format, with code in it.
    :param codes: the code of its code cells, in order.
    :param broken: a text that is not of the format.

    Raises AssertionError, which says what is wrong in a sentence.
    """
    example = Path(example)
    text = read_text(example)
    notebook = read_with(read, example, text)
    problems = find_errors(notebook.content)
    assert not problems, f"what is read is not valid nbformat 4: {'; '.join(problems)}"
    found = [cell.source for cell in notebook.iterate_code_cells()]
    assert found == list(codes), f"the code that is read is {found!r}, not {list(codes)!r}"
    assert _find_key(read_with(read, example, text)) == _find_key(notebook), (
        "a text that is read twice has other code the second time"
    )
    _check_source(read, example, text, _find_key(notebook))
    _check_refusal(read, example, broken)
    _check_suffixes(getattr(read, "suffixes", ()), example)


def _find_key(notebook: Notebook) -> Key:
    """Return what is asked with a notebook, all else being equal."""
    question = make_question(notebook, kernel=notebook.kernel_name, working_directory=".")
    return compute_key(question)


def _check_source(read: ReadFunction, example: Path, text: str, expected: Key) -> None:
    """Check that a reader takes the text that it is given, from whatever file."""
    elsewhere = example.parent / "no such folder" / example.name
    message = (
        "what is read depends on more than the text that is given, such as the file itself or "
        "others beside it: changes of these would not be noticed"
    )
    try:
        found = _find_key(read_with(read, elsewhere, text))
    except NotebookReadError as error:
        raise AssertionError(f"{message} ({error.reason})") from error
    assert found == expected, message


def _check_refusal(read: ReadFunction, example: Path, broken: str) -> None:
    """Check that a reader raises for a text that is not of its format."""
    try:
        content = read(example, broken)
    except Exception:  # noqa: BLE001 - any error is right, as read_with says
        return
    raise AssertionError(f"a broken text is read, as {content!r}: raise an error that says why")


def _check_suffixes(suffixes: Any, example: Path) -> None:
    is_right = isinstance(suffixes, tuple | list) and all(
        isinstance(suffix, str) and suffix.startswith(".") and suffix != "." for suffix in suffixes
    )
    assert is_right, f"suffixes is {suffixes!r}, not a tuple of texts that begin with a dot"
    taken = [suffix for suffix in suffixes if is_built_in(Path(f"a{suffix}"))]
    assert not taken, f"{', '.join(taken)} is read by a built-in reader, and cannot be taken over"
    assert not suffixes or example.name.endswith(tuple(suffixes)), (
        f"the name of the example, {example.name}, ends with none of {', '.join(suffixes)}"
    )


_PATIENCE_S = 120.0
_STOPPED_S = 2.0
_MEET = """
import pathlib, time
pathlib.Path("{0}").touch()
end = time.monotonic() + 60
while not pathlib.Path("{1}").exists():
    assert time.monotonic() < end, "the other one does not come"
    time.sleep(0.05)
"""
_LIVE = """
import time
while True:
    with open("alive", "a") as file:
        file.write("x")
    time.sleep(0.1)
"""


def check_executor(open_executor: Callable[[], Executor], *, folder: Path | None = None) -> None:
    """Run small notebooks in an executor and see that it keeps its contract.

    For the tests of a plug-in: call it with what makes your executor. Needs the kernel
    ``python3`` where notebooks run.

    :param open_executor: returns a new executor, not entered yet, at each call.
    :param folder: where notebooks run; one that all machines see, if there are several. By
        default a temporary folder of this machine.

    Raises AssertionError, with a sentence that says what is wrong.
    """
    with TemporaryDirectory(prefix="nbcache-check-", dir=folder) as temporary:
        root = Path(temporary).resolve()
        with open_executor() as executor:
            _check_capacity(executor)
            _check_success(executor, root)
            _check_failure(executor, root)
            _check_temporary_folder(executor)
            _check_several(executor, root)
        _check_end(open_executor, root)


def _check_capacity(executor: Executor) -> None:
    capacity = executor.capacity
    assert isinstance(capacity, int), f"its capacity is {capacity!r}, not a whole number"
    assert capacity >= 1, f"its capacity is {capacity}: no notebook would ever run"
    assert isinstance(executor.notices, list), "its notices are no list, so none can be taken out"


def _check_success(executor: Executor, root: Path) -> None:
    raising = code_cell("raise ValueError", tags=["raises-exception"])
    job = _make_job("import os; print(os.getcwd())", raising, "6 * 7", folder=root)
    run = _finish(executor.submit(job))
    failure = run.failure and run.failure.headline
    assert run.status is Status.RAN, f"a sound notebook ended as {run.status}: {failure}"
    assert run.job == job, "a run belongs to another job than the one that was submitted"
    merged = [cell.outputs if cell else [] for cell in run.outputs.cells]
    assert len(merged) == 3, f"a notebook of three cells has outputs for {len(merged)}"
    told = str(merged[0][0].get("text", "")).strip() if merged[0] else ""
    assert told == str(root), (
        f"a notebook of {root} ran in {told or 'no folder that it could print'}"
    )
    kinds = [output["output_type"] for output in merged[1]]
    assert kinds == ["error"], f"a cell that may raise an exception, and does, has outputs {kinds}"
    assert merged[2], "there is no output of the cell after one that may raise an exception"
    assert merged[2][0]["data"]["text/plain"] == "42", f"6 * 7 gave {merged[2][0]}"
    numbers = [cell.number for cell in run.cells]
    assert numbers == [1, 2, 3], f"its cells 1, 2, 3 are reported as {numbers}"


def _check_failure(executor: Executor, root: Path) -> None:
    run = _finish(executor.submit(_make_job("1", "1 / 0", "3", folder=root)))
    assert run.status is Status.FAILED, f"a notebook that divides by zero ended as {run.status}"
    assert run.failure is not None, "a failed notebook has no failure that says why"
    found = (run.failure.name, run.failure.cell)
    assert found == ("ZeroDivisionError", 2), f"1 / 0 in cell 2 is reported as {found}"
    last = run.cells[-1].status if run.cells else None
    assert last is CellStatus.NOT_RUN, f"the cell after the one that failed is reported as {last}"


def _check_temporary_folder(executor: Executor) -> None:
    run = _finish(executor.submit(_make_job("import os; print(os.listdir())", folder=None)))
    assert run.status is Status.RAN, f"a notebook in a temporary folder ended as {run.status}"
    (cell,) = run.outputs.cells
    text = str(cell.outputs[0]["text"]).strip() if cell and cell.outputs else "nothing"
    assert text == "[]", f"a temporary folder is not empty: it holds {text}"


def _check_several(executor: Executor, root: Path) -> None:
    if executor.capacity < 2:
        return
    names = (("a", "b"), ("b", "a"))
    jobs = [_make_job(_MEET.format(*pair), folder=root) for pair in names]
    runs = [_finish(future) for future in [executor.submit(job) for job in jobs]]
    is_sound = all(run.status is Status.RAN for run in runs)
    assert is_sound, f"its capacity is {executor.capacity}, but two notebooks did not run at once"


def _check_end(open_executor: Callable[[], Executor], root: Path) -> None:
    alive = root / "alive"
    with open_executor() as executor:
        future = executor.submit(_make_job(_LIVE, folder=root))
        end = time.monotonic() + _PATIENCE_S
        while not alive.exists():
            assert not future.done(), "a notebook that would run for ever has ended by itself"
            assert time.monotonic() < end, f"no notebook has started within {_PATIENCE_S:g} s"
            time.sleep(0.05)
    size = alive.stat().st_size
    assert future.done(), "its context was left, and a future is neither done nor cancelled"
    time.sleep(_STOPPED_S)
    assert alive.stat().st_size == size, "its context was left, and a notebook still runs"


def _make_job(*cells: Cell, folder: Path | None) -> Job:
    notebook = make_notebook(*cells)
    return Job(
        name="notebook",
        notebook=notebook,
        key=Key("0" * 64),
        kernel=DEFAULT_KERNEL,
        working_directory=folder,
        timeout_s=_PATIENCE_S,
        allow_errors=False,
    )


def _finish(future: Future[Run]) -> Run:
    try:
        return future.result(_PATIENCE_S)
    except TimeoutError:
        raise AssertionError(f"a notebook has not ended within {_PATIENCE_S:g} s") from None
    except BaseException as error:
        raise AssertionError(f"a future raised {error!r}: what goes wrong is a Run") from error
