"""The front door for Sphinx: events, parser, directives, reports."""

from sphinx_nbcache.sphinx_ext.extension import setup_extension

__all__ = ["setup_extension"]
