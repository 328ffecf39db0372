"""The engine of the current folder's project: which cache, which remote, which keys."""

from __future__ import annotations

import os
import sys
import warnings
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
from sphinx_nbcache.memo.engine import Engine, MemoWarning
from sphinx_nbcache.memo.remote_memos import VARIABLES, RemoteMemos, read_terms
from sphinx_nbcache.memo.settings import config
from sphinx_nbcache.store import SigningKeys, Store

_PATH_VARIABLES = (MEMO_PATH_VARIABLE, "NBCACHE_PATH", "JUPYTERCACHE")
_VARIABLES = (*_PATH_VARIABLES, *VARIABLES, SIGNING_VARIABLE, MEMO_SIGNED_VARIABLE)
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
    may_keep = bool(store.memo_keys) or not variables.get(MEMO_SIGNED_VARIABLE)
    if not may_keep:
        _warn(
            "values have to be signed here, and this process was not handed the keys: all are "
            "computed, and none is stored"
        )
    remote = _open_remote(store, variables) if may_keep else None
    return Engine(store, config, remote=remote, may_keep=may_keep)


def _open_remote(store: Store, variables: dict[str, str]) -> RemoteMemos | None:
    try:
        terms = read_terms(variables)
    except ConfigurationError as error:
        _warn(f"values are computed without the remote cache: {error}")
        return None
    return RemoteMemos(store, terms, _warn) if terms.config.remote else None


def _drop_unset(environment: Environment) -> dict[str, str]:
    pairs = zip(_VARIABLES, environment, strict=True)
    return {name: value for name, value in pairs if value is not None}


def _warn(text: str) -> None:
    warnings.warn(text, MemoWarning, stacklevel=2)
