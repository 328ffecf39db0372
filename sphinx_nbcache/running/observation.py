"""What a kernel is asked when its notebook is done, without a trace in the notebook.

The questions are silent requests: no output, no execution count, no history.
"""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterable
from typing import Any

from sphinx_nbcache.running.kernel import Kernel

_PYTHON = "python"
_TIMEOUT_S = 5.0


async def find_imported(kernel: Kernel, modules: Iterable[str]) -> frozenset[str] | None:
    """Return those of some modules that a Python kernel has imported; None if it cannot tell."""
    if kernel.language_info.get("name") != _PYTHON:
        return None
    names = sorted(modules)
    reply = await _ask(kernel, f"[n for n in {names} if n in __import__('sys').modules]")
    try:
        return None if reply is None else frozenset(ast.literal_eval(reply))
    except (ValueError, SyntaxError):
        return None


async def _ask(kernel: Kernel, expression: str) -> str | None:
    """Return the text of an expression's value, or None when there is no answer."""
    channels: Any = kernel.client.kc
    question = channels.execute(
        "", silent=True, store_history=False, user_expressions={"answer": expression}
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            while True:
                message: dict[str, Any] = await channels.shell_channel.get_msg()
                if message["parent_header"].get("msg_id") == question:
                    break
        text: str = message["content"]["user_expressions"]["answer"]["data"]["text/plain"]
    except (TimeoutError, LookupError):
        return None
    return text
