"""The floor: the CPU time of the cells alone, which no way of building can save.

All cells of a site run in one IPython process that has everything imported already,
with the inline backend drawing the figures: no kernel starts, nothing is imported or
saved, no page is made. Divided by the cores, this is the least wall time of any cold
build. BLAS gets one thread, as more of them only add CPU time here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.samples import Floor, Site
from benchmarks.tools import build_environment
from benchmarks.trees import site_notebooks

WORKER = Path(__file__).with_name("floor_worker.py")
PASSES = 3
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def measure_floor(site: Site, passes: int = PASSES) -> Floor:
    """Run the cells of a site by themselves; the pass that took the least counts."""
    cells = [notebook.cells() for notebook in site_notebooks(site)]
    run = subprocess.run(
        [sys.executable, str(WORKER)],
        input=json.dumps({"notebooks": cells, "passes": passes}),
        env=build_environment() | ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise BenchmarkError(f"The floor of {site} could not be measured:\n\n{run.stderr.strip()}")
    found = json.loads(run.stdout.splitlines()[-1])
    return Floor(site, min(found["passes"]), found["images"], usable_cores())


def usable_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
