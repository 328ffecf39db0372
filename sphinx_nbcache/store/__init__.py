"""What is kept: objects by digest, entries by key; atomic, verified, shared by processes."""

from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.files import remove_abandoned_drafts
from sphinx_nbcache.store.index import Flow, Index, News, PageRow
from sphinx_nbcache.store.objects import Objects
from sphinx_nbcache.store.pieces import UnreadableError
from sphinx_nbcache.store.stamps import Stamps
from sphinx_nbcache.store.store import STORE_FORMAT, Claim, Store

__all__ = [
    "STORE_FORMAT",
    "Claim",
    "Entries",
    "Flow",
    "Index",
    "News",
    "Objects",
    "PageRow",
    "Problem",
    "Stamps",
    "Store",
    "UnreadableError",
    "remove_abandoned_drafts",
]
