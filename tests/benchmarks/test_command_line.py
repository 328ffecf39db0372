"""The benchmark of the commands that only look: all is cached, and the table has all commands."""

from __future__ import annotations

from pathlib import Path

from benchmarks.command_line import BASELINE, Timing, describe, make_project, measure_commands
from sphinx_nbcache import NotebookCache


def test_all_notebooks_of_the_project_are_cached_and_commands_are_timed(tmp_path: Path) -> None:
    make_project(tmp_path, 3)
    assert [s.is_fresh for s in NotebookCache(project=tmp_path).explain()] == [True] * 3
    timings = list(measure_commands(tmp_path, rounds=1))
    assert [timing.command for timing in timings] == [
        BASELINE,
        *("nbcache --help", "nbcache status", "nbcache plan"),
        *("nbcache notebook list", "nbcache cache list"),
    ]
    assert all(timing.wall_s[0] > 0 for timing in timings)


def test_the_last_column_is_the_ratio_of_the_best_rounds() -> None:
    timings = [Timing(BASELINE, (2.0, 1.0), (1.0,)), Timing("nbcache", (9.0, 5.0), (4.0,))]
    assert describe(timings).splitlines()[-1].split("|")[-2].strip() == "5.0"
