"""Whether kernels are there, start, are forked, and are seen to read what they read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx_nbcache.config import Config
from sphinx_nbcache.model import DEFAULT_KERNEL, InputKind, Job, Notebook, Run, Settings
from sphinx_nbcache.pipeline.diagnosis.remark import Health, Patient, Remark
from sphinx_nbcache.pipeline.notebook_cache import NotebookCache
from sphinx_nbcache.pipeline.plan import make_plan
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.running import (
    ExecutorRequest,
    InstalledKernel,
    create_executor,
    list_kernels,
)

_CODE = "import os\n(1 + 1, os.getppid())"
_READ = "read.txt"
_TIMEOUT_S = 120
_INSTALL = f"{sys.executable} -m pip install ipykernel"
_MS = 1000


@dataclass(frozen=True, slots=True)
class _Trial:
    """Two runs of one notebook by one executor."""

    first: Run
    second: Run
    notices: tuple[str, ...]


def check_kernels(_: Patient) -> Iterator[Remark]:
    """Say which kernels there are, and which of them cannot start."""
    kernels = list(list_kernels())
    for kernel in kernels:
        yield _describe(kernel)
    if DEFAULT_KERNEL not in {kernel.name for kernel in kernels}:
        text = f"there is no kernel {DEFAULT_KERNEL!r}, which notebooks have that name none"
        yield Remark("kernels", Health.PROBLEM, text, _INSTALL)


def check_starting(_: Patient) -> Iterator[Remark]:
    """Start the default kernel and have it compute."""
    trial = _try("spawn")
    if trial.second.failure is not None:
        yield _describe_failure("started kernel", trial.second)
        return
    milliseconds = _find_milliseconds(trial.second)
    text = f"{DEFAULT_KERNEL} was started and computed 1 + 1; ready after {milliseconds} ms"
    yield Remark("started kernel", Health.OK, text, details={"milliseconds": milliseconds})


def check_forking(_: Patient) -> Iterator[Remark]:
    """Fork the default kernel and have it compute."""
    if sys.platform != "linux":
        text = "kernels are forked on Linux only; here each one is started"
        yield Remark("forked kernel", Health.OK, text)
        return
    trial = _try("fork")
    if trial.second.failure is not None:
        yield _describe_failure("forked kernel", trial.second)
        return
    if not _is_forked(trial.second):
        text = "; ".join(trial.notices) or f"{DEFAULT_KERNEL} is not forked, but started"
        advice = "builds work, and are slower; see the page on the fork server"
        yield Remark("forked kernel", Health.WARNING, text, advice)
        return
    server, forked = _find_milliseconds(trial.first), _find_milliseconds(trial.second)
    text = f"{DEFAULT_KERNEL} was forked; ready after {forked} ms, the first one after {server} ms"
    details = {"milliseconds": forked, "first_milliseconds": server}
    yield Remark("forked kernel", Health.OK, text, details=details)


def check_observation(_: Patient) -> Iterator[Remark]:
    """Run a notebook that reads a file, and see whether that is known and its outputs found."""
    with _make_folder() as folder:
        (folder / _READ).write_text("1\n", encoding="utf-8")
        path = _write_notebook(folder, f"open({_READ!r}).read()")
        cache = NotebookCache(folder / ".nbcache", project=folder)
        reports = [
            cache.execute([path], jobs=1, executor="local-serial", frozen=False) for _ in range(2)
        ]
        if failures := reports[0].failures:
            reason = failures[0].failure.describe() if failures[0].failure else failures[0].reason
            yield Remark("observation", Health.PROBLEM, reason, "see the checks of kernels above")
            return
        entry = cache.find(path)
        items = () if entry is None else entry.inputs.items
    if not any((item.kind, item.name) == (InputKind.FILE, _READ) for item in items):
        text = "what a notebook reads is not seen: only changes of code make outputs stale"
        advice = "declare what notebooks read (nbcache_depends), or use a kernel of CPython >= 3.8"
        yield Remark("observation", Health.PROBLEM, text, advice)
    elif not reports[1].totals.hits:
        text = "outputs that had just been stored were not found again"
        yield Remark("observation", Health.PROBLEM, text, "run nbcache why on a notebook of yours")
    else:
        text = "a notebook was seen to read a file, and its outputs were found again"
        yield Remark("observation", Health.OK, text)


def _describe(kernel: InstalledKernel) -> Remark:
    check = f"kernel {kernel.name}"
    details = {
        "name": kernel.name,
        "language": kernel.language,
        "interpreter": kernel.interpreter or kernel.command,
        "ipykernel": kernel.ipykernel,
    }
    if kernel.language.lower() != "python":
        text = f"{kernel.language}, {kernel.command}: what it reads is not seen"
        return Remark(check, Health.OK, text, details=details)
    remove = f"remove it: jupyter kernelspec remove {kernel.name}"
    if not kernel.interpreter:
        text = f"python, {kernel.command}, which is not there, or is not started as a module"
        return Remark(check, Health.WARNING, text, remove, details)
    if not kernel.ipykernel:
        text = f"python, {kernel.interpreter}, which cannot import ipykernel"
        advice = f"{kernel.interpreter} -m pip install ipykernel, or {remove}"
        return Remark(check, Health.WARNING, text, advice, details)
    text = f"python, {kernel.interpreter}, ipykernel {kernel.ipykernel}"
    return Remark(check, Health.OK, text, details=details)


def _describe_failure(check: str, run: Run) -> Remark:
    assert run.failure is not None
    advice = f"start it by hand and read what it says: jupyter console --kernel {DEFAULT_KERNEL}"
    return Remark(check, Health.PROBLEM, run.failure.describe(), advice)


def _try(kernel_start: str) -> _Trial:
    """Run a notebook twice, in kernels that come to be in one way."""
    with _make_folder() as folder:
        config = Config(kernel_start=kernel_start, executor="local-serial", preload=())
        job = _make_job(folder, config)
        with create_executor(ExecutorRequest(config=config, jobs=(job,))) as executor:
            runs = [executor.submit(job).result(_TIMEOUT_S) for _ in range(2)]
            return _Trial(runs[0], runs[1], tuple(executor.notices))


def _make_job(folder: Path, config: Config) -> Job:
    notebook = Notebook(folder / "trial.ipynb", _make_content(_CODE))
    project = Project.open(folder, config)
    job = make_plan("trial", notebook, Settings(), project=project).job
    assert job is not None
    return job


def _is_forked(run: Run) -> bool:
    """Return whether a kernel's parent is not this process, which started it otherwise."""
    (cell,) = run.outputs.cells
    if cell is None or not cell.outputs:
        return False
    text = str(cell.outputs[-1].get("data", {}).get("text/plain", ""))
    return text.startswith("(2, ") and text != f"(2, {os.getpid()})"


def _find_milliseconds(run: Run) -> int:
    return round(_MS * (run.phases.get("start", 0.0) + run.phases.get("ready", 0.0)))


@contextmanager
def _make_folder() -> Iterator[Path]:
    """Give a project that nobody misses."""
    with TemporaryDirectory(prefix="nbcache-doctor-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        (folder / "pyproject.toml").touch()
        yield folder


def _write_notebook(folder: Path, code: str) -> Path:
    path = folder / "trial.ipynb"
    path.write_text(json.dumps(_make_content(code)), encoding="utf-8")
    return path


def _make_content(code: str) -> dict[str, object]:
    cell: dict[str, object] = {
        "cell_type": "code",
        "source": code,
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
