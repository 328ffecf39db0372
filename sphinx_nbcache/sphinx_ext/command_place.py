"""Where the commands on pages run, and which cache they work on.

A page has a cache of its own, which begins empty whenever the page is read: what it shows
follows from its text alone, not from other pages, from earlier builds or from this one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config as SphinxConfig

from sphinx_nbcache.config import CACHE_FOLDER, find_cache_path, find_project_root
from sphinx_nbcache.sphinx_ext.options import read_options
from sphinx_nbcache.store import Store

_CACHES = "nbcache-cli"
_MARKS = ("CACHEDIR.TAG", "FORMAT")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPlace:
    """What all commands on the pages of one documentation share."""

    folder: Path
    """The current folder of the commands."""
    names: Mapping[str, str]
    """``module:attribute`` on a page to the one that is meant."""
    is_frozen: bool
    """Whether no kernel may start."""
    doctrees: Path
    root: Path
    """That of the project which the documentation belongs to."""
    sources: Path
    build_cache: Path
    """The cache of the build that reads the pages."""
    shared_cache: Path | None = None
    """The one cache that the user has chosen for all pages."""

    @classmethod
    def from_app(cls, app: Sphinx, config: SphinxConfig) -> CommandPlace:
        """Take the folders from Sphinx and the rest from the options.

        Raises Sphinx's ConfigError for a wrong value.
        """
        options = read_options(config)
        start, sources = Path(app.confdir).resolve(), Path(app.srcdir).resolve()
        root = find_project_root(start)
        chosen = options.cli_folder
        shared = options.cli_cache
        return cls(
            folder=sources.parent if chosen is None else (start / chosen.expanduser()).resolve(),
            names=dict(options.cli_names),
            is_frozen=options.frozen,
            doctrees=Path(app.doctreedir).resolve(),
            root=root,
            sources=sources,
            build_cache=find_cache_path(options.path, start=start, root=root),
            shared_cache=None if shared is None else (start / shared.expanduser()).resolve(),
        )

    def find_cache(self, docname: str) -> Path:
        """Return the folder of the cache that the commands of a page work on."""
        return self.shared_cache or self._find_own(docname)

    def _find_own(self, docname: str) -> Path:
        # One folder more, because there may be pages "a" and "a/b".
        return self.doctrees / _CACHES / docname / CACHE_FOLDER

    def begin(self, docname: str) -> None:
        """Empty the page's own cache; that which the user has chosen stays as it is."""
        if (self.doctrees / _CACHES).exists():
            shutil.rmtree(self._find_own(docname), ignore_errors=True)

    def clear(self, docname: str) -> None:
        """Delete the cache that the commands of a page work on, if it is there.

        Raises ValueError with a sentence when it is not known to belong to the documentation,
        OSError or StoreError when it cannot be deleted.
        """
        path = self.find_cache(docname)
        if not path.exists():
            return
        if self.shared_cache is None:
            shutil.rmtree(path)
            return
        if reason := self._find_objection(path):
            raise ValueError(f"{path} is not cleared: {reason}")
        Store(path).clear()  # what the user keeps in it stays

    def _find_objection(self, path: Path) -> str:
        """Return why a folder that the user has named may not be deleted; empty if it may."""
        if self.root not in path.parents:
            return f"it lies outside the documentation's project, {self.root}"
        if self.sources.is_relative_to(path):
            return "the documentation's sources lie in it"
        if path == self.build_cache:
            return "this build works with it; name another folder in nbcache_cli_cache"
        if not all((path / mark).is_file() for mark in _MARKS):
            return "it is no cache: " + " or ".join(_MARKS) + " is missing in it"
        return ""
