"""What is asked (key) and whether an answer still holds (freshness); pure functions."""

from sphinx_nbcache.keys.freshness import find_changes
from sphinx_nbcache.keys.key import (
    EXECUTION_TAGS,
    KEY_FORMAT,
    compute_key,
    normalise_source,
    resolve_kernel,
)

__all__ = [
    "EXECUTION_TAGS",
    "KEY_FORMAT",
    "compute_key",
    "find_changes",
    "normalise_source",
    "resolve_kernel",
]
