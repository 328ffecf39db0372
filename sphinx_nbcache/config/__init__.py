"""Every option, declared once, and the places that follow from them."""

from sphinx_nbcache.config.checks import check_duration, check_size
from sphinx_nbcache.config.options import EXECUTORS, OPTIONS, Config, Option
from sphinx_nbcache.config.place import (
    CACHE_FOLDER,
    ROOT_MARKS,
    find_cache_path,
    find_project_root,
)

__all__ = [
    "CACHE_FOLDER",
    "EXECUTORS",
    "OPTIONS",
    "ROOT_MARKS",
    "Config",
    "Option",
    "check_duration",
    "check_size",
    "find_cache_path",
    "find_project_root",
]
