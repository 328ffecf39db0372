"""Look-up and merge of one notebook in process, beside jupyter_cache doing the same.

``python -m benchmarks.lookup``: notebooks of ten code cells with 200 kB of outputs, in
memory already, for both; what is timed is from the notebook to the notebook with outputs.
"""

from __future__ import annotations

import base64
import copy
import logging
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.cache.main import CacheBundleIn, JupyterCacheAbstract

from sphinx_nbcache.config import Config
from sphinx_nbcache.model import (
    CellOutputs,
    CellRun,
    CellStatus,
    Entry,
    Input,
    InputKind,
    Inputs,
    Notebook,
    Outputs,
    Settings,
    digest_bytes,
)
from sphinx_nbcache.pipeline import Asked, Lookup, Project, make_plan, merge_outputs
from sphinx_nbcache.store import News

NOTEBOOKS = 50
CODE_CELLS = 10
OUTPUT_BYTES = 200_000
ROUNDS = 5
_SHARE_OF_IMAGES = 0.9

Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds for one notebook, over all notebooks of a round; one value for each round."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Return how many times as fast ours is, best round against best round."""
        return min(self.theirs) / min(self.ours)


def _make_inputs(folder: Path) -> Inputs:
    """Return what a notebook that reads two files and imports some libraries depends on."""
    items = [Input(InputKind.PYTHON, sys.implementation.name, platform.python_version())]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("data.csv", "helper.py"):
        (folder / name).write_text(f"content of {name}\n")
        digest = digest_bytes((folder / name).read_bytes())
        items.append(Input(InputKind.FILE, name, digest))
    packages = ("ipykernel", "jupyter-client", "myst-nb", "nbclient", "nbformat", "sphinx")
    items += [Input(InputKind.PACKAGE, name, version(name)) for name in packages]
    return Inputs(tuple(sorted(items)))


def make_executed(number: int) -> Content:
    """Return a notebook with its outputs: an image and some text in each code cell."""
    random_bytes = random.Random(number).randbytes  # noqa: S311 - the same in each run
    image_bytes = int(OUTPUT_BYTES * _SHARE_OF_IMAGES * 3 / 4 / CODE_CELLS)
    text = "one line of text among many\n" * int(
        OUTPUT_BYTES * (1 - _SHARE_OF_IMAGES) / CODE_CELLS / 28
    )
    cells: list[Content] = []
    for count in range(1, CODE_CELLS + 1):
        png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + random_bytes(image_bytes)).decode()
        image = {"data": {"image/png": png, "text/plain": "<Figure>"}, "metadata": {}}
        outputs = [
            {"output_type": "stream", "name": "stdout", "text": text},
            {"output_type": "display_data", **image},
        ]
        cells.append(_make_cell("markdown", f"# Part {count}", f"text-{count}"))
        code = _make_cell("code", f"plot({number}, {count})\nprint(text)", f"code-{count}")
        cells.append({**code, "execution_count": count, "outputs": outputs})
    kernel = {"name": "python3", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python", "version": "3"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _make_cell(kind: str, source: str, identity: str) -> Content:
    return {"cell_type": kind, "source": source, "metadata": {}, "id": identity}


def strip_outputs(executed: Content) -> nbformat.NotebookNode:
    """Return the notebook as its author has it."""
    content = copy.deepcopy(executed)
    del content["metadata"]["language_info"]
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])
    stripped: nbformat.NotebookNode = nbformat.from_dict(content)
    return stripped


class OurCache:
    """Look-up and merge of this package."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._project = Project.open(folder, Config(path=folder / ".nbcache"))
        self._lookup = Lookup(self._project)
        self._inputs = _make_inputs(folder)

    def add(self, name: str, executed: Content) -> None:
        """Store a notebook's outputs."""
        code = [cell for cell in executed["cells"] if cell["cell_type"] == "code"]
        outputs = Outputs(
            tuple(CellOutputs(cell["execution_count"], cell["outputs"]) for cell in code),
            {"language_info": executed["metadata"]["language_info"]},
        )
        plan = self._plan(name, strip_outputs(executed))
        assert plan.job is not None
        runs = (CellRun(count, CellStatus.OK, 1.0, 0.1) for count in range(1, CODE_CELLS + 1))
        self._project.store.save_entry(
            Entry(
                key=plan.job.key,
                inputs=self._inputs,
                outputs=self._project.store.save_outputs(outputs),
                kernel="python3",
                executed_at=1.0,
                seconds=1.0,
                cells=tuple(runs),
                source=name,
            )
        )

    def remember(self) -> None:
        """End the build that filled the cache: its index learns what was found sound."""
        self._project.store.note_build(News(has_run=True))
        self._lookup = Lookup(self._project)

    def merge(self, name: str, content: nbformat.NotebookNode) -> nbformat.NotebookNode:
        """Return a notebook with its outputs."""
        plan = self._plan(name, content)
        assert plan.job is not None
        store = self._project.store
        entry = self._lookup.look_up(Asked.from_job(plan.job)).entry
        assert entry is not None
        outputs = store.load_outputs(entry.outputs)
        assert outputs is not None
        return merge_outputs(plan.notebook, outputs)

    def _plan(self, name: str, content: nbformat.NotebookNode) -> Any:
        notebook = Notebook(self._folder / name, content)
        return make_plan(name, notebook, Settings(), project=self._project)


class TheirCache:
    """Look-up and merge of jupyter_cache."""

    def __init__(self, folder: Path) -> None:
        self._cache: JupyterCacheAbstract = get_cache(folder)

    def add(self, name: str, executed: Content) -> None:
        """Store an executed notebook."""
        bundle = CacheBundleIn(nbformat.from_dict(executed), name)
        self._cache.cache_notebook_bundle(bundle, check_validity=False)

    def merge(self, name: str, content: nbformat.NotebookNode) -> nbformat.NotebookNode:
        """Return a notebook with its outputs."""
        self._cache.match_cache_notebook(content)
        merged: nbformat.NotebookNode = self._cache.merge_match_into_notebook(content)[1]
        return merged


Merge = Callable[[str, nbformat.NotebookNode], nbformat.NotebookNode]


def time_round(merge: Merge, notebooks: Sequence[tuple[str, nbformat.NotebookNode]]) -> float:
    """Return the seconds of one notebook in one round over all."""
    clock = time.perf_counter()
    for name, content in notebooks:
        merge(name, content)
    return (time.perf_counter() - clock) / len(notebooks)


def measure(folder: Path, *, notebooks: int = NOTEBOOKS, rounds: int = ROUNDS) -> Timing:
    """Fill both caches below a folder, check that they answer the same, and time them."""
    ours, theirs = OurCache(folder / "ours"), TheirCache(folder / "theirs")
    todo = []
    for number in range(notebooks):
        name, executed = f"notebook_{number}.ipynb", make_executed(number)
        ours.add(name, executed)
        theirs.add(name, executed)
        todo.append((name, strip_outputs(executed)))
    ours.remember()
    for name, content in todo:
        if ours.merge(name, content).cells != theirs.merge(name, content).cells:
            raise RuntimeError(f"{name} differs between the caches")
    pairs = [(time_round(ours.merge, todo), time_round(theirs.merge, todo)) for _ in range(rounds)]
    return Timing(tuple(mine for mine, _ in pairs), tuple(other for _, other in pairs))


def main() -> None:
    """Measure in a temporary folder and print the result."""
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        timing = measure(Path(folder))
    size = f"{CODE_CELLS} code cells, {OUTPUT_BYTES // 1000} kB of outputs"
    print(f"look-up and merge of one notebook ({size}), in milliseconds: best, median")
    for name, values in (("nbcache", timing.ours), ("jupyter_cache", timing.theirs)):
        best, middle = 1000 * min(values), 1000 * statistics.median(values)
        print(f"{name:14} {best:8.2f} {middle:8.2f}")
    print(f"nbcache is {timing.ratio:.1f} times as fast")


if __name__ == "__main__":
    main()
