"""One notebook to one Run: start a kernel, run cell after cell, say how each ended."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import nbformat

from sphinx_nbcache.model import (
    CellOutputs,
    CellRun,
    CellStatus,
    CodeCell,
    Failure,
    Job,
    Observation,
    Outputs,
    Run,
    Status,
)
from sphinx_nbcache.running.failure import (
    describe_cell_error,
    describe_death,
    describe_notebook_timeout,
    describe_start,
    describe_surprise,
    describe_timeout,
)
from sphinx_nbcache.running.forking import ForkServerError
from sphinx_nbcache.running.kernel import Kernel, open_kernel
from sphinx_nbcache.running.kernels import Kernels, KernelStartError
from sphinx_nbcache.running.observation import begin_observing, end_observing, find_learned
from sphinx_nbcache.running.temporary import enter_folder

if TYPE_CHECKING:
    from nbformat import NotebookNode

_FOUND_OUT = ("language_info", "widgets")
_LEAST_S = 0.001
"""What a cell gets when the notebook's time is over; none at all would be no limit."""
_SKIP_TAG = "skip-execution"


@dataclass(slots=True)
class _Progress:
    """How far one run got; filled while it runs."""

    cells: list[CellRun] = field(default_factory=list)
    failure: Failure | None = None
    current: CodeCell | None = None
    modules: frozenset[str] | None = None
    observation: Observation | None = None
    phases: dict[str, float] = field(default_factory=dict)
    left: Path | None = None
    is_last_call: bool = False
    """Whether the limit for the current cell is what remains for the whole notebook."""

    @property
    def status(self) -> Status:
        if self.failure is None:
            return Status.RAN
        is_timeout = any(cell.status is CellStatus.TIMED_OUT for cell in self.cells)
        return Status.TIMED_OUT if is_timeout else Status.FAILED


async def run_notebook(job: Job, kernels: Kernels) -> Run:
    """Run one notebook, again from its first cell if a cell failed and the job says so.

    Whatever goes wrong is in the returned Run; only cancellation is raised.
    """
    run = first = await _attempt(job, kernels)
    attempts = 1
    while attempts <= job.retries and _has_failed_in_a_cell(run):
        run = await _attempt(job, kernels)
        attempts += 1
    return run if run is first else replace(run, attempts=attempts, first_failure=first.failure)


def _has_failed_in_a_cell(run: Run) -> bool:
    """Return whether another attempt may help: a kernel that is missing stays so."""
    return run.failure is not None and run.failure.cell is not None


async def _attempt(job: Job, kernels: Kernels) -> Run:
    """Run one notebook in a kernel of its own."""
    notebook = _copy_content(job)
    progress = _Progress()
    started_at, clock = time.time(), time.perf_counter()
    try:
        with enter_folder(job) as place:
            async with open_kernel(kernels, job, notebook, place.folder) as kernel:
                await _run_in_kernel(job, kernel, progress, kernels.memo_keys)
                ended_at = time.perf_counter()
            progress.phases["shutdown"] = time.perf_counter() - ended_at
            if progress.failure is None:
                progress.left = place.take_left()
    except ForkServerError:
        return await _attempt(job, kernels)  # its kernels are started in the ordinary way now
    except KernelStartError as error:
        progress.failure = describe_start(str(error), memory_limit_bytes=job.memory_limit_bytes)
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
        modules=progress.modules,
        observation=progress.observation,
        phases=progress.phases,
        left=progress.left,
    )


def _copy_content(job: Job) -> NotebookNode:
    """Return the notebook as nbclient wants it: its own copy, which it will change."""
    content = job.notebook.content
    notebook: NotebookNode = nbformat.from_dict(
        {**content, "cells": [dict(cell) for cell in content["cells"]]}
    )
    return notebook


async def _run_in_kernel(job: Job, kernel: Kernel, progress: _Progress, memo_keys: str) -> None:
    if kernel.language_info:
        kernel.client.nb.metadata["language_info"] = nbformat.from_dict(kernel.language_info)
    if job.demands.timeout_s is not None:
        _limit_time(job.demands.timeout_s, kernel, progress)
    progress.phases = {"start": kernel.start_s, "ready": kernel.ready_s}
    await begin_observing(kernel, memo_keys)
    for cell in job.notebook.iterate_code_cells():
        progress.current = cell
        progress.cells.append(await _run_cell(job, kernel, cell, progress))
    progress.phases["cells"] = sum(cell.seconds for cell in progress.cells)
    if progress.failure is None:
        kernel.client.set_widgets_metadata()
    if not kernel.is_lost:
        progress.observation = await end_observing(kernel)
        progress.modules = find_learned(progress.observation, kernel)


def _limit_time(timeout_s: float, kernel: Kernel, progress: _Progress) -> None:
    """Give all cells together so many seconds from now.

    By means of nbclient's limit for one cell: it takes a cancellation for the death of the
    kernel, so a timer around it would look like Ctrl-C.
    """
    client = kernel.client
    deadline = time.monotonic() + timeout_s

    def find_limit(node: NotebookNode) -> float:
        remaining = max(_LEAST_S, deadline - time.monotonic())
        limit = min(remaining, client.timeout or remaining)
        progress.is_last_call = limit == remaining
        return limit

    client.timeout_func = cast("Any", find_limit)  # declared for whole seconds, takes any


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
            error.ename,
            error.evalue,
            error.traceback,
            cell,
            count=count,
            memory_limit_bytes=job.memory_limit_bytes,
        )
        return CellStatus.ERROR
    except CellTimeoutError:
        kernel.is_lost = True
        progress.failure = _describe_timeout(job, cell, progress)
        return CellStatus.TIMED_OUT
    except DeadKernelError:
        kernel.is_lost = True
        if _is_cancelled():  # nbclient takes a cancellation for a death
            raise asyncio.CancelledError from None
        if kernel.is_server_lost:
            raise ForkServerError("it ended, and this kernel with it") from None
        progress.failure = describe_death(kernel, cell, memory_limit_bytes=job.memory_limit_bytes)
        return CellStatus.ERROR
    is_error = any(output["output_type"] == "error" for output in node.outputs)
    return CellStatus.ERROR if is_error else CellStatus.OK


def _describe_timeout(job: Job, cell: CodeCell, progress: _Progress) -> Failure:
    if progress.is_last_call:
        return describe_notebook_timeout(job.demands.timeout_s, cell)
    return describe_timeout(job.timeout_s, cell)


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
