"""What is kept: objects by digest, entries by key; atomic, verified, shared by processes."""

from sphinx_nbcache.store.archive import Imported
from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.files import place_atomically, remove_abandoned_drafts, take_stamp
from sphinx_nbcache.store.folder import STORE_FORMAT
from sphinx_nbcache.store.git import run_git
from sphinx_nbcache.store.index import FailedRun, Flow, Index, News, PageRow
from sphinx_nbcache.store.inventory import Inventory, Limits, Pruned, Stored
from sphinx_nbcache.store.jupyter_cache import (
    OldCache,
    OldRun,
    is_jupyter_cache,
    read_jupyter_cache,
)
from sphinx_nbcache.store.memos import Memos
from sphinx_nbcache.store.objects import Objects, is_listing, read_digest
from sphinx_nbcache.store.pieces import UnreadableError
from sphinx_nbcache.store.project_list import NotebookRecord, ProjectList
from sphinx_nbcache.store.remote import Caution, Contents, Remote
from sphinx_nbcache.store.remote_files import Listed
from sphinx_nbcache.store.signing import SigningKeys
from sphinx_nbcache.store.stamps import Stamps
from sphinx_nbcache.store.store import Claim, Store
from sphinx_nbcache.store.tracking import Tracking

__all__ = [
    "STORE_FORMAT",
    "Caution",
    "Claim",
    "Contents",
    "Entries",
    "FailedRun",
    "Flow",
    "Imported",
    "Index",
    "Inventory",
    "Limits",
    "Listed",
    "Memos",
    "News",
    "NotebookRecord",
    "Objects",
    "OldCache",
    "OldRun",
    "PageRow",
    "Problem",
    "ProjectList",
    "Pruned",
    "Remote",
    "SigningKeys",
    "Stamps",
    "Store",
    "Stored",
    "Tracking",
    "UnreadableError",
    "is_jupyter_cache",
    "is_listing",
    "place_atomically",
    "read_digest",
    "read_jupyter_cache",
    "remove_abandoned_drafts",
    "run_git",
    "take_stamp",
]
