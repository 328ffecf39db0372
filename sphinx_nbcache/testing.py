"""Stand-ins that implement the real interfaces, for our tests and for plug-in authors.

Builders of notebooks, a listener that remembers, an executor that needs no kernels.
Knows nothing of Sphinx or of a test framework.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sphinx_nbcache.model import (
    DEFAULT_KERNEL,
    CellOutputs,
    CellRun,
    CellStatus,
    Failure,
    Job,
    Notebook,
    Outcome,
    Outputs,
    Run,
    Status,
    Topic,
)

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
