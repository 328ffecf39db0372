"""The front door for shells: the ``nbcache`` command."""

from sphinx_nbcache.cli.commands import main

__all__ = ["main"]
