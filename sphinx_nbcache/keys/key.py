"""From a notebook to its key. Pure: no clock, no folder, no environment is read.

The rule stands in ``docs/explanation/keys.md``; a change of it is a change of
``KEY_FORMAT``, and makes every entry stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sphinx_nbcache.model import Key, Notebook, digest_bytes, to_canonical_json

KEY_FORMAT = 1
EXECUTION_TAGS = frozenset({"skip-execution", "raises-exception", "parameters"})
"""The tags that change what is executed; all others only change how it is shown."""


def resolve_kernel(notebook: Notebook, aliases: Iterable[tuple[str, str]] = ()) -> str:
    """Return the name of the kernel to run: the notebook's, after ``kernel_rgx_aliases``.

    As in MyST-NB the first expression that matches the whole name wins, and a notebook
    that names no kernel is not subject to aliases.
    """
    if (notebook.metadata.get("kernelspec") or {}).get("name") is None:
        return notebook.kernel_name
    for expression, alias in aliases:
        if re.fullmatch(expression, notebook.kernel_name):
            return alias
    return notebook.kernel_name


def compute_key(question: bytes) -> Key:
    """Return the key of a question, as ``make_question`` gives it: its digest."""
    return Key(digest_bytes(question))


def make_question(
    notebook: Notebook,
    *,
    kernel: str,
    working_directory: str | None,
    allow_errors: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> bytes:
    """Return what is asked with a notebook, as canonical JSON, of which its key is the digest.

    :param kernel: name of the kernel, after aliases.
    :param working_directory: POSIX path relative to the project root; None where it runs
        in a temporary folder.
    :param allow_errors: whether every cell may raise.
    :param parameters: injected values, JSON types only.
    """
    cells = [
        [normalise_source(cell.source), sorted(cell.tags & EXECUTION_TAGS)]
        for cell in notebook.iterate_code_cells()
    ]
    asked = {
        "format": KEY_FORMAT,
        "kernel": kernel,
        "working_directory": working_directory,
        "allow_errors": allow_errors,
        "parameters": dict(parameters or {}),
        "cells": cells,
    }
    return to_canonical_json(asked)


def normalise_source(source: str) -> str:
    """Return a cell's code with Unix line ends and without blank lines at its end."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join(lines)
