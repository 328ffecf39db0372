"""Every option declared once: its name, default, meaning and check.

The Sphinx options, the environment variables, the Python API and the reference page
of the documentation are all made from ``OPTIONS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx_nbcache.config.address import check_address
from sphinx_nbcache.config.checks import (
    check_capacities,
    check_choice,
    check_count,
    check_expressions,
    check_flag,
    check_jobs,
    check_levels,
    check_modules,
    check_names,
    check_path,
    check_patterns,
    check_positive,
    check_seconds,
    check_size,
    check_table,
    check_values,
)
from sphinx_nbcache.config.option import Option
from sphinx_nbcache.config.plugins import EXECUTORS, check_executor

ON_ERROR = ("fail", "warn")
REMOTE_MODES = ("read", "read-write")
KERNEL_STARTS = ("auto", "fork", "spawn")
TRACKED = ("files", "listings", "missing", "modules", "packages", "python")
"""The classes of inputs that ``track`` sets a level for."""
_OLD_COMMANDS, _COMMANDS = "jupyter_cache.cli.commands", "sphinx_nbcache.cli"
_COMMAND_NAMES = {
    f"{_OLD_COMMANDS}.cmd_main:jcache": f"{_COMMANDS}:main",
    f"{_OLD_COMMANDS}.cmd_notebook:cmnd_notebook": f"{_COMMANDS}:notebook",
    f"{_OLD_COMMANDS}.cmd_cache:cmnd_cache": f"{_COMMANDS}:cache",
    f"{_OLD_COMMANDS}.cmd_project:cmnd_project": f"{_COMMANDS}:project",
}


OPTIONS = (
    Option(
        "path",
        None,
        "a folder",
        "Folder of the cache, relative to the folder of `conf.py`. By default that of MyST-NB's "
        "`nb_execution_cache_path`, if this is set; else `.nbcache` in the project root: the "
        "nearest folder above that has a `.git` or a `pyproject.toml`, else the folder of "
        "`conf.py` itself. The environment variable comes before `conf.py`, the "
        "command line (`-D nbcache_path=...`) before both.",
        check_path,
        "NBCACHE_PATH",
    ),
    Option(
        "jobs",
        "auto",
        'a whole number from 1, or "auto"',
        "How many kernels may run at the same time. `auto` is the number of cores this process "
        "may use, CPU affinity and the quota of its container respected; one more where kernels "
        "are forked.",
        check_jobs,
        "NBCACHE_JOBS",
    ),
    Option(
        "executor",
        "local-parallel",
        "one of " + ", ".join(EXECUTORS) + ", or the name of an installed plug-in",
        "How notebooks are run: `serial` one after another, `parallel` up to `nbcache_jobs` at "
        "once; `local` in the notebook's own folder, `temp` in a temporary folder (as "
        "`nb_execution_in_temp = True` says for every notebook). `dask`: on the workers of a dask "
        "cluster. Plug-ins bring others.",
        check_executor,
        "NBCACHE_EXECUTOR",
    ),
    Option(
        "executor_options",
        {},
        'a dict of names and plain values, such as {"address": "tcp://10.0.0.1:8786"}',
        "What the executor is told beside that; each has options of its own, and the `local` and "
        "`temp` ones have none. In the environment variable: `address=tcp://10.0.0.1:8786,"
        "jobs=8`, or JSON. Where the environment or the command line names another executor "
        "than `conf.py`, the options of `conf.py` do not count.",
        check_values,
        "NBCACHE_EXECUTOR_OPTIONS",
    ),
    Option(
        "on_error",
        "fail",
        '"fail" or "warn"',
        "What a failed notebook means for the build. With `fail` the whole site is still built, "
        "then `sphinx-build` exits with status 1; with `warn` it exits as if there was only a "
        "warning.",
        check_choice(*ON_ERROR),
    ),
    Option(
        "frozen",
        False,
        "True or False",
        "No kernel may start: a notebook whose outputs are not in the cache is an error that "
        "names its page, and the exit status is 1. For hosted builders and release builds.",
        check_flag,
        "NBCACHE_FROZEN",
    ),
    Option(
        "kernel_start",
        "auto",
        "one of " + ", ".join(KERNEL_STARTS),
        "How kernels start. `fork`: Python kernels are copies of one process that has everything "
        "imported already, which takes milliseconds (Linux only). `spawn`: each kernel is started "
        "from nothing, as Jupyter does. `auto` forks where that works.",
        check_choice(*KERNEL_STARTS),
        "NBCACHE_KERNEL_START",
    ),
    Option(
        "preload",
        "auto",
        'a list of module names, or "auto"',
        "Modules that are imported once for all forked kernels. `auto` takes those that most of "
        "the stale notebooks import, from a list of libraries that are known to bear it; an empty "
        "list preloads nothing.",
        check_modules,
        "NBCACHE_PRELOAD",
    ),
    Option(
        "resources",
        {},
        'a dict of names and whole numbers from 1, such as {"gpu": 1}',
        "How many notebooks may hold a resource at the same time. A notebook asks for one with "
        "`nbcache: {resource: gpu}` in its metadata; a name that is not listed here has room for "
        "one notebook.",
        check_capacities,
    ),
    Option(
        "retries",
        0,
        "a whole number from 0",
        "How often a notebook that failed is run again, from its first cell in a new kernel, "
        "before its page counts as failed. The first failure stays in the report.",
        check_count,
        "NBCACHE_RETRIES",
    ),
    Option(
        "notebook_timeout",
        None,
        "a number of seconds above 0, or None",
        "Longest time in seconds for all cells of one notebook together, beside "
        "`nb_execution_timeout` for one cell. A notebook sets its own with `nbcache: {timeout: "
        "600}` in its metadata.",
        check_seconds,
        "NBCACHE_NOTEBOOK_TIMEOUT",
    ),
    Option(
        "memory_limit",
        None,
        'a size such as "2 GB" or "512 MiB", or None',
        "Memory that one kernel's process may use for its data; a notebook that wants more fails "
        "and says so. Linux only.",
        check_size,
        "NBCACHE_MEMORY_LIMIT",
    ),
    Option(
        "track",
        {},
        'a dict of "on", "warn" or "off" for some of ' + ", ".join(TRACKED),
        "What makes outputs stale when it changes, beside the code: `files` that the notebook "
        "read, `listings` of folders, `missing` files that it looked for, `modules` of the "
        "project, installed `packages`, the version of `python`. `on`: the notebook runs again; "
        "`warn`: it does not, and the build says so; `off`: nobody looks. All are `on` by "
        "default. With `nbcache_frozen` packages and Python are never more than a note in the "
        "report: the machine that only shows pages need not have them.",
        check_levels(*TRACKED),
        "NBCACHE_TRACK",
    ),
    Option(
        "depends",
        (),
        "a list of patterns of files",
        "Files that every notebook depends on, though nobody sees it read them: "
        '`["../uv.lock", "data/*.nc"]`, relative to the folder of `conf.py`; `**` stands for '
        "any folders. A change of content makes all notebooks stale. A notebook adds its own "
        "with `nbcache: {depends: [...]}` in its metadata, relative to its own folder.",
        check_patterns,
        "NBCACHE_DEPENDS",
    ),
    Option(
        "env",
        (),
        "a list of names of environment variables",
        "Environment variables that every notebook depends on. Their values are not stored, only "
        "digests of them. A notebook adds its own with `nbcache: {env: [...]}`.",
        check_names,
        "NBCACHE_ENV",
    ),
    Option(
        "entries_per_key",
        10,
        "a whole number from 1",
        "How many answers are kept for the same code, one for each state of what it read, so "
        "that going back to another branch finds them. Beyond that, those used longest ago go.",
        check_positive,
        "NBCACHE_ENTRIES_PER_KEY",
    ),
    Option(
        "remote",
        "",
        "an address such as s3://bucket/folder",
        "Address of a remote, a cache that several machines share: `s3://bucket/folder`, "
        "`gs://...`, `az://...`, `file:///folder`, or what else fsspec knows. Outputs that are not "
        "in the cache here are taken from there. Keep passwords out of it: credentials come from "
        "where the library of the address looks for them.",
        check_address,
        "NBCACHE_REMOTE",
    ),
    Option(
        "remote_mode",
        "read",
        "one of " + ", ".join(REMOTE_MODES),
        "What a build may do with the remote. `read`: take outputs from it. `read-write`: put "
        "there what it has run, too.",
        check_choice(*REMOTE_MODES),
        "NBCACHE_REMOTE_MODE",
    ),
    Option(
        "remote_timeout",
        30,
        "a number of seconds above 0, or None",
        "How long in seconds a remote may give no sign of life until the build goes on without it.",
        check_seconds,
        "NBCACHE_REMOTE_TIMEOUT",
    ),
    Option(
        "trust_remote",
        False,
        "True or False",
        "Whether memoized values that have to be unpickled are loaded without a signature from a "
        "remote, and from a cache that git brought. Unpickling runs what the value says: whoever "
        "can write there could then run code here.",
        check_flag,
        "NBCACHE_TRUST_REMOTE",
    ),
    Option(
        "check_ignore",
        (),
        "a list of regular expressions",
        "What may differ when `nbcache check --rerun` runs a notebook again: the parts of its "
        r"text outputs that one of these matches, such as `[r'\d+\.\d+ seconds']`. In the "
        "environment variable each line is one.",
        check_expressions,
        "NBCACHE_CHECK_IGNORE",
    ),
    Option(
        "rerun",
        (),
        "a list of patterns of document names",
        "Patterns of document names whose notebooks run again although the cache has their "
        "outputs, for one build: `-D nbcache_rerun='ch2/*,intro'`. `*` matches across folders. A "
        "pattern that matches no notebook gives a warning.",
        check_patterns,
    ),
    Option(
        "cli_folder",
        None,
        "a folder",
        "Where the commands of the directives `nbcache-cli` and `jcache-cli` run, relative to the "
        "folder of `conf.py`. By default the folder above the sources.",
        check_path,
        rebuild="env",
    ),
    Option(
        "cli_cache",
        None,
        "a folder",
        "The one cache that the commands on all pages work on, relative to the folder of "
        "`conf.py`. By default each page has a cache of its own in Sphinx's folder of doctrees, "
        "which begins empty whenever the page is read.",
        check_path,
        rebuild="env",
    ),
    Option(
        "cli_names",
        _COMMAND_NAMES,
        "a dict of texts",
        "Which command the directives run for a name on a page, both as `module:attribute`. What "
        "you give is added to the default, which lets pages about jupyter-cache show this "
        "package's commands.",
        check_table(_COMMAND_NAMES),
        rebuild="env",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The checked values of all options."""

    path: Path | None = None
    jobs: int | None = None
    """None for as many as there are usable cores."""
    executor: str = "local-parallel"
    executor_options: tuple[tuple[str, Any], ...] = ()
    """(name, value) pairs."""
    on_error: str = "fail"
    frozen: bool = False
    kernel_start: str = "auto"
    preload: tuple[str, ...] | None = None
    """None for those that most of the stale notebooks import."""
    resources: tuple[tuple[str, int], ...] = ()
    """(name, capacity) pairs."""
    retries: int = 0
    notebook_timeout: float | None = None
    """Seconds; None for no limit."""
    memory_limit: int | None = None
    """Bytes; None for no limit."""
    track: tuple[tuple[str, str], ...] = ()
    """(class of inputs, level) pairs; what is not here is on."""
    depends: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    entries_per_key: int = 10
    remote: str = ""
    """Address; empty for none."""
    remote_mode: str = "read"
    remote_timeout: float | None = 30
    """Seconds; None for no limit."""
    trust_remote: bool = False
    check_ignore: tuple[str, ...] = ()
    rerun: tuple[str, ...] = ()
    cli_folder: Path | None = None
    cli_cache: Path | None = None
    cli_names: tuple[tuple[str, str], ...] = tuple(_COMMAND_NAMES.items())
    """(name on a page, command that is meant) pairs."""

    @property
    def is_temporary(self) -> bool:
        """Return whether every notebook runs in a temporary folder."""
        return self.executor in ("temp-serial", "temp-parallel")

    @property
    def is_serial(self) -> bool:
        """Return whether notebooks run one after another."""
        return self.executor in ("local-serial", "temp-serial")

    @classmethod
    def read_option(cls, name: str, value: Any) -> Any:
        """Check the value of one option alone.

        Raises ConfigurationError.
        """
        (option,) = (option for option in OPTIONS if option.name == name)
        return option.read(value, name)

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, Any],
        variables: Mapping[str, str],
        *,
        prefix: str = "",
        first: frozenset[str] = frozenset(),
    ) -> Config:
        """Check the values of options and of environment variables.

        :param values: option name (without prefix) to value; missing ones take the default.
        :param variables: the environment; a variable comes before ``values``.
        :param prefix: what the user writes before an option's name, for messages.
        :param first: names of the options that come before their variable (those given
            on a command line).

        Raises ConfigurationError.
        """
        checked = {}
        for option in OPTIONS:
            variable = option.variable or ""
            if option.name not in first and variables.get(variable):
                checked[option.name] = option.read(variables[variable], variable)
            else:
                value = values.get(option.name, option.default)
                checked[option.name] = option.read(value, prefix + option.name)
        if _find_meant(values, variables, first) not in (None, checked["executor"]):
            checked["executor_options"] = ()
        return cls(**checked)


def _find_meant(
    values: Mapping[str, Any], variables: Mapping[str, str], first: frozenset[str]
) -> Any:
    """Return the executor that the executor's options are meant for: that in the same place.

    None where they are meant for whatever is chosen.
    """
    if "executor_options" in first:
        return None
    if variables.get("NBCACHE_EXECUTOR_OPTIONS"):
        return variables.get("NBCACHE_EXECUTOR") or None
    return values.get("executor")


def choose_options(weaker: Mapping[str, Any], stronger: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of two places together, by option name.

    Options of an executor go with it: where the stronger place names another one, those of
    the weaker place do not count.
    """
    values = {**weaker, **stronger}
    if values.get("executor") != weaker.get("executor") and "executor_options" not in stronger:
        values.pop("executor_options", None)
    return values
