"""What is kept: objects by digest, entries by key; atomic, verified, shared by processes."""

from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.index import Index
from sphinx_nbcache.store.objects import Objects
from sphinx_nbcache.store.stamps import Stamps
from sphinx_nbcache.store.store import STORE_FORMAT, Claim, Store

__all__ = ["STORE_FORMAT", "Claim", "Entries", "Index", "Objects", "Problem", "Stamps", "Store"]
