"""Execute the notebooks of a Sphinx documentation in parallel, and only the stale ones.

The doors: ``setup`` for Sphinx (``extensions = ["sphinx_nbcache"]``), ``NotebookCache``
for Python. Nothing heavy is imported until one of them is used.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

    from sphinx_nbcache.pipeline import NotebookCache as NotebookCache

__version__ = "0.1.0"
__all__ = ["NotebookCache", "__version__", "setup"]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the extension with Sphinx; called by Sphinx itself."""
    with _pause_garbage_collection():
        from sphinx_nbcache.sphinx_ext import setup_extension

    return setup_extension(app, __version__)


@contextmanager
def _pause_garbage_collection() -> Iterator[None]:
    """Keep the collector from looking through what imports make, which all stays.

    MyST-NB's imports are half of a build that finds nothing to do; this pays for ours.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def __getattr__(name: str) -> Any:
    if name == "NotebookCache":
        from sphinx_nbcache.pipeline import NotebookCache

        return NotebookCache
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
