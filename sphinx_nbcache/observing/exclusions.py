"""Names that are never inputs nor artifacts, wherever they lie in a project."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

EXCLUDED = (
    "__pycache__",
    "*.py[co]",
    ".ipynb_checkpoints",
    ".nbcache",
    ".jupyter_cache",
    "jupyter_execute",
    "_build",
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".venv",
    "venv",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".ipython",
    ".coverage",
    ".DS_Store",
    "node_modules",
    "*.egg-info",
    "*.sw[a-p]",
    "*~",
    ".#*",
    ".nbcache-*",
)
"""Patterns of names: what tools, editors and builds put beside the work itself."""
_EXCLUDED = re.compile("|".join(map(translate, EXCLUDED)))


@lru_cache(maxsize=4096)
def is_excluded_name(name: str) -> bool:
    """Return whether a file or folder of this name is never looked at."""
    return _EXCLUDED.match(name) is not None


def is_excluded(path: str) -> bool:
    """Return whether a path in POSIX form has a part that is never looked at."""
    return any(map(is_excluded_name, path.split("/")))
