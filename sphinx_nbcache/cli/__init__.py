"""The front door for shells: the ``nbcache`` command."""

from sphinx_nbcache.cli.cache_group import cache_group as cache
from sphinx_nbcache.cli.commands import main
from sphinx_nbcache.cli.notebook_group import notebook
from sphinx_nbcache.cli.project_group import project

__all__ = ["cache", "main", "notebook", "project"]
