"""Trust: which records of a store may answer, by who has signed them.

Where there are keys, what one of them has signed. Where there are none, all; but in a cache that
lives in a git repository a memo that has to be unpickled, which runs what it says, may have come
from anybody who can commit. It answers on the machine that made it. A key tells, which lies in
git's own folder, as a commit could bring a key.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from sphinx_nbcache.model import Entry, Memo
from sphinx_nbcache.store.files import place_atomically
from sphinx_nbcache.store.git import find_git_folder, is_in_index
from sphinx_nbcache.store.signing import SHORTEST_KEY, SigningKeys

NO_KEYS = SigningKeys()
UNSIGNED = "is not signed with one of the keys"
NOT_OURS = (
    "has to be unpickled, and the cache is in a git repository, from where it may have come: set "
    "NBCACHE_SIGNING_KEY, or nbcache_trust_remote where all who can commit may run code here"
)
_RECORD = re.compile(rb"memos/[0-9a-f]{2}/[0-9a-f]{64}/[0-9a-f]{64}\.json")
_ENTRY, _MEMO = "entry", "memo"
"""What signatures are of."""


class Trust:
    """Whom one store trusts.

    :param folder: of the store.
    :param keys: what entries are signed with, and have to be signed with to answer.
    :param memo_keys: the same for memos; None for keys that are derived from the others.
    """

    def __init__(self, folder: Path, keys: SigningKeys, memo_keys: SigningKeys | None) -> None:
        self.keys = keys
        self.memo_keys = keys.derive(_MEMO) if memo_keys is None else memo_keys
        self.may_unpickle = False
        """Whether all who can write to a cache that is shared may run code here."""
        self._folder = folder

    def sign_entry(self, entry: Entry) -> Entry:
        """Return an entry with the signature that it is stored with."""
        return replace(entry, signature=self.keys.sign(_ENTRY, entry.to_signable()))

    def sign_memo(self, memo: Memo) -> Memo:
        """Return a memo with the signature that it is stored with.

        Raises OSError when the key of this machine is needed and cannot be written.
        """
        keys = self.memo_keys or (self._make_own_keys() if self._is_risky(memo) else NO_KEYS)
        return replace(memo, signature=keys.sign(_MEMO, memo.to_signable())) if keys else memo

    def is_trusted(self, record: Entry | Memo) -> bool:
        """Return whether a record may be used: all may where there are no keys."""
        is_memo = isinstance(record, Memo)
        keys, kind = (self.memo_keys, _MEMO) if is_memo else (self.keys, _ENTRY)
        return not keys or keys.verify(kind, record.to_signable(), record.signature)

    def find_doubt(self, memo: Memo) -> str:
        """Return why a memo in the store may not answer; empty if it may."""
        if not self.is_trusted(memo):
            return UNSIGNED
        if self.memo_keys or self.may_unpickle or not self._is_risky(memo):
            return ""
        is_ours = self._own_keys.verify(_MEMO, memo.to_signable(), memo.signature)
        return "" if is_ours else NOT_OURS

    def _is_risky(self, memo: Memo) -> bool:
        return memo.is_pickled and ((self._folder / ".gitattributes").exists() or self._is_tracked)

    @cached_property
    def _is_tracked(self) -> bool:
        """Return whether git brought memos, whatever a commit has done to what marks the cache."""
        git = find_git_folder(self._folder)
        return git is not None and is_in_index(git, _RECORD)

    @property
    def _own_key(self) -> Path | None:
        """Return the file of this machine's key: beside the commits, as one could bring a key."""
        git = find_git_folder(self._folder)
        return None if git is None else git / "nbcache-memo-key"

    @cached_property
    def _own_keys(self) -> SigningKeys:
        try:
            text = self._own_key.read_text("ascii").strip() if self._own_key else ""
        except (OSError, ValueError):
            return NO_KEYS
        return SigningKeys([text] if len(text) >= SHORTEST_KEY else [])

    def _make_own_keys(self) -> SigningKeys:
        """Return the keys of this machine, made if there are none yet."""
        if not self._own_keys and self._own_key is not None:
            key = secrets.token_hex(32).encode("ascii")
            place_atomically(self._own_key, [key], mode=0o600, confirm=lambda: None)
            del self._own_keys
        return self._own_keys
