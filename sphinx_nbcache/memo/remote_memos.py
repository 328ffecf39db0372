"""The remote as memoized functions and cells see it: asked for what is not here.

It only saves time: whatever is wrong with it is told once, and the value is computed. In a
kernel of a build what there is to tell goes to the build, which also does the sending.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx_nbcache.config import MEMO_REMOTE_VARIABLE, Config
from sphinx_nbcache.errors import MissingExtraError, RemoteError, StoreError
from sphinx_nbcache.memo.notices import Notices
from sphinx_nbcache.model import Memo
from sphinx_nbcache.store import Caution, News, Remote, Store

_OPTIONS = ("remote", "remote_mode", "remote_timeout", "trust_remote")
VARIABLES = (MEMO_REMOTE_VARIABLE, *(f"NBCACHE_{name.upper()}" for name in _OPTIONS))
"""The environment variables that ``read_terms`` looks at."""
_FAILURES = (RemoteError, MissingExtraError, StoreError)
_UNPICKLED = (
    "values in the remote cache that have to be unpickled are not used, as they are not signed "
    "(NBCACHE_SIGNING_KEY; or nbcache_trust_remote, where nobody else can write to the remote)"
)
FAILED = "values are computed without the remote cache"
_REFUSED = (
    "values in the remote cache are not signed with one of the keys of NBCACHE_SIGNING_KEY "
    "and are not used"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTerms:
    """What a process was told of the remote."""

    config: Config
    """Its options of that name count."""
    notices: Path | None = None
    """File for what there is to tell; None where that is warnings."""


def read_terms(variables: Mapping[str, str]) -> RemoteTerms:
    """Return what the environment tells.

    A kernel hears of its build's remote, and sends nothing itself. Raises ConfigurationError.
    """
    text = variables.get(MEMO_REMOTE_VARIABLE)
    if not text:
        known = {f"NBCACHE_{name.upper()}" for name in _OPTIONS}
        given = {name: value for name, value in variables.items() if name in known}
        return RemoteTerms(config=Config.from_values({}, given))
    told: dict[str, Any] = json.loads(text)
    notices = Path(told.pop("notices"))
    return RemoteTerms(config=Config.from_values(told, {}), notices=notices)


class RemoteMemos:
    """The remote of one process, for one store.

    :param config: its options of the remote count.
    """

    def __init__(self, store: Store, config: Config, notices: Notices) -> None:
        self._store = store
        self._notices = notices
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._has_begun = False
        self._may_write = config.remote_mode == "read-write"
        self._remote: Remote | None = None
        if config.remote:
            self._remote = Remote(
                config.remote,
                store,
                silence_s=config.remote_timeout,
                caution=Caution(may_unpickle=config.trust_remote),
            )

    def bring(self, family: str, key: str, is_wanted: Callable[[Memo], bool]) -> bool:
        """Take the answer to a question into the store; return whether there was one.

        :param is_wanted: whether a memo may answer.
        """
        with self._lock:
            remote = self._remote
            if remote is None or self._has_failed_elsewhere():
                return False
            try:
                found = remote.find_memos([f"{family}/{key}"])
                brought = remote.fetch([memo for memo in found if is_wanted(memo)])
            except _FAILURES as error:
                self._fail(remote, error)
                return False
            self._tell_of(remote)
            if brought:
                self._store.note_build(News())
            return bool(brought)

    def offer(self, memo: Memo) -> None:
        """Have a new memo put there, if this process may; go on meanwhile, if it can wait later."""
        with self._lock:
            if self._remote is None or not self._may_write:
                return
            atexit.unregister(self.finish)
            atexit.register(self.finish)
            self._remote.send(memo)
        if _is_worker():
            self.finish()

    def finish(self) -> None:
        """Wait until all is put there."""
        if os.getpid() != self._process:
            return  # of a fork: the threads that send, and perhaps hold the lock, are not here
        with self._lock:
            if self._remote is None:
                return
            try:
                self._remote.finish()
            except _FAILURES as error:
                self._may_write = False
                self._notices.tell(f"new values are not all in the remote cache: {error}")

    def _fail(self, remote: Remote, error: Exception) -> None:
        remote.close()
        self._remote = None
        self._notices.tell(f"{FAILED}: {error}")

    def _has_failed_elsewhere(self) -> bool:
        """Return whether another kernel of the build has waited for it in vain."""
        if self._has_begun:
            return False
        self._has_begun = True
        if has_failed := self._notices.has_elsewhere(FAILED):
            self._remote = None
        return has_failed

    def _tell_of(self, remote: Remote) -> None:
        if remote.problems:
            self._notices.tell(
                f"some of the remote cache {remote.shown} is not used: {remote.problems[0]}"
            )
        if remote.refused:
            self._notices.tell(_REFUSED)
        if remote.pickled:
            self._notices.tell(_UNPICKLED)


def _is_worker() -> bool:
    """Return whether multiprocessing started this process, and ends it without what is to be done.

    Its forks run nothing at their exit, and pools terminate theirs.
    """
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None
