"""The names of xetcache, for those who move over: ``from sphinx_nbcache.memo import xetcache``.

What was XetHub's, which is no more, says what takes its place.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.memo import MemoWarning, config, get_engine, unregister_magics
from sphinx_nbcache.memo import decorator as memo
from sphinx_nbcache.memo.magics import MemoMagics

__all__ = [
    "config",
    "get_memo_path",
    "get_runtime_threshold",
    "load_ipython_extension",
    "login",
    "set_memo_path",
    "set_runtime_threshold",
    "set_xet_project",
    "unload_ipython_extension",
    "xeteval",
    "xeteval_always",
    "xetmemo",
    "xetmemo_always",
]

_PATH_VARIABLE = "NBCACHE_MEMO_PATH"

xetmemo = memo
xetmemo_always = memo.always
xeteval = memo.call
xeteval_always = memo.call_always
set_runtime_threshold = memo.set_runtime_threshold
get_runtime_threshold = memo.get_runtime_threshold


def get_memo_path() -> str:
    """Return the folder of the cache."""
    return str(get_engine().store.path)


def set_memo_path(path: str | os.PathLike[str]) -> None:
    """Keep what is computed in another folder, for this process and those it starts.

    Raises ConfigurationError for an address that is no folder.
    """
    text = os.fspath(path)
    if "://" in text:
        raise ConfigurationError("memo path", text, "a folder; one that all can reach is shared")
    os.environ[_PATH_VARIABLE] = str(Path(text).expanduser().absolute())


def set_xet_project(project: str, private: bool = True) -> None:
    """Say what shares a cache now, as XetHub did with projects."""
    _say_gone(
        f"set_xet_project({project!r})",
        "a cache is shared by all who name the same remote in NBCACHE_REMOTE or nbcache_remote",
    )


def login(user: str, token: str, email: str | None = None, host: str | None = None) -> None:
    """Say who knows your credentials now."""
    _say_gone(
        "login()",
        "a remote's own library looks for credentials; `nbcache remote login-test` tries them",
    )


def _say_gone(call: str, instead: str) -> None:
    text = f"{call} does nothing, as XetHub is closed; {instead}"
    warnings.warn(text, MemoWarning, stacklevel=3)


@magics_class
class XetMagics(Magics):  # type: ignore[misc,unused-ignore]
    """``%%xetmemo``, which is ``%%nbmemo``."""

    def __init__(self, memo_magics: MemoMagics) -> None:
        super().__init__(memo_magics.shell)
        self._memo_magics = memo_magics

    @no_var_expand
    @cell_magic
    def xetmemo(self, line: str, cell: str) -> None:
        """Run a cell once, as ``%%nbmemo`` does."""
        self._memo_magics.run_memoized(line, cell)


def load_ipython_extension(shell: Any) -> None:
    """Give a shell ``%%xetmemo`` and ``%%nbmemo``: ``%load_ext sphinx_nbcache.memo.xetcache``."""
    magics = MemoMagics(shell)
    shell.register_magics(magics, XetMagics(magics))


def unload_ipython_extension(shell: Any) -> None:
    """Take the magics away again."""
    unregister_magics(shell)
