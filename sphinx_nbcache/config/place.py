"""Where the project's root is and where its cache lies."""

from __future__ import annotations

from pathlib import Path

CACHE_FOLDER = ".nbcache"
MEMO_PATH_VARIABLE = "NBCACHE_MEMO_PATH"
"""Tells kernels where the cache of their build is, for what they memoize."""
MEMO_REMOTE_VARIABLE = "NBCACHE_MEMO_REMOTE"
"""Tells kernels the options of their build's remote, as JSON: what they memoize may be there."""
MEMO_SIGNED_VARIABLE = "NBCACHE_MEMO_SIGNED"
"""Tells kernels and what they start that only signed memos count."""
MEMO_KEYS_ATTRIBUTE = "_nbcache_memo_keys"
"""Of ``sys``, in kernels: the keys for memos. No variable: environments end up on pages."""
ROOT_MARKS = (".git", "pyproject.toml")


def find_project_root(start: Path) -> Path:
    """Return the nearest folder from ``start`` upwards with a root mark, else ``start``."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if any((folder / mark).exists() for mark in ROOT_MARKS):
            return folder
    return start


def find_cache_path(path: Path | None, *, start: Path, root: Path) -> Path:
    """Return the cache's folder: ``path`` as seen from ``start``, else the root's own."""
    return root / CACHE_FOLDER if path is None else (start / path.expanduser()).resolve()
