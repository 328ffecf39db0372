"""One tool at work on one site: its tree, its cache and its output folders.

- cold: empty output folder, empty cache.
- no-op: the same again, nothing changed.
- warm: an empty output folder, a full cache.
- edited: the output folder of the no-op build, one cell of one notebook changed.

A session begins with a cold build, or with what another session has executed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.breakdown import read_runs
from benchmarks.errors import BuildFailedError
from benchmarks.filling import count_stock_records, fill_stock_cache
from benchmarks.measure import Measure, Run, measure
from benchmarks.samples import NotebookRun, Site, Usage
from benchmarks.tools import OURS, Tool, build_environment
from benchmarks.trees import (
    Tree,
    edit_one,
    pages_without_output,
    write_executed_tree,
    write_tree,
)

SCENARIOS = ("cold", "no-op", "warm", "edited")


@dataclass(frozen=True, slots=True)
class Built:
    """What a build took, and the notebooks that ran in it (known of ours only)."""

    usage: Usage
    runs: tuple[NotebookRun, ...] = ()


@dataclass(slots=True)
class Session:
    """One tool at work on one site."""

    folder: Path
    site: Site
    tool: Tool
    measure: Measure = measure
    tree: Tree | None = None

    @property
    def cache(self) -> Path:
        """The folder of its cache."""
        return self.folder / "cache"

    @property
    def executed(self) -> Path:
        """The folder of the notebooks with outputs that MyST-NB writes beside the pages."""
        return self.folder / "built" / "jupyter_execute"

    def build(self, scenario: str) -> Built:
        """Prepare and run the build of a scenario, and check that it did what it should."""
        tree = self.tree = self._prepare(scenario)
        # The folder around the output is the scenario's too: MyST-NB writes there.
        output = self.folder / ("built-again" if scenario == "warm" else "built") / "html"
        command = self.tool.command(tree.source, output, self.cache)
        run = self.measure(command, self.folder, build_environment())
        runs = read_runs(output)
        reason = _what_is_wrong(run, pages_without_output(tree, output))
        reason = reason or _what_ran_wrongly(scenario, tree, runs)
        if reason:
            what = f"The {scenario} build of {self.site} by {self.tool.name} failed"
            raise BuildFailedError(what, reason, run.exit_code, run.output)
        return Built(run.usage, runs or ())

    def take_over(self, donor: Session) -> None:
        """Begin with the outputs of another session of the site, and build, unmeasured.

        Our caches are copied, that of stock is filled with the outputs; a tool that runs
        nothing gets notebooks that hold them. Nothing may run in the build.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        if donor.tree is None:
            raise RuntimeError("a session gives what it has built")
        source = self.folder / "source"
        if not self.tool.executes:
            copies = {
                notebook: donor.executed / f"{notebook.name}.ipynb"
                for notebook in donor.tree.notebooks
            }
            self.tree = write_executed_tree(source, copies, self.tool.conf_py)
        else:
            self.tree = write_tree(source, self.site, self.tool.conf_py)
            self._fill_cache(self.tree, donor)
        self._build_first()

    def _fill_cache(self, tree: Tree, donor: Session) -> None:
        if self.tool.distribution == donor.tool.distribution:
            shutil.copytree(donor.cache, self.cache)
        else:
            fill_stock_cache(tree, donor.executed, self.cache)

    def _build_first(self) -> None:
        is_stock_cache = self.tool.executes and self.tool.distribution != OURS
        before = count_stock_records(self.cache) if is_stock_cache else 0
        self.build("first")
        ran = count_stock_records(self.cache) - before if is_stock_cache else 0
        if ran:
            what = f"The first build of {self.site} by {self.tool.name} failed"
            reason = f"{ran} notebooks ran whose outputs the cache should have had"
            raise BuildFailedError(what, reason, 0, "")

    def _prepare(self, scenario: str) -> Tree:
        if scenario == "cold":
            # May be there from an attempt that failed, with half a cache in it.
            shutil.rmtree(self.folder, ignore_errors=True)
            return write_tree(self.folder / "source", self.site, self.tool.conf_py)
        if self.tree is None:
            raise RuntimeError("a session begins with the cold build or with take_over")
        if scenario == "warm":
            shutil.rmtree(self.folder / "built-again", ignore_errors=True)
        return edit_one(self.tree) if scenario == "edited" else self.tree


def _what_is_wrong(run: Run, missing: tuple[str, ...]) -> str:
    if run.exit_code:
        return f"exit code {run.exit_code}"
    return f"no outputs in {', '.join(missing)}" if missing else ""


def _what_ran_wrongly(scenario: str, tree: Tree, runs: tuple[NotebookRun, ...] | None) -> str:
    wanted = {"cold": len(tree.notebooks), "edited": 1}.get(scenario, 0)
    if runs is None or len(runs) == wanted:
        return ""
    return f"{len(runs)} notebooks ran, {wanted} should have"
