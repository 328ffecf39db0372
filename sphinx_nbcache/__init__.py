"""Execute the notebooks of a Sphinx documentation in parallel, and only the stale ones.

The doors: ``setup`` for Sphinx (``extensions = ["sphinx_nbcache"]``), ``NotebookCache``
for Python, ``memo`` for functions. Nothing heavy is imported until one of them is used.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.postponing import postpone_iri_grammar

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

    from sphinx_nbcache.memo import decorator as memo
    from sphinx_nbcache.pipeline import NotebookCache as NotebookCache

__version__ = "0.1.0"
__all__ = ["NotebookCache", "__version__", "memo", "setup"]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension with Sphinx; called by Sphinx itself."""
    postpone_iri_grammar()
    with _keep_from_collector():
        from sphinx_nbcache.sphinx_ext import setup_extension

    return setup_extension(app, __version__)


@contextmanager
def _keep_from_collector() -> Iterator[None]:
    """Keep the collector from looking through what imports make, which all stays.

    MyST-NB's imports are half of a build that finds nothing to do; this pays for ours. What
    is there afterwards is not looked through again, which takes 2 % off a build of hits, and
    lets parallel readers share its memory. Once per process: a later application may be one
    of many, which are to be freed.
    """
    is_first = "sphinx_nbcache.sphinx_ext" not in sys.modules
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        if is_first:
            gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


def load_ipython_extension(shell: Any) -> None:
    """Give a notebook or shell ``%%nbmemo``; called by ``%load_ext sphinx_nbcache``."""
    from sphinx_nbcache.memo import register_magics

    register_magics(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take ``%%nbmemo`` away again."""
    from sphinx_nbcache.memo import unregister_magics

    unregister_magics(shell)


def __getattr__(name: str) -> Any:
    if name == "NotebookCache":
        from sphinx_nbcache.pipeline import NotebookCache

        return NotebookCache
    if name == "memo":
        return importlib.import_module("sphinx_nbcache.memo")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
