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
from benchmarks.report import describe, write_json
from benchmarks.samples import FORMATS, Crash, Event, Floor, Site
from benchmarks.scenarios import Plan, measure_all
from benchmarks.sessions import SCENARIOS
from benchmarks.tools import FILLING_TOOL, WAYS, Tool, find_tool, with_kernels
from benchmarks.trees import KINDS

DEFAULT_TOOLS = ("stock", "stock-j2", "nbcache-spawn", "nbcache-fork", "nbcache")
DEFAULT_NOTEBOOKS = {"tiny": 24, "scientific": 100}
DEFAULT_JSON = Path(__file__).parent / "results" / "latest.json"

ListCallback = Callable[[click.Context, click.Parameter, str], tuple[str, ...]]


def _parts(text: str) -> list[str]:
    parts = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not parts:
        raise click.BadParameter("nothing is named")
    return parts


def _list_of(allowed: Iterable[str]) -> ListCallback:
    names = tuple(allowed)

    def parse(context: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
        chosen = _parts(text)
        unknown = [name for name in chosen if name not in names]
        if unknown:
            known = ", ".join(names)
            raise click.BadParameter(f"{', '.join(unknown)} is not known: choose from {known}")
        return tuple(chosen)

    return parse


def _tools(context: click.Context, parameter: click.Parameter, text: str) -> tuple[Tool, ...]:
    found = {name: find_tool(name) for name in _parts(text)}
    unknown = [name for name, tool in found.items() if tool is None]
    if unknown:
        raise click.BadParameter(
            f"{', '.join(unknown)} is not known: choose from {', '.join(WAYS)}, each also "
            "with -jN behind it, such as stock-j2"
        )
    return tuple(tool for tool in found.values() if tool)


def _counts(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int, ...]:
    if text is None:
        return ()
    wrong = [part for part in _parts(text) if not part.isdecimal() or int(part) < 1]
    if wrong:
        raise click.BadParameter(f"{', '.join(wrong)} is not a number of notebooks")
    return tuple(sorted(int(part) for part in _parts(text)))


@click.command()
@click.option(
    "--notebooks",
    callback=_counts,
    show_default=", ".join(f"{count} {kind}" for kind, count in DEFAULT_NOTEBOOKS.items()),
    help="Notebooks of a site; several numbers, separated by commas, make a site of each "
    "and a table of what each notebook costs.",
)
@click.option(
    "--kinds",
    default=",".join(KINDS),
    show_default=True,
    callback=_list_of(KINDS),
    help="Kinds of notebooks, separated by commas.",
)
@click.option(
    "--formats",
    type=click.Choice(FORMATS),
    default=FORMATS[0],
    show_default=True,
    help="Half MyST Markdown and half .ipynb, or all .ipynb (which stock-off needs).",
)
@click.option(
    "--tools",
    default=",".join(DEFAULT_TOOLS),
    show_default=True,
    callback=_tools,
    help=f"Tools, separated by commas: {', '.join(WAYS)}; -jN behind a name gives Sphinx N "
    "processes.",
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
    "--kernels",
    type=click.IntRange(min=1),
    show_default="one for each core",
    help="How many kernels our tools run at a time.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_JSON,
    show_default="results/latest.json beside the benchmark",
    help="File for the raw samples; the tables go to a file of that name with .md.",
)
@click.option("--keep", is_flag=True, help="Keep the folders of the builds.")
def cli(  # noqa: PLR0913, PLR0917 - click passes each option by itself
    notebooks: tuple[int, ...],
    kinds: tuple[str, ...],
    formats: str,
    tools: tuple[Tool, ...],
    scenarios: tuple[str, ...],
    rounds: int,
    kernels: int | None,
    json_path: Path,
    keep: bool,
) -> None:
    """Measure sphinx-nbcache against stock MyST-NB on generated documentation."""
    if formats != "ipynb" and not all(tool.executes for tool in tools):
        raise click.UsageError(
            "stock-off builds .ipynb files that hold their outputs. To compare like with "
            "like, give all tools such files: add --formats ipynb."
        )
    sites = [
        Site(kind, count, formats)
        for kind in kinds
        for count in notebooks or (DEFAULT_NOTEBOOKS[kind],)
    ]
    plan = Plan(sites, [with_kernels(tool, kernels) for tool in tools], scenarios, rounds, keep)
    try:
        require_all(kinds, {tool.distribution for tool in (*tools, FILLING_TOOL)})
        _run(plan, kernels, json_path)
    except BenchmarkError as error:
        raise click.ClickException(str(error)) from error


def _run(plan: Plan, kernels: int | None, json_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="nbcache-benchmark-"))
    events: list[Event] = []
    try:
        for event in measure_all(plan, folder):
            click.echo(_progress(event, plan.rounds), err=True)
            events.append(event)
    finally:
        # Also when a build fails or somebody loses patience: what was measured, was.
        if events:
            _tell(plan, kernels, events, json_path)
        if plan.keep:
            click.echo(f"Folders: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _tell(plan: Plan, kernels: int | None, events: list[Event], json_path: Path) -> None:
    write_json(json_path, events, {**asdict(plan), "kernels": kernels}, memory_measure())
    text = describe(events, kernels, memory_measure())
    tables_path = json_path.with_suffix(".md")
    tables_path.write_text(text, encoding="utf-8")
    click.echo(f"\n{text}\nRaw samples: {json_path}\nThese tables: {tables_path}")


def _progress(event: Event, rounds: int) -> str:
    if isinstance(event, Floor):
        return f"{event.site}: the cells alone take {event.cpu_s:.2f} CPU seconds"
    case = event.case
    where = f"[{event.round}/{rounds}] {case.site} {case.scenario} {case.tool}"
    if isinstance(event, Crash):
        return f"{where}: attempt {event.attempt} failed, {event.reason}"
    return f"{where}: {event.usage.wall_s:.2f} s"
