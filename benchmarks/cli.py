"""The command line of the benchmark."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.errors import BenchmarkError
from benchmarks.prerequisites import require_all
from benchmarks.processes import memory_measure
from benchmarks.report import circumstances, summarise, table, write_json
from benchmarks.samples import Crash, Sample
from benchmarks.scenarios import SCENARIOS, Plan, measure_all
from benchmarks.tools import TOOLS
from benchmarks.trees import KINDS

DEFAULT_TOOLS = ("stock", "stock-j2", "nbcache")
DEFAULT_JSON = Path(__file__).parent / "results" / "latest.json"

ListCallback = Callable[[click.Context, click.Parameter, str], tuple[str, ...]]


def _list_of(allowed: Iterable[str]) -> ListCallback:
    names = tuple(allowed)

    def parse(context: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        unknown = [name for name in chosen if name not in names]
        if unknown or not chosen:
            wrong = f"{', '.join(unknown)} is not known" if unknown else "nothing is named"
            raise click.BadParameter(f"{wrong}: choose from {', '.join(names)}")
        return chosen

    return parse


@click.command()
@click.option(
    "--notebooks",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    help="Notebooks in a tree.",
)
@click.option(
    "--kinds",
    default=",".join(KINDS),
    show_default=True,
    callback=_list_of(KINDS),
    help="Kinds of notebooks, separated by commas.",
)
@click.option(
    "--tools",
    default=",".join(DEFAULT_TOOLS),
    show_default=True,
    callback=_list_of(TOOLS),
    help=f"Tools, separated by commas: {', '.join(TOOLS)}.",
)
@click.option(
    "--scenarios",
    default=",".join(SCENARIOS),
    show_default=True,
    callback=_list_of(SCENARIOS),
    help="Scenarios, separated by commas.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How often all is measured.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_JSON,
    show_default="results/latest.json beside the benchmark",
    help="File for the raw samples.",
)
@click.option("--keep", is_flag=True, help="Keep the folders of the builds.")
def cli(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    notebooks: int,
    kinds: tuple[str, ...],
    tools: tuple[str, ...],
    scenarios: tuple[str, ...],
    rounds: int,
    json_path: Path,
    keep: bool,
) -> None:
    """Measure sphinx-nbcache against stock MyST-NB on generated documentation."""
    chosen = [TOOLS[name] for name in tools]
    plan = Plan(kinds, chosen, scenarios, notebooks, rounds, keep)
    try:
        require_all(kinds, dict.fromkeys(tool.distribution for tool in chosen))
        _run(plan, json_path)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error


def _run(plan: Plan, json_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="nbcache-benchmark-"))
    events: list[Sample | Crash] = []
    try:
        for event in measure_all(plan, folder):
            click.echo(_progress(event, plan.rounds), err=True)
            events.append(event)
    finally:
        # Also when a build fails or somebody loses patience: what was measured, was.
        _finish(plan, events, folder, json_path)


def _finish(plan: Plan, events: list[Sample | Crash], folder: Path, json_path: Path) -> None:
    if events:
        options = {**asdict(plan), "tools": [tool.name for tool in plan.tools]}
        write_json(json_path, events, options, memory_measure())
        click.echo(f"\n{circumstances(plan.notebooks, memory_measure())}\n")
        click.echo(f"{table(summarise(events))}\n\nRaw samples: {json_path}")
    if plan.keep:
        click.echo(f"Folders: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _progress(event: Sample | Crash, rounds: int) -> str:
    where = f"[{event.round}/{rounds}] {event.kind} {event.scenario} {event.tool}"
    if isinstance(event, Crash):
        return f"{where}: attempt {event.attempt} failed, {event.reason}"
    return f"{where}: {event.usage.wall_s:.2f} s"
