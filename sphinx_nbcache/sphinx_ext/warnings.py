"""Every warning of the extension: one enum, one way to say it.

Users suppress a kind by its name: ``suppress_warnings = ["nbcache.store"]``.
"""

from __future__ import annotations

from enum import StrEnum

from sphinx.config import Config
from sphinx.util import logging

LOGGER = logging.getLogger("sphinx_nbcache")
WARNING_TYPE = "nbcache"


class WarningSubtype(StrEnum):
    """The kinds of warnings, stable across versions."""

    EXEC = "exec"
    """A notebook failed, or its outputs are missing."""
    READ = "read"
    """A file could not be read as a notebook."""
    RERUN = "rerun"
    """A pattern of ``nbcache_rerun`` matches no notebook that is executed."""
    STORE = "store"
    """Something in the cache is damaged or of another version."""
    METADATA = "metadata"
    """A notebook's own metadata ``nbcache`` has a key or a value that is not known. The rest
    of it holds."""
    INPUTS = "inputs"
    """Something that a notebook read has changed, and its outputs are kept all the same, as
    ``nbcache_track`` says."""
    ARTIFACT = "artifact"
    """A file that a notebook wrote cannot be kept in the cache, or cannot be put back: above
    all because the user has changed it."""
    KERNEL = "kernel"
    """Kernels cannot be started or limited as the configuration asks. The build goes on."""
    REMOTE = "remote"
    """The remote cache, or something in it, cannot be used: it is not there, refuses access, or
    holds what is damaged or not signed. The build goes on without that."""
    DIRECTIVE = "directive"
    """``nbcache-cells`` names a page that is not a notebook."""
    CLI = "cli"
    """``nbcache-cli`` or ``jcache-cli`` names a command that cannot be run, or one that fails
    without ``:allow-exception:``; or ``nbcache-clear`` would delete what is not the
    documentation's."""


def warn(
    config: Config,
    message: str,
    subtype: WarningSubtype,
    location: str | tuple[str, int] | None = None,
) -> None:
    """Give a warning of ours.

    :param location: a document name, or one with a line.
    """
    if not config.show_warning_types:  # Sphinx before 8 does not show them by default
        message = f"{message} [{WARNING_TYPE}.{subtype}]"
    LOGGER.warning(message, type=WARNING_TYPE, subtype=str(subtype), location=location)
