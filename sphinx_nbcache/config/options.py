"""Every option declared once: its name, default, meaning and check.

The Sphinx options, the environment variables, the Python API and the reference page
of the documentation are all made from ``OPTIONS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx_nbcache.errors import ConfigurationError

EXECUTORS = ("local-serial", "local-parallel", "temp-serial", "temp-parallel")
ON_ERROR = ("fail", "warn")


def _check_path(value: Any) -> Path | None:
    if value is None or value == "":
        return None
    if isinstance(value, str | Path):
        return Path(value)
    raise ValueError


def _check_jobs(value: Any) -> int | None:
    if value in (None, "auto"):
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    jobs = int(value)
    if jobs < 1:
        raise ValueError
    return jobs


def _check_choice(*choices: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return check


def _check_flag(value: Any) -> bool:
    flags = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    flags[""] = False
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in flags:
        return flags[value.lower()]
    raise ValueError


def _check_patterns(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError
    return tuple(item.strip() for item in value if item.strip())


@dataclass(frozen=True, slots=True)
class Option:
    """One option of the package."""

    name: str
    """Name without prefix; ``nbcache_<name>`` in ``conf.py``."""
    default: Any
    expected: str
    """What a right value is, as the end of the sentence "expected ..."."""
    help: str
    check: Callable[[Any], Any]
    """Returns the value in its final type; raises ValueError or TypeError if it is wrong."""
    variable: str | None = None
    """Environment variable that sets it too."""

    def read(self, value: Any, name: str) -> Any:
        """Check a value; ``name`` is how the user spelled the option.

        Raises ConfigurationError.
        """
        try:
            return self.check(value)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(name, value, self.expected) from error


OPTIONS = (
    Option(
        "path",
        None,
        "a folder",
        "Folder of the cache, relative to the folder of `conf.py`. By default `.nbcache` in the "
        "project root: the nearest folder above that has a `.git` or a `pyproject.toml`, else "
        "the folder of `conf.py` itself. The environment variable comes before `conf.py`, the "
        "command line (`-D nbcache_path=...`) before both.",
        _check_path,
        "NBCACHE_PATH",
    ),
    Option(
        "jobs",
        "auto",
        'a whole number from 1, or "auto"',
        "How many kernels may run at the same time. `auto` is the number of cores this process "
        "may use: CPU affinity and the quota of its container are respected.",
        _check_jobs,
        "NBCACHE_JOBS",
    ),
    Option(
        "executor",
        "local-parallel",
        "one of " + ", ".join(EXECUTORS),
        "How notebooks are run: `serial` one after another, `parallel` up to `nbcache_jobs` at "
        "once; `local` in the notebook's own folder, `temp` in a temporary folder (as "
        "`nb_execution_in_temp = True` says for every notebook).",
        _check_choice(*EXECUTORS),
        "NBCACHE_EXECUTOR",
    ),
    Option(
        "on_error",
        "fail",
        '"fail" or "warn"',
        "What a failed notebook means for the build. With `fail` the whole site is still built, "
        "then `sphinx-build` exits with status 1; with `warn` it exits as if there was only a "
        "warning.",
        _check_choice(*ON_ERROR),
    ),
    Option(
        "frozen",
        False,
        "True or False",
        "No kernel may start: a notebook whose outputs are not in the cache is an error that "
        "names its page, and the exit status is 1. For hosted builders and release builds.",
        _check_flag,
        "NBCACHE_FROZEN",
    ),
    Option(
        "rerun",
        (),
        "a list of patterns of document names",
        "Patterns of document names whose notebooks run again although the cache has their "
        "outputs, for one build: `-D nbcache_rerun='ch2/*,intro'`. `*` matches across folders. A "
        "pattern that matches no notebook gives a warning.",
        _check_patterns,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The checked values of all options."""

    path: Path | None = None
    jobs: int | None = None
    """None for as many as there are usable cores."""
    executor: str = "local-parallel"
    on_error: str = "fail"
    frozen: bool = False
    rerun: tuple[str, ...] = ()

    @property
    def is_temporary(self) -> bool:
        """Return whether every notebook runs in a temporary folder."""
        return self.executor.startswith("temp-")

    @property
    def is_serial(self) -> bool:
        """Return whether notebooks run one after another."""
        return self.executor.endswith("-serial")

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
        return cls(**checked)
