"""A forked kernel gives the outputs of a started one: notebooks made to tell them apart.

The notebooks are in ``corpus/``: cells begin with ``# %%``, files that they need are in
``corpus/beside`` or in a folder with the notebook's name.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.model import Run
from sphinx_nbcache.running import LocalExecutor
from sphinx_nbcache.testing import make_notebook
from tests.running.conftest import make_job

# The kernels that these tests share are run once, in one worker.
pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only"),
    pytest.mark.xdist_group("fidelity"),
]

CORPUS = Path(__file__).parent / "corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.ipy"))
PRELOADED = ("numpy", "pandas", "matplotlib.pyplot", "matplotlib.backends.backend_agg")
# Of one length, so that paths wrap at the same place.
WAYS: Mapping[str, tuple[str, ...] | None] = {
    "started": None,
    "forking": (),
    "preload": (*PRELOADED, "PIL.PngImagePlugin"),
}

# What differs between two started kernels as well.
_VARYING = (
    (re.compile(r"0x[0-9a-f]{6,}"), "0xADDRESS"),
    (re.compile(r"ipykernel_\d+"), "ipykernel_PID"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"[\d.]+ (?:[nuµm]?s|min)\b"), "TIME"),
    (re.compile(r"CPU times: .*"), "CPU TIMES"),
)


@dataclass(frozen=True)
class Seen:
    """All that one run left, without what varies."""

    outputs: list[Any]
    files: dict[str, bytes]
    ending: dict[str, Any]


def read_cells(name: str) -> list[str]:
    text = (CORPUS / f"{name}.ipy").read_text(encoding="utf-8")
    return [cell.strip("\n") for cell in text.split("# %%\n")[1:]]


def make_folder(root: Path, name: str) -> Path:
    folder = root / name
    shutil.copytree(CORPUS / "beside", folder)
    if (CORPUS / name).is_dir():
        shutil.copytree(CORPUS / name, folder, dirs_exist_ok=True)
    return folder


def submit(executor: LocalExecutor, name: str, folder: Path) -> Future[Run]:
    allow_errors = not name.startswith("failing_")
    return executor.submit(
        make_job(make_notebook(*read_cells(name)), folder, allow_errors=allow_errors)
    )


def join_streams(outputs: list[Any]) -> list[Any]:
    """Join what is printed between two displays: when it is flushed is a matter of time."""
    joined: list[Any] = []
    streams: dict[str, str] = {}
    for output in [*outputs, None]:
        if output is not None and output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + output["text"]
        else:
            joined += [*sorted(streams.items()), *([] if output is None else [output])]
            streams = {}
    return joined


def replace_varying(value: Any, root: Path) -> Any:
    """Return JSON without what differs between two started kernels."""
    if isinstance(value, Mapping):
        return {replace_varying(k, root): replace_varying(v, root) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [replace_varying(item, root) for item in value]
    if not isinstance(value, str):
        return value
    text = value.replace(str(root), "ROOT")
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text


def look(run: Run, folder: Path, root: Path) -> Seen:
    failure = run.failure
    ending = {
        "status": run.status,
        "cells": [cell.status for cell in run.cells],
        "metadata": run.outputs.metadata,
        "failure": failure and [failure.name, failure.message, failure.line, failure.traceback],
    }
    outputs = [cell and [cell.execution_count, join_streams(cell.outputs)] for cell in run.outputs.cells]
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    return Seen(replace_varying(outputs, root), files, replace_varying(ending, root))


def run_corpus(root: Path, modules: tuple[str, ...] | None, names: list[str]) -> dict[str, Seen]:
    """Run notebooks one way, all in one executor."""
    folders = {name: make_folder(root, name) for name in names}
    with LocalExecutor(3, cores=2, choose_modules=lambda job: modules) as executor:
        runs = {name: submit(executor, name, folders[name]) for name in names}
        wait(runs.values())
        assert not executor.notices
    return {name: look(run.result(), folders[name], root) for name, run in runs.items()}
