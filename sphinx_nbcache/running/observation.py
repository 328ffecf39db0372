"""What a kernel's tracer saw, asked for without a trace in the notebook.

Owns how the tracer gets into the kernel and its report out of it, by silent requests: no
output, no execution count, no history. What is seen and how is in ``tracer.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from functools import cache
from pathlib import Path
from queue import Empty
from typing import Any

from sphinx_nbcache.config import MEMO_KEYS_ATTRIBUTE
from sphinx_nbcache.model import FileStamp, Interpreter, Listing, Module, Observation, Read
from sphinx_nbcache.running.forking import ForkedProcess
from sphinx_nbcache.running.kernel import Kernel
from sphinx_nbcache.running.preloading import SAFE

_PYTHON = "python"
_TIMEOUT_S = 5.0
_POLL_S = 0.25
_ABORTED_POLL_S = 0.02
_ABORTED_POLLS = 25
_SCRIPTS = ("interpreter.py", "tracer_modules.py", "tracer.py")


async def begin_observing(kernel: Kernel, memo_keys: str = "") -> None:
    """Have a Python kernel look at what its notebook does, from now on.

    A forked one has its tracer already. One that cannot be observed is left as it is.

    :param memo_keys: what it signs memos with.
    """
    if kernel.language_info.get("name") != _PYTHON:
        return
    steps = ["__import__('sys').audit('sphinx_nbcache.start')"]
    if not isinstance(getattr(kernel.manager.provisioner, "process", None), ForkedProcess):
        steps.insert(0, _install())
    if memo_keys:
        steps.insert(0, f"setattr(__import__('sys'), {MEMO_KEYS_ATTRIBUTE!r}, {memo_keys!r})")
    await _ask(kernel, f"({', '.join(steps)},)")


async def end_observing(kernel: Kernel) -> Observation | None:
    """Return what a kernel's notebook did so far; None if nobody looked."""
    if kernel.language_info.get("name") != _PYTHON:
        return None
    descriptor, name = tempfile.mkstemp(prefix="nbcache-", suffix=".json")
    os.close(descriptor)
    report = Path(name)
    try:
        await _ask(kernel, f"__import__('sys').audit('sphinx_nbcache.report', {name!r})")
        return _parse(json.loads(report.read_bytes()))
    except (OSError, ValueError, TypeError, LookupError):
        return None
    finally:
        report.unlink(missing_ok=True)


def find_learned(observation: Observation | None, kernel: Kernel) -> frozenset[str] | None:
    """Return the libraries a notebook imported, of those that kernels may share.

    A submodule that was preloaded came with its library, whoever wanted it: it is left out,
    or it would be preloaded for ever.
    """
    if observation is None:
        return None
    found = {module.name for module in observation.modules} & SAFE.keys()
    if kernel.has_preloaded:
        provisioner: Any = kernel.manager.provisioner
        found -= {name for name in provisioner.preload if "." in name}
    return frozenset(found)


@cache
def _install() -> str:
    """Return the expression that installs the tracer, in names of its own."""
    texts = [Path(__file__).with_name(file).read_text(encoding="utf-8") for file in _SCRIPTS]
    name = "<sphinx_nbcache tracer>"
    return (
        "(lambda b, names: "
        f"[b.exec(b.compile(text, {name!r}, 'exec', 0, True, 2), names) for text in {texts!r}]"
        " and names['install'](names['describe_interpreter'], names['list_modules'])"
        f")(__import__('builtins'), {{'__name__': {name!r}}})"
    )


async def _ask(kernel: Kernel, expression: str) -> None:
    """Have a kernel evaluate an expression; wait until it has, or nobody can hope for it."""
    for _ in range(_ABORTED_POLLS):
        reply = await _request(kernel, expression)
        # For a moment after a cell that failed, a kernel answers so whatever it is asked.
        if reply is None or reply["content"].get("status") != "aborted":
            return
        await asyncio.sleep(_ABORTED_POLL_S)


async def _request(kernel: Kernel, expression: str) -> dict[str, Any] | None:
    """Send a silent request; return its reply, or None when there is none."""
    channels: Any = kernel.client.kc
    question = channels.execute(
        "", silent=True, store_history=False, user_expressions={"answer": expression}
    )
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            reply: dict[str, Any] = await channels.shell_channel.get_msg(timeout=_POLL_S)
        except Empty:
            if not await kernel.manager.is_alive():
                return None
            continue
        if reply["parent_header"].get("msg_id") == question:
            return reply
    return None


def _parse(report: dict[str, Any]) -> Observation:
    """Return a report's values; raises ValueError, TypeError or LookupError if it is none."""
    interpreter = report["interpreter"]
    return Observation(
        interpreter=Interpreter(
            implementation=interpreter["implementation"],
            version=interpreter["version"],
            prefixes=tuple(interpreter["prefixes"]),
            library_folders=tuple(interpreter["library_folders"]),
            site_folders=tuple(interpreter["site_folders"]),
        ),
        reads=tuple(
            Read(path, _parse_stamp(stamp), digest) for path, stamp, digest in report["reads"]
        ),
        writes=tuple(report["writes"]),
        listings=tuple(
            Listing(path, None if names is None else tuple(names))
            for path, names in report["listings"]
        ),
        modules=tuple(
            Module(name, file, importer, _parse_stamp(stamp))
            for name, file, importer, stamp in report["modules"]
        ),
        notes=tuple(report["notes"]),
    )


def _parse_stamp(stamp: list[int] | None) -> FileStamp | None:
    return None if stamp is None else (stamp[0], stamp[1], stamp[2])
