"""The ways of building a documentation that are compared."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

# The slowest notebook takes seconds; this only keeps a busy machine from failing a build.
TIMEOUT_S = 300
STOCK_CONF = 'extensions = ["myst_nb"]\nnb_execution_mode = "cache"\n'
NBCACHE_CONF = 'extensions = ["sphinx_nbcache"]\n'


@dataclass(frozen=True, slots=True)
class Tool:
    """One way of building: an extension, its options and the processes of Sphinx.

    ``attempts`` is how often a build from nothing may be started before giving up.
    """

    name: str
    distribution: str
    conf: str
    cache_option: str
    jobs: int = 1
    attempts: int = 1

    @property
    def conf_py(self) -> str:
        """The text of conf.py for a tree built by this tool."""
        return f'project = "Benchmark"\n{self.conf}nb_execution_timeout = {TIMEOUT_S}\n'

    def command(self, source: Path, output: Path, cache: Path) -> list[str]:
        """Return the command line that builds source into output."""
        options = ["-b", "html", "-D", f"{self.cache_option}={cache}"]
        if self.jobs > 1:
            options += ["-j", str(self.jobs)]
        return [sys.executable, "-m", "sphinx", *options, str(source), str(output)]


_STOCK = Tool("stock", "myst-nb", STOCK_CONF, "nb_execution_cache_path")
_NBCACHE = Tool("nbcache", "sphinx-nbcache", NBCACHE_CONF, "nbcache_path")
# Parallel readers of stock race for the tables of one database: now and then a cold
# build dies of it. Its users start it again, and so do we: once, and five times more.
_STOCK_J2 = replace(_STOCK, name="stock-j2", jobs=2, attempts=6)
_NBCACHE_J2 = replace(_NBCACHE, name="nbcache-j2", jobs=2)

BASELINE = _STOCK.name
TOOLS = {tool.name: tool for tool in (_STOCK, _STOCK_J2, _NBCACHE, _NBCACHE_J2)}


def build_environment() -> dict[str, str]:
    """Return the environment of builds: ours, less the options of sphinx-nbcache.

    A NBCACHE_PATH set by the user would turn every cold build into a warm one.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("NBCACHE_")}
