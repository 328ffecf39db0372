"""Every option, declared once, and the places that follow from them."""

from sphinx_nbcache.config.address import (
    SIGNING_VARIABLE,
    has_secrets,
    leave_out_secrets,
    mask_address,
)
from sphinx_nbcache.config.checks import check_duration, check_jobs, check_seconds, check_size
from sphinx_nbcache.config.option import Option
from sphinx_nbcache.config.options import OPTIONS, Config, choose_options
from sphinx_nbcache.config.place import (
    CACHE_FOLDER,
    MEMO_KEYS_ATTRIBUTE,
    MEMO_PATH_VARIABLE,
    MEMO_REMOTE_VARIABLE,
    MEMO_SIGNED_VARIABLE,
    ROOT_MARKS,
    find_cache_path,
    find_project_root,
)
from sphinx_nbcache.config.plugins import (
    EXECUTOR_GROUP,
    EXECUTORS,
    find_executor,
    list_executors,
)

__all__ = [
    "CACHE_FOLDER",
    "EXECUTORS",
    "EXECUTOR_GROUP",
    "MEMO_KEYS_ATTRIBUTE",
    "MEMO_PATH_VARIABLE",
    "MEMO_REMOTE_VARIABLE",
    "MEMO_SIGNED_VARIABLE",
    "OPTIONS",
    "ROOT_MARKS",
    "SIGNING_VARIABLE",
    "Config",
    "Option",
    "check_duration",
    "check_jobs",
    "check_seconds",
    "check_size",
    "choose_options",
    "find_cache_path",
    "find_executor",
    "find_project_root",
    "has_secrets",
    "leave_out_secrets",
    "list_executors",
    "mask_address",
]
