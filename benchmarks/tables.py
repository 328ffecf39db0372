"""The tables of a run, as Markdown that is aligned and so readable as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.breakdown import Breakdown
from benchmarks.samples import PHASES, Floor, Site
from benchmarks.summary import Row, Spread, Summary
from benchmarks.targets import Verdict
from benchmarks.tools import PEERS

UNKNOWN = "-"
Cells = tuple[str, ...]


def markdown_table(header: Sequence[str], lines: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Return an aligned table; the first columns are texts, the others numbers."""
    rows = [tuple(header), *(tuple(line) for line in lines)]
    widths = [max(3, *(len(cell) for cell in column)) for column in zip(*rows, strict=True)]
    ruler = [
        "-" * width if column < texts else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    aligned = [_aligned(row, widths, texts) for row in rows]
    return "\n".join([aligned[0], f"| {' | '.join(ruler)} |", *aligned[1:]])


def site_table(summary: Summary, site: Site) -> str:
    """Return the figures of all tools on one site, and how they compare with their peers."""
    rows = [row for row in summary.rows if row.case.site == site]
    measured = {row.case.tool for row in rows}
    peers = [peer for peer in PEERS if peer in measured]
    header = (
        *("scenario", "tool", "rounds", "wall s"),
        *(f"x `{peer}`" for peer in peers),
        *("CPU s", "peak MiB", "after its end s", "crashes"),
    )
    return markdown_table(header, [_site_cells(summary, row, peers) for row in rows], 2)


def target_table(verdicts: Iterable[Verdict]) -> str:
    """Return the targets beside what was measured."""
    lines = [
        (verdict.what, verdict.figures, "yes" if verdict.is_met else "**no**")
        for verdict in verdicts
    ]
    return markdown_table(("target", "figures", "met"), lines, 3)


def floor_table(summary: Summary, floor: Floor) -> str:
    """Return how far the cold builds of one site are from the floor."""
    rows = [
        row
        for row in summary.rows
        if row.case.site == floor.site and row.case.scenario == "cold" and row.wall_s
    ]
    header = ("tool", "cold s", "floor s", "x floor", "warm s", "rest s")
    return markdown_table(header, [_floor_cells(summary, row, floor) for row in rows])


def breakdown_table(breakdowns: Iterable[Breakdown]) -> str:
    """Return the mean and the greatest seconds of each phase of the notebooks that ran."""
    lines = [
        (
            *(str(found.case.site), found.case.scenario, found.case.tool),
            str(found.notebooks),
            *(f"{phase.mean_s:.3f} / {phase.max_s:.3f}" for phase in found.phases),
        )
        for found in breakdowns
    ]
    return markdown_table(("site", "scenario", "tool", "notebooks run", *PHASES), lines, 3)


def scaling_table(summary: Summary, kind: str) -> str:
    """Return what each notebook costs on the sites of one kind, from small to large."""
    of_kind = [row for row in summary.rows if row.case.site.kind == kind and row.wall_s]
    headings = list(dict.fromkeys(_heading(row) for row in of_kind))
    rows = sorted(of_kind, key=lambda row: (headings.index(_heading(row)), row.case.site.notebooks))
    header = (
        *("scenario", "tool", "notebooks", "seconds"),
        *("ms per notebook", "ms per further notebook"),
    )
    pairs = zip([None, *rows], rows, strict=False)
    return markdown_table(header, [_scaling_cells(before, row) for before, row in pairs], 2)


def _aligned(cells: Sequence[str], widths: Sequence[int], texts: int) -> str:
    padded = [
        cell.ljust(width) if column < texts else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _site_cells(summary: Summary, row: Row, peers: Sequence[str]) -> Cells:
    case = row.case
    speed_ups = [
        summary.speed_up(case.site, case.scenario, of=case.tool, over=peer) for peer in peers
    ]
    return (
        *(case.scenario, case.tool, str(row.rounds), _spread(row.wall_s, 2)),
        *(_number(speed_up, 2) for speed_up in speed_ups),
        *(_spread(row.cpu_s, 2), _spread(row.peak_mib, 0)),
        *(f"{row.lingered_s:.2f}" if row.rounds else UNKNOWN, str(row.crashes)),
    )


def _floor_cells(summary: Summary, row: Row, floor: Floor) -> Cells:
    assert row.wall_s is not None
    cold_s = row.wall_s.median
    # A warm build makes the same pages and runs nothing: what is left is neither the
    # cells' nor the pages', but kernels, imports and waiting.
    warm_s = summary.wall_s(floor.site, "warm", row.case.tool)
    rest_s = None if warm_s is None else cold_s - warm_s - floor.seconds
    return (
        *(row.case.tool, f"{cold_s:.2f}", f"{floor.seconds:.3f}"),
        *(f"{cold_s / floor.seconds:.1f}", _number(warm_s, 2), _number(rest_s, 2)),
    )


def _scaling_cells(before: Row | None, row: Row) -> Cells:
    assert row.wall_s is not None
    case, seconds = row.case, row.wall_s.median
    further_s = None
    if before and before.wall_s and _heading(before) == _heading(row):
        more = case.site.notebooks - before.case.site.notebooks
        further_s = (seconds - before.wall_s.median) / more
    return (
        *(case.scenario, case.tool, str(case.site.notebooks), f"{seconds:.2f}"),
        f"{1000 * seconds / case.site.notebooks:.1f}",
        _number(further_s and 1000 * further_s, 1),
    )


def _heading(row: Row) -> tuple[str, str]:
    return row.case.scenario, row.case.tool


def _spread(spread: Spread | None, digits: int) -> str:
    return spread.text(digits) if spread else UNKNOWN


def _number(number: float | None, digits: int) -> str:
    return UNKNOWN if number is None else f"{number:.{digits}f}"
