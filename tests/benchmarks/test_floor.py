"""The cells alone are run and measured in one process."""

from __future__ import annotations

from benchmarks.floor import measure_floor
from benchmarks.samples import Site


def test_the_cells_of_all_notebooks_run_and_take_cpu_time() -> None:
    floor = measure_floor(Site("tiny", 3), passes=1)
    assert floor.cpu_s > 0
    assert floor.cores >= 1
    assert floor.images == 0


def test_figures_are_drawn_as_in_a_kernel() -> None:
    floor = measure_floor(Site("scientific", 2), passes=1)
    assert floor.images == 2
    assert 0 < floor.cpu_s < 60
