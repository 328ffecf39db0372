"""From ``conf.py`` to the checked configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from myst_nb.sphinx_ext import OUTPUT_FOLDER
from sphinx.application import Sphinx
from sphinx.config import Config as SphinxConfig
from sphinx.errors import ConfigError

from sphinx_nbcache.config import OPTIONS, Config, choose_options
from sphinx_nbcache.errors import ConfigurationError

PREFIX = "nbcache_"
_MODE_NAMES = ("nb_execution_mode", "jupyter_execute_notebooks")
_FOLDER, _OLD_FOLDER = "nb_execution_cache_path", "jupyter_cache"
"""MyST-NB's option for the folder of jupyter-cache, and its deprecated name."""


def add_options(app: Sphinx) -> None:
    """Declare every option to Sphinx; those that pages follow from have them read again."""
    for option in OPTIONS:
        default = list(option.default) if isinstance(option.default, tuple) else option.default
        app.add_config_value(PREFIX + option.name, default, option.rebuild, Any)


def choose_mode(config: SphinxConfig) -> None:
    """Make ``cache`` the execution mode unless the user has set one.

    Sphinx has no public way to tell a default from the same value set on purpose.
    """
    given = {*config._raw_config, *config.overrides}  # noqa: SLF001
    if given.isdisjoint(_MODE_NAMES):
        config.nb_execution_mode = "cache"


def exclude_executed(app: Sphinx, config: SphinxConfig) -> None:
    """Keep Sphinx from taking MyST-NB's executed copies of the notebooks for pages.

    MyST-NB writes them beside the output folder, which many keep inside the sources: that of
    this build, or of another builder's.
    """
    config.exclude_patterns += [OUTPUT_FOLDER, f"**/{OUTPUT_FOLDER}"]


def read_options(config: SphinxConfig) -> Config:
    """Return the checked options.

    Raises Sphinx's ConfigError with one line for a wrong value.
    """
    values = {option.name: config[PREFIX + option.name] for option in OPTIONS}
    if not values["path"]:
        values["path"] = _find_folder(config)
    # Of an option that is a dict, each value can be given: -D nbcache_executor_options.jobs=4
    names = (name.partition(".")[0] for name in config.overrides)
    given = {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}
    executor = config._raw_config.get(PREFIX + "executor", Config().executor)  # noqa: SLF001
    stronger = {name: values[name] for name in given & values.keys()}
    values = choose_options({**values, "executor": executor}, stronger)
    try:
        return Config.from_values(values, os.environ, prefix=PREFIX, first=frozenset(given))
    except ConfigurationError as error:
        raise ConfigError(str(error)) from error


def _find_folder(config: SphinxConfig) -> Path | None:
    """Return the folder that MyST-NB's own option names, as MyST-NB finds it.

    That is from the current folder, and the deprecated name comes first.
    """
    given = {*config._raw_config, *config.overrides}  # noqa: SLF001 - as above
    value = config[_OLD_FOLDER if _OLD_FOLDER in given else _FOLDER]
    return Path(value).absolute() if isinstance(value, str) and value else None
