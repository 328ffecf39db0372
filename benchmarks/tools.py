"""The ways of building a documentation that are compared.

A name is that of a way, with ``-jN`` behind it where Sphinx gets N processes:
``stock-j2``, ``nbcache-fork-j2``.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

# The slowest notebook takes seconds; this only keeps a busy machine from failing a build.
TIMEOUT_S = 300
STOCK_CONF = 'extensions = ["myst_nb"]\nnb_execution_mode = "cache"\n'
STOCK_OFF_CONF = 'extensions = ["myst_nb"]\nnb_execution_mode = "off"\n'
NBCACHE_CONF = 'extensions = ["sphinx_nbcache"]\n'
SPAWN_CONF = f'{NBCACHE_CONF}nbcache_kernel_start = "spawn"\n'
FORK_CONF = f'{NBCACHE_CONF}nbcache_kernel_start = "fork"\nnbcache_preload = []\n'
_NAME = re.compile(r"(?P<way>.+?)(?:-j(?P<jobs>[1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class Tool:
    """One way of building: an extension, its options and the processes of Sphinx.

    ``cache_option`` is None for a tool that runs no notebook: it is given notebooks that
    hold their outputs. ``attempts`` is how often a build from nothing may be started
    before giving up.
    """

    name: str
    distribution: str
    conf: str
    cache_option: str | None
    jobs: int = 1
    attempts: int = 1

    @property
    def executes(self) -> bool:
        """Whether it runs notebooks."""
        return self.cache_option is not None

    @property
    def conf_py(self) -> str:
        """The text of conf.py for a tree built by this tool."""
        return f'project = "Benchmark"\n{self.conf}nb_execution_timeout = {TIMEOUT_S}\n'

    def command(self, source: Path, output: Path, cache: Path) -> list[str]:
        """Return the command line that builds source into output."""
        options = ["-b", "html"]
        if self.cache_option is not None:
            options += ["-D", f"{self.cache_option}={cache}"]
        if self.jobs > 1:
            options += ["-j", str(self.jobs)]
        return [sys.executable, "-m", "sphinx", *options, str(source), str(output)]


OURS = "sphinx-nbcache"
_STOCK = Tool("stock", "myst-nb", STOCK_CONF, "nb_execution_cache_path")
_NBCACHE = Tool("nbcache", OURS, NBCACHE_CONF, "nbcache_path")
_WAYS = {
    tool.name: tool
    for tool in (
        _STOCK,
        replace(_STOCK, name="stock-off", conf=STOCK_OFF_CONF, cache_option=None),
        replace(_NBCACHE, name="nbcache-spawn", conf=SPAWN_CONF),
        replace(_NBCACHE, name="nbcache-fork", conf=FORK_CONF),
        _NBCACHE,
    )
}
WAYS = tuple(_WAYS)
# Runs the notebooks whose outputs the others are given, where no cold build is measured.
FILLING_TOOL = _NBCACHE
# The peers: each figure of a site is compared with theirs, where they were measured.
PEERS = ("stock", "stock-j2", "stock-off", "stock-off-j2")


def find_tool(name: str) -> Tool | None:
    """Return the tool of a name, or None when there is none."""
    found = _NAME.fullmatch(name)
    if found is None or found["way"] not in _WAYS:
        return None
    way, jobs = _WAYS[found["way"]], int(found["jobs"] or 1)
    # Parallel readers of stock race for the tables of one database: now and then a cold
    # build dies of it. Its users start it again, and so do we: once, and five times more.
    races = jobs > 1 and way is _STOCK
    return replace(way, name=name, jobs=jobs, attempts=6 if races else 1)


def with_kernels(tool: Tool, kernels: int | None) -> Tool:
    """Return the tool with its number of kernels at a time set, where it has that option."""
    if kernels is None or tool.distribution != OURS:
        return tool
    return replace(tool, conf=f"{tool.conf}nbcache_jobs = {kernels}\n")


def build_environment() -> dict[str, str]:
    """Return the environment of builds: ours, less the options of sphinx-nbcache.

    A NBCACHE_PATH set by the user would turn every cold build into a warm one.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("NBCACHE_")}
