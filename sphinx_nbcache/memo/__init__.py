"""Memoized functions and cells: computed once, for every process and colleague.

The module is its own decorator: ``from sphinx_nbcache import memo`` and ``@memo``.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from sphinx_nbcache.memo.engine import Answer, Engine, Question
from sphinx_nbcache.memo.functions import CacheInfo, Decorator, Memoized
from sphinx_nbcache.memo.notices import MemoWarning
from sphinx_nbcache.memo.opening import get_engine
from sphinx_nbcache.memo.settings import config

__all__ = [
    "Answer",
    "CacheInfo",
    "Decorator",
    "Engine",
    "MemoWarning",
    "Memoized",
    "Question",
    "config",
    "decorator",
    "get_engine",
    "register_magics",
    "unregister_magics",
]


def register_magics(shell: Any) -> None:
    """Give an IPython shell ``%%nbmemo`` and ``%nbmemo_status``."""
    from sphinx_nbcache.memo.magics import MemoMagics

    shell.register_magics(MemoMagics)


def unregister_magics(shell: Any) -> None:
    """Take the magics away from a shell."""
    for kind, name in (("cell", "nbmemo"), ("cell", "xetmemo"), ("line", "nbmemo_status")):
        shell.magics_manager.magics[kind].pop(name, None)


sys.modules[__name__].__class__ = Decorator
decorator = cast("Decorator", sys.modules[__name__])
"""The module itself, as type checkers should see it."""
