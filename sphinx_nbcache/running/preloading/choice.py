"""Which modules a fork server imports before it forks the kernels of a build.

Decides only; a module gets here from the safe list or from the user's own words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.model import Job
from sphinx_nbcache.running.preloading.imports import Scan, scan_notebook
from sphinx_nbcache.running.preloading.local_modules import find_shadow
from sphinx_nbcache.running.preloading.safe_list import BENEATH, SAFE, get_implied

_FEWEST_NOTEBOOKS = 2
_SETTINGS_FILE = "matplotlibrc"


@dataclass(frozen=True, slots=True)
class Preload:
    """What is imported before kernels are forked, and for whom that is no good."""

    modules: Mapping[str, tuple[str, ...]]
    """Kernel name to modules, in the order of import; kernels without any are left out."""
    obstacles: Mapping[str, str]
    """Job name to the reason why its kernel must be forked without them."""
    willing: frozenset[str]
    """Names of the jobs that are known to bear it."""

    def select(self, job: Job) -> tuple[str, ...]:
        """Return the modules that the kernel for a job may have imported before."""
        if job.demands.is_fresh or job.name not in self.willing:
            return ()
        return self.modules.get(job.kernel, ())


def choose_modules(
    jobs: Iterable[Job],
    *,
    learned: Mapping[str, frozenset[str]],
    option: tuple[str, ...] | None,
) -> Preload:
    """Choose what to import once for the jobs of a build.

    :param jobs: those that have to run.
    :param learned: job name to the names of modules that an earlier run was seen to import.
        What had been preloaded for it does not belong there, or it would stay for ever.
    :param option: these modules; none if empty; None for those of the safe list that more
        than half of the notebooks import which import any of it, and at least two.
    """
    forkable = [job for job in jobs if not job.demands.is_fresh]
    if option == ():
        return Preload({}, {}, frozenset())
    folders = {job.working_directory for job in forkable}
    places = {folder: _find_obstacle(folder) for folder in folders}
    scans = {job.name: scan_notebook(job.notebook, job.working_directory) for job in forkable}
    obstacles = {}
    for job in forkable:
        scan = scans[job.name]
        if reason := scan.obstacle or (scan.imports and places[job.working_directory]) or "":
            obstacles[job.name] = reason
    willing = [job for job in forkable if job.name not in obstacles]
    names = frozenset(job.name for job in willing)
    if option is not None:
        return Preload({job.kernel: option for job in willing}, obstacles, names)
    return Preload(_choose_common(willing, scans, learned), obstacles, names)


def _find_obstacle(folder: Path | None) -> str:
    """Return what in a folder makes an import there another one than elsewhere."""
    if folder is None:
        return ""
    if (folder / _SETTINGS_FILE).exists():
        return f"matplotlib reads {_SETTINGS_FILE} in its folder"
    tops = {name.partition(".")[0] for name in SAFE}
    shadow = find_shadow(folder, tops | BENEATH)
    return f"{shadow} in its folder hides a module of that name" if shadow else ""


def _choose_common(
    jobs: Iterable[Job], scans: Mapping[str, Scan], learned: Mapping[str, frozenset[str]]
) -> dict[str, tuple[str, ...]]:
    wishes: defaultdict[str, list[set[str]]] = defaultdict(list)
    for job in jobs:
        wanted = _find_safe(scans[job.name].imports | learned.get(job.name, frozenset()))
        if wanted:
            wishes[job.kernel].append(wanted)
    chosen = {kernel: _choose_modules(wanted) for kernel, wanted in wishes.items()}
    return {kernel: modules for kernel, modules in chosen.items() if modules}


def _find_safe(names: Iterable[str]) -> set[str]:
    """Return the part of these names that is on the safe list, and what it imports of it."""
    safe = {name for name in names if name in SAFE}
    return safe.union(*(set(get_implied(name)) & SAFE.keys() for name in safe))


def _choose_modules(wishes: list[set[str]]) -> tuple[str, ...]:
    """Return the modules for what most notebooks of one kernel import."""
    votes = Counter(name for wanted in wishes for name in wanted)
    enough = max(_FEWEST_NOTEBOOKS, len(wishes) // 2 + 1)
    modules = (SAFE[name] for name in SAFE if votes[name] >= enough)
    return tuple(dict.fromkeys(module for group in modules for module in group))
