"""One notebook to one Run: start a kernel, run cell after cell, say how each ended."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from sphinx_nbcache.model import (
    CellOutputs,
    CellRun,
    CellStatus,
    CodeCell,
    Failure,
    Job,
    Outputs,
    Run,
    Status,
)
from sphinx_nbcache.running.failure import (
    describe_cell_error,
    describe_death,
    describe_surprise,
    describe_timeout,
)
from sphinx_nbcache.running.kernel import Kernel, KernelStartError, open_kernel

if TYPE_CHECKING:
    from nbformat import NotebookNode

_FOUND_OUT = ("language_info", "widgets")
_SKIP_TAG = "skip-execution"


@dataclass(slots=True)
class _Progress:
    """How far one run got; filled while it runs."""

    cells: list[CellRun] = field(default_factory=list)
    failure: Failure | None = None
    current: CodeCell | None = None

    @property
    def status(self) -> Status:
        if self.failure is None:
            return Status.RAN
        is_timeout = any(cell.status is CellStatus.TIMED_OUT for cell in self.cells)
        return Status.TIMED_OUT if is_timeout else Status.FAILED


async def run_notebook(job: Job) -> Run:
    """Run one notebook in a kernel of its own.

    Whatever goes wrong is in the returned Run; only cancellation is raised.
    """
    notebook = _copy_content(job)
    progress = _Progress()
    started_at, clock = time.time(), time.perf_counter()
    try:
        with _enter_folder(job) as folder:
            await _run_in_kernel(job, notebook, folder, progress)
    except KernelStartError as error:
        progress.failure = Failure(name="KernelStartError", message=str(error))
    except Exception as error:  # noqa: BLE001 - the worker's boundary: one notebook never ends the build
        progress.failure = progress.failure or describe_surprise(error, progress.current)
    return Run(
        job=job,
        status=progress.status,
        outputs=_collect_outputs(job, notebook, progress),
        cells=tuple(progress.cells),
        started_at=started_at,
        seconds=time.perf_counter() - clock,
        failure=progress.failure,
    )


def _copy_content(job: Job) -> NotebookNode:
    """Return the notebook as nbclient wants it: its own copy, which it will change."""
    content = job.notebook.content
    notebook: NotebookNode = nbformat.from_dict(
        {**content, "cells": [dict(cell) for cell in content["cells"]]}
    )
    return notebook


@contextmanager
def _enter_folder(job: Job) -> Iterator[Path]:
    """Give the working directory: the job's own, or a temporary one that goes afterwards."""
    if job.working_directory is not None:
        yield job.working_directory.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="nbcache-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


async def _run_in_kernel(
    job: Job, notebook: NotebookNode, folder: Path, progress: _Progress
) -> None:
    async with open_kernel(
        job.kernel,
        notebook,
        folder=folder,
        timeout_s=job.timeout_s,
        allow_errors=job.allow_errors,
    ) as kernel:
        if kernel.language_info:
            notebook.metadata["language_info"] = nbformat.from_dict(kernel.language_info)
        for cell in job.notebook.iterate_code_cells():
            progress.current = cell
            progress.cells.append(await _run_cell(job, kernel, cell, progress))
        if progress.failure is None:
            kernel.client.set_widgets_metadata()


async def _run_cell(job: Job, kernel: Kernel, cell: CodeCell, progress: _Progress) -> CellRun:
    """Run one cell, unless an earlier one ended the run, and say how it ended."""
    if progress.failure is not None:
        return CellRun(cell.number, CellStatus.NOT_RUN)
    if _SKIP_TAG in cell.tags:
        return CellRun(cell.number, CellStatus.SKIPPED)
    started_at, clock = time.time(), time.perf_counter()
    status = await _execute(job, kernel, cell, progress)
    return CellRun(cell.number, status, started_at, time.perf_counter() - clock)


async def _execute(job: Job, kernel: Kernel, cell: CodeCell, progress: _Progress) -> CellStatus:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = kernel.client
    node = client.nb.cells[cell.position]
    count = client.code_cells_executed + 1
    try:
        await client.async_execute_cell(node, cell.position, execution_count=count)
    except CellExecutionError as error:
        progress.failure = describe_cell_error(
            error.ename, error.evalue, error.traceback, cell, count=count
        )
        return CellStatus.ERROR
    except CellTimeoutError:
        kernel.is_lost = True
        progress.failure = describe_timeout(job.timeout_s, cell)
        return CellStatus.TIMED_OUT
    except DeadKernelError:
        kernel.is_lost = True
        if _is_cancelled():  # nbclient takes a cancellation for a death
            raise asyncio.CancelledError from None
        progress.failure = describe_death(kernel, cell)
        return CellStatus.ERROR
    is_error = any(output["output_type"] == "error" for output in node.outputs)
    return CellStatus.ERROR if is_error else CellStatus.OK


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _collect_outputs(job: Job, notebook: NotebookNode, progress: _Progress) -> Outputs:
    """Take the outputs of the cells that ran; the others keep what their source has."""
    ran = {
        cell.number
        for cell in progress.cells
        if cell.status not in (CellStatus.SKIPPED, CellStatus.NOT_RUN)
    }
    cells = []
    for cell in job.notebook.iterate_code_cells():
        node = notebook.cells[cell.position]
        is_new = cell.number in ran
        cells.append(CellOutputs(node.execution_count, node.outputs) if is_new else None)
    metadata = {key: notebook.metadata[key] for key in _FOUND_OUT if key in notebook.metadata}
    return Outputs(tuple(cells), metadata)
