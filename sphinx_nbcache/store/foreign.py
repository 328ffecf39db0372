"""Files of another store: the names that they may have, and the records that are believed.

A remote and an archive have the layout of a store. Their names are matched before they become
paths, and what they hold is read within limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sphinx_nbcache.model import Entry, Memo
from sphinx_nbcache.store.entries import Entries, Problem
from sphinx_nbcache.store.memos import Memos

OBJECT_FILE = re.compile(r"objects/[0-9a-f]{2}/[0-9a-f]{62}(\.zst|\.chunks)?")
ENTRY_FILE = re.compile(r"entries/([0-9a-f]{2})/(\1[0-9a-f]{62}/[0-9a-f]{64})\.json")
"""The second group is the entry's name."""
MEMO_FILE = re.compile(r"memos/([0-9a-f]{2})/(\1[0-9a-f]{62}/[0-9a-f]{64})\.json")
"""The second group is the memo's name."""
_LARGEST_ENTRY_BYTES = 32 << 20
_LARGEST_MEMO_BYTES = 128 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


def parse_foreign(
    name: str, size_bytes: int, read: Callable[[], bytes], *, entries: Entries, memos: Memos
) -> Entry | Memo | Problem:
    """Return the record in a file of another store, or what is wrong with it.

    :param name: of the file: one that an entry or a memo has.
    :param size_bytes: what the other store says of its size; a file too large is not read.
    :param read: returns what is in it; what that raises goes through.
    """
    path, is_memo = Path(name), MEMO_FILE.fullmatch(name)
    if size_bytes > (most := _LARGEST_MEMO_BYTES if is_memo else _LARGEST_ENTRY_BYTES):
        return Problem(path, f"it is larger than {most} bytes")
    found = (memos if is_memo else entries).parse(path, read())
    if isinstance(found, Problem) or all(map(_DIGEST.fullmatch, (found.key, *found.objects))):
        return found
    return Problem(path, "it names objects by what is no digest")
