"""What it costs to store and to share something large of which little has changed.

``python -m benchmarks.chunks``. A file of random numbers is stored and sent to a remote in a
folder; then 1 % of it is changed, and it is stored and sent again. The peer is a plain copy of the
file, flushed to the disk as ours is. All of it lies on the disk of the temporary folder.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import click

from benchmarks.tables import markdown_table
from sphinx_nbcache.model import Artifact, Entry, Inputs, Key, Outputs, digest_bytes
from sphinx_nbcache.store import Remote, Store

CHANGES = ("one place", "ten places", "an insertion")
SHARE = 0.01


class Keeper(Protocol):
    """What keeps a file, here and in a remote."""

    def store(self, path: Path) -> None:
        """Keep it here."""

    def send(self) -> None:
        """Put there what was kept last."""

    def read(self, target: Path) -> None:
        """Write what was kept last to a file."""


class Ours:
    """The store, with a remote in a folder."""

    def __init__(self, here: Path, there: Path) -> None:
        self._store = Store(here)
        self._remote = there.as_uri()
        self._entry: Entry | None = None

    def store(self, path: Path) -> None:
        """Store it as what a notebook wrote."""
        digest, _ = self._store.save_file(path)
        self._entry = Entry(
            key=Key(digest_bytes(digest.encode())),
            inputs=Inputs(()),
            outputs=self._store.save_outputs(Outputs((), {})),
            kernel="python3",
            executed_at=1.0,
            seconds=1.0,
            cells=(),
            source="benchmark.ipynb",
        )
        artifact = Artifact(path="array.npy", digest=digest, mode=0o644)
        self._entry = replace(self._entry, artifacts=(artifact,))
        self._store.save_entry(self._entry)

    def send(self) -> None:
        """Send the entry with what it needs."""
        assert self._entry is not None
        remote = Remote(self._remote, self._store)
        remote.send(self._entry)
        remote.finish()

    def read(self, target: Path) -> None:
        """Restore the file."""
        assert self._entry is not None
        self._store.objects.copy_to(self._entry.artifacts[0].digest, target, 0o644)


class Copies:
    """A copy for each state of the file."""

    def __init__(self, here: Path, there: Path) -> None:
        self._folders = here, there
        self._number = 0

    def store(self, path: Path) -> None:
        """Copy it."""
        self._number += 1
        _copy(path, self._folders[0] / str(self._number))

    def send(self) -> None:
        """Copy the copy."""
        here, there = self._folders
        _copy(here / str(self._number), there / str(self._number))

    def read(self, target: Path) -> None:
        """Copy it back."""
        shutil.copyfile(self._folders[0] / str(self._number), target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())


KEEPERS: dict[str, Callable[[Path, Path], Keeper]] = {"nbcache": Ours, "copies": Copies}


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took."""

    name: str
    seconds: float
    size_bytes: int
    """Of what was added."""


def change(array: Any, how: str) -> Any:
    """Return an array of which a hundredth is new."""
    import numpy as np

    size = int(len(array) * SHARE)
    if how == "an insertion":
        new = np.random.default_rng(2).random(size)
        return np.concatenate([array[: len(array) // 2], new, array[len(array) // 2 :]])
    places = 1 if how == "one place" else 10
    changed = array.copy()
    for number in range(places):
        start = (2 * number + 1) * len(array) // (2 * places)
        changed[start : start + size // places] += 1
    return changed


def measure(make: Callable[[Path, Path], Keeper], array: Any, how: str) -> Iterator[Step]:
    """Yield what each step takes."""
    import numpy as np

    with tempfile.TemporaryDirectory(prefix="nbcache-bench-") as folder:
        here, there, path = Path(folder, "here"), Path(folder, "there"), Path(folder, "array.npy")
        keeper = make(here, there)
        for name, state in (("first", array), ("changed", change(array, how))):
            np.save(path, state)
            yield _time(f"{name}: store", lambda: keeper.store(path), here)
            yield _time(f"{name}: send", keeper.send, there)
        yield _time("changed: read", lambda: keeper.read(path), here)
        assert np.array_equal(np.load(path), state)


def _time(name: str, work: Callable[[], None], folder: Path) -> Step:
    before, clock = _weigh(folder), time.perf_counter()
    work()
    seconds = time.perf_counter() - clock
    return Step(name, seconds, _weigh(folder) - before)


def _weigh(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@click.command()
@click.option("--megabytes", type=click.IntRange(10), default=1000, show_default=True)
def main(megabytes: int) -> None:
    """Measure, and print a table."""
    import numpy as np

    array = np.random.default_rng(1).random(megabytes * 125_000)
    lines = []
    for how in CHANGES:
        for tool, make in KEEPERS.items():
            lines += [
                (how, step.name, tool, f"{step.seconds:.2f}", f"{step.size_bytes / 1e6:.1f}")
                for step in measure(make, array, how)
            ]
    click.echo(markdown_table(("1 % changed in", "step", "tool", "s", "MB"), lines, texts=3))


if __name__ == "__main__":
    sys.exit(main())
