"""The engine of the current folder's project: which cache, which remote, which keys."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

from sphinx_nbcache.config import (
    MEMO_KEYS_ATTRIBUTE,
    MEMO_PATH_VARIABLE,
    MEMO_SIGNED_VARIABLE,
    SIGNING_VARIABLE,
    Config,
    find_cache_path,
    find_project_root,
)
from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.memo.engine import Engine
from sphinx_nbcache.memo.notices import Notices
from sphinx_nbcache.memo.remote_memos import (
    FAILED,
    VARIABLES,
    RemoteMemos,
    RemoteTerms,
    read_terms,
)
from sphinx_nbcache.memo.settings import config
from sphinx_nbcache.model import Topic
from sphinx_nbcache.store import SigningKeys, Store

_PATH_VARIABLES = (MEMO_PATH_VARIABLE, "NBCACHE_PATH", "JUPYTERCACHE")
_VARIABLES = (*_PATH_VARIABLES, *VARIABLES, SIGNING_VARIABLE, MEMO_SIGNED_VARIABLE)
_KEYLESS = (
    "values have to be signed here, and this process was not handed the keys: all are computed, "
    "and none is stored"
)
Environment = tuple[str | None, ...]
"""The values of ``_VARIABLES``."""


def get_engine() -> Engine:
    """Return the engine for the cache of the current folder's project.

    Raises ConfigurationError for a signing key that is too short.
    """
    environment = tuple(map(os.environ.get, _VARIABLES))
    # A child that was forked has none of its parent's threads and connections.
    return _find(os.getcwd(), environment, _get_handed_keys(), os.getpid())  # noqa: PTH109 - on every call


def _get_handed_keys() -> str:
    """Return the keys that a kernel was handed by its build."""
    return getattr(sys, MEMO_KEYS_ATTRIBUTE, "")


@lru_cache(maxsize=100)
def _find(folder: str, environment: Environment, handed: str, process: int) -> Engine:
    variables = _drop_unset(environment)
    given = next((variables[name] for name in _PATH_VARIABLES if variables.get(name)), None)
    path = Config.from_values({"path": given}, {}).path
    start = Path(folder)
    path = find_cache_path(path, start=start, root=find_project_root(start))
    return _open(path, environment, handed, process)


@lru_cache(maxsize=100)
def _open(path: Path, environment: Environment, handed: str, process: int) -> Engine:
    variables = _drop_unset(environment)
    keys = SigningKeys.from_text(variables.get(SIGNING_VARIABLE, ""))
    memo_keys = SigningKeys.from_text(handed) if handed else None
    store = Store(path, keys, memo_keys)
    terms, problem = _read_terms(variables)
    store.trust.may_unpickle = terms.config.trust_remote
    notices = Notices(terms.notices)
    may_keep = bool(store.trust.memo_keys) or not variables.get(MEMO_SIGNED_VARIABLE)
    if problem:
        notices.tell(problem)
    if not may_keep:
        notices.tell(_KEYLESS, Topic.STORE)
    is_shared = may_keep and terms.config.remote
    remote = RemoteMemos(store, terms.config, notices) if is_shared else None
    return Engine(store, config, notices=notices, remote=remote, may_keep=may_keep)


def _read_terms(variables: dict[str, str]) -> tuple[RemoteTerms, str]:
    """Return what the environment tells of the remote, and what is wrong with that."""
    try:
        return read_terms(variables), ""
    except ConfigurationError as error:
        return RemoteTerms(config=Config()), f"{FAILED}: {error}"


def _drop_unset(environment: Environment) -> dict[str, str]:
    pairs = zip(_VARIABLES, environment, strict=True)
    return {name: value for name, value in pairs if value is not None}
