"""What a hit and a miss of a memoized function cost, beside other tools for that.

``python -m benchmarks.memo``. Each tool memoizes the same functions in an empty folder; a
miss computes nothing, so what it takes is asking, encoding and storing. The best of several
rounds counts: whatever else runs on the machine only makes it slower.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.tables import markdown_table

ARRAY_BYTES = 100_000_000
FRAME_ROWS = 1_000_000
Function = Callable[[Any], Any]
Memoize = Callable[[Function, Path], Function]


def use_ours(function: Function, folder: Path) -> Function:
    """Memoize with sphinx-nbcache."""
    from sphinx_nbcache import memo

    os.environ["NBCACHE_MEMO_PATH"] = str(folder)
    return memo(always=True)(function)


def use_joblib(function: Function, folder: Path) -> Function:
    """Memoize with ``joblib.Memory``."""
    import joblib

    memoized: Function = joblib.Memory(folder, verbose=0).cache(function)
    return memoized


def use_diskcache(function: Function, folder: Path) -> Function:
    """Memoize with diskcache, whose keys are the arguments: arrays by their bytes."""
    import diskcache

    cache = diskcache.Cache(str(folder))

    def memoized(value: Any) -> Any:
        key = (function.__name__, hashlib.sha256(pickle.dumps(value, protocol=5)).digest())
        if (known := cache.get(key)) is None:
            known = function(value)
            cache[key] = known
        return known

    return memoized


def use_pickle(function: Function, folder: Path) -> Function:
    """Memoize by hand: a pickle named by the sha256 of the pickled arguments."""
    folder.mkdir()

    def memoized(value: Any) -> Any:
        digest = hashlib.sha256(pickle.dumps(value, protocol=5)).hexdigest()
        path = folder / digest
        if path.exists():
            return pickle.loads(path.read_bytes())  # noqa: S301 - our own
        known = function(value)
        path.write_bytes(pickle.dumps(known, protocol=5))
        return known

    return memoized


TOOLS: dict[str, Memoize] = {
    "nbcache": use_ours,
    "joblib": use_joblib,
    "diskcache": use_diskcache,
    "pickle": use_pickle,
}


def give_back(value: Any) -> Any:
    """Compute nothing: the value is what was given."""
    return value


def measure_size(value: Any) -> int:
    """Take something large, give something small."""
    return len(value)


def make_large(size: int) -> Any:
    """Take something small, give something large."""
    import numpy as np

    return np.random.default_rng(size).random(ARRAY_BYTES // 8)


@dataclass(frozen=True, slots=True)
class Case:
    """A function, and what it is called with."""

    name: str
    function: Function
    value: Any
    hits: int
    """In one round."""


def make_cases() -> Iterator[Case]:
    """Yield what is measured."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(1)
    array = random.random(ARRAY_BYTES // 8)
    frame = pd.DataFrame(
        {
            "x": random.random(FRAME_ROWS),
            "n": np.arange(FRAME_ROWS),
            "name": [f"name {number % 1000}" for number in range(FRAME_ROWS)],
        }
    )
    yield Case("small", give_back, {"a": 1, "b": [1.5, "text"]}, 200)
    yield Case("100 MB array as argument", measure_size, array, 1)
    yield Case("100 MB array as value", make_large, 5, 1)
    yield Case("100 MB array, both", give_back, array, 1)
    yield Case("frame of 1e6 rows, both", give_back, frame, 1)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one call; the best of all rounds."""

    miss_s: float
    hit_s: float


def measure(case: Case, memoize: Memoize, rounds: int) -> Cost:
    """Return what a miss and a hit of one tool take."""
    misses, hits = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="nbcache-bench-") as folder:
            memoized = memoize(case.function, Path(folder, "cache"))
            call = functools.partial(memoized, case.value)
            misses.append(_time(call, 1))
            hits.append(_time(call, case.hits))
    return Cost(min(misses), min(hits))


def _time(call: Callable[[], Any], times: int) -> float:
    clock = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - clock) / times


def _show(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us" if seconds < 0.001 else f"{seconds * 1000:.1f} ms"


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
def main(rounds: int) -> None:
    """Measure, and print a table."""
    lines = []
    for case in make_cases():
        costs = {name: measure(case, memoize, rounds) for name, memoize in TOOLS.items()}
        ours = costs["nbcache"]
        for name, cost in costs.items():
            ratio = "" if name == "nbcache" else f"{cost.hit_s / ours.hit_s:.1f}"
            lines.append((case.name, name, _show(cost.miss_s), _show(cost.hit_s), ratio))
    header = ("call", "tool", "miss", "hit", "hit / ours")
    click.echo(markdown_table(header, lines, texts=2))


if __name__ == "__main__":
    sys.exit(main())
