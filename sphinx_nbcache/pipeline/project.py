"""A project: its root, its store, its configuration; and paths as they are stored."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sphinx_nbcache.config import (
    SIGNING_VARIABLE,
    Config,
    choose_options,
    find_cache_path,
    find_project_root,
)
from sphinx_nbcache.store import SigningKeys, Store

JUPYTER_CACHE_VARIABLE = "JUPYTERCACHE"
"""Where jupyter-cache looks for its folder; ours is there, too, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Project:
    """What every build of one project shares."""

    root: Path
    store: Store
    config: Config
    folder: Path
    """The folder of ``conf.py``, or the current one: what the project's options count from."""
    ignored: tuple[Path, ...] = ()
    """Folders that builds make, whose content is neither input nor artifact."""

    @classmethod
    def open(cls, start: Path, config: Config, ignored: Iterable[Path] = ()) -> Project:
        """Find the project that a folder belongs to, and its store.

        :param start: the folder of ``conf.py``, or the current one; a relative
            ``config.path`` counts from there.
        :param ignored: folders that builds make, beside the cache.

        Raises ConfigurationError for a signing key that is too short.
        """
        root = find_project_root(start)
        path = find_cache_path(config.path, start=start, root=root)
        keys = SigningKeys.from_text(os.environ.get(SIGNING_VARIABLE, ""))
        return cls(root, Store(path, keys), config, start.resolve(), (path, *ignored))

    @property
    def has_open_remote(self) -> bool:
        """Return whether entries come from a remote that are not signed."""
        return bool(self.config.remote) and not self.store.trust.keys

    def relate(self, path: Path) -> str:
        """Return a path relative to the root, in POSIX form, as it is stored.

        A path on another Windows drive has no such form and stays absolute.
        """
        return relate(path, self.root)


def relate(path: Path, root: Path) -> str:
    """Return a path relative to a project's root; see ``Project.relate``."""
    text, start = path.as_posix(), f"{root.as_posix()}/"
    if text.startswith(start) and ".." not in path.parts:
        return text.removeprefix(start)
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:
        return path.as_posix()


def read_config(
    variables: Mapping[str, str],
    values: Mapping[str, object] | None = None,
    defaults: Mapping[str, object] = MappingProxyType({}),
) -> Config:
    """Return the configuration of a command line or a Python program, which reads no conf.py.

    :param values: option name to value; what is not None comes before the variables.
    :param defaults: option name to value; the variables come before them.

    Raises ConfigurationError.
    """
    given = {name: value for name, value in (values or {}).items() if value is not None}
    defaults = {"path": variables.get(JUPYTER_CACHE_VARIABLE), **defaults}
    return Config.from_values(choose_options(defaults, given), variables, first=frozenset(given))
