"""What is asked (key) and whether an answer still holds (freshness); pure functions."""

from sphinx_nbcache.keys.explanation import Difference, explain
from sphinx_nbcache.keys.freshness import FindNow, find_changes
from sphinx_nbcache.keys.key import (
    EXECUTION_TAGS,
    KEY_FORMAT,
    compute_key,
    make_question,
    normalise_source,
    resolve_kernel,
)

__all__ = [
    "EXECUTION_TAGS",
    "KEY_FORMAT",
    "Difference",
    "FindNow",
    "compute_key",
    "explain",
    "find_changes",
    "make_question",
    "normalise_source",
    "resolve_kernel",
]
