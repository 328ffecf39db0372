"""How long the commands take that only look, in a project of many notebooks, all cached.

``python -m benchmarks.command_line --notebooks 2000``. One notebook is run; its entry is
stored for the others under their own keys, with outputs of their own.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from benchmarks.errors import BenchmarkError
from benchmarks.measure import measure
from benchmarks.prerequisites import require_all
from benchmarks.tables import markdown_table
from sphinx_nbcache import NotebookCache
from sphinx_nbcache.config import Config
from sphinx_nbcache.model import CellOutputs, Outputs, Settings
from sphinx_nbcache.pipeline import Project, make_plan
from sphinx_nbcache.reading import FileReader, read_text
from sphinx_nbcache.testing import write_notebook

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("--help",),
    ("status",),
    ("plan",),
    ("notebook", "list"),
    ("cache", "list"),
)
BASELINE = "python -c pass"
_PER_FOLDER = 100


@dataclass(frozen=True, slots=True)
class Timing:
    """What one command took: one value for each round."""

    command: str
    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]


def make_project(folder: Path, notebooks: int) -> None:
    """Write a project whose notebooks are all cached, and on its list.

    Raises BenchmarkError where the first notebook cannot be run.
    """
    (folder / "pyproject.toml").touch()
    (folder / "data.csv").write_text("1,2\n", encoding="utf-8")
    paths = [folder / f"part_{n // _PER_FOLDER:03}" / f"n_{n:05}.ipynb" for n in range(notebooks)]
    for number, path in enumerate(paths):
        write_notebook(path, f"print({number}, open('../data.csv').read())")
    cache = NotebookCache(project=folder)
    if failures := cache.execute(paths[:1]).failures:
        raise BenchmarkError(f"The first notebook failed: {failures[0].reason}")
    _store_for_all(cache, paths)
    cache.notebooks.add(paths)
    report = cache.execute([folder], frozen=True)  # the index learns what was found
    if report.totals.hits != notebooks:
        raise BenchmarkError(f"Of {notebooks} notebooks only {report.totals.hits} are cached.")


def _store_for_all(cache: NotebookCache, paths: Sequence[Path]) -> None:
    """Store the entry of the first notebook for the others, too."""
    project = Project.open(cache.root, Config(path=cache.path))
    entry = cache.find(paths[0])
    assert entry is not None
    for number, path in enumerate(paths[1:], 1):
        notebook = FileReader().read(path, read_text(path))
        assert notebook is not None
        name = project.relate(path)
        plan = make_plan(name, notebook, Settings(), project=project)
        assert plan.job is not None
        output = {"output_type": "stream", "name": "stdout", "text": f"{number} 1,2\n"}
        digest = project.store.save_outputs(Outputs((CellOutputs(1, [output]),)))
        own = replace(entry, key=plan.job.key, outputs=digest, source=name)
        project.store.save_entry(own, plan.job.question)
        project.store.index.note_run(own)


def measure_commands(folder: Path, rounds: int) -> Iterator[Timing]:
    """Run each command some times in a project; first the interpreter alone.

    Raises BenchmarkError where one fails.
    """
    commands = {BASELINE: ["-c", "pass"]}
    for given in COMMANDS:
        commands[f"nbcache {' '.join(given)}"] = ["-m", "sphinx_nbcache", *given]
    for name, words in commands.items():
        runs = [measure([sys.executable, *words], folder, os.environ) for _ in range(rounds)]
        if failed := next((run for run in runs if run.exit_code), None):
            raise BenchmarkError(f"{name} failed:\n\n{failed.output.rstrip()}")
        usages = [run.usage for run in runs]
        yield Timing(
            name,
            tuple(usage.wall_s for usage in usages),
            tuple(usage.cpu_s for usage in usages),
        )


def describe(timings: Sequence[Timing]) -> str:
    """Return a table: the middle and the best round, and how often the baseline fits in."""
    baseline = next(timing for timing in timings if timing.command == BASELINE)
    lines = [
        (
            timing.command,
            f"{statistics.median(timing.wall_s):.2f}",
            f"{min(timing.wall_s):.2f}",
            f"{min(timing.cpu_s):.2f}",
            f"{min(timing.wall_s) / min(baseline.wall_s):.1f}",
        )
        for timing in timings
    ]
    return markdown_table(("command", "median s", "best s", "CPU s", f"x `{BASELINE}`"), lines)


@click.command()
@click.option("--notebooks", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
def cli(notebooks: int, rounds: int) -> None:
    """Measure the commands that only look."""
    try:
        require_all(["tiny"], ["sphinx-nbcache"])
        with tempfile.TemporaryDirectory(prefix="nbcache-benchmark-") as folder:
            make_project(Path(folder), notebooks)
            click.echo(f"{notebooks} notebooks, all cached; {rounds} rounds")
            click.echo(describe(list(measure_commands(Path(folder), rounds))))
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    cli(prog_name="python -m benchmarks.command_line")
