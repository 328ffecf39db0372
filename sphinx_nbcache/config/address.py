"""Addresses of remotes: what a right one looks like, and how one is shown without its secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SIGNING_VARIABLE = "NBCACHE_SIGNING_KEY"
"""Environment variable with the keys for signatures; never an option: those are written down."""
REMOTE_VARIABLE = "NBCACHE_REMOTE"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_SECRETS = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"(?<=\?)[^\s'\"]+")


def check_address(value: Any) -> str:
    """Return an address such as ``s3://bucket/folder``; empty for none."""
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value.strip()):
        raise ValueError
    return value.strip().rstrip("/")


def mask_address(text: str) -> str:
    """Return a text with what can be secret in its addresses left out: user, password, query."""
    return _QUERY.sub("***", _SECRETS.sub("***@", text)) if "://" in text else text


def has_secrets(address: str) -> bool:
    """Return whether an address holds something that is not to be written down."""
    return mask_address(address) != address


def leave_out_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables without those of ours that no other process is to have."""
    kept = dict(environment)
    kept.pop(SIGNING_VARIABLE, None)
    if has_secrets(kept.get(REMOTE_VARIABLE, "")):
        del kept[REMOTE_VARIABLE]
    return kept
