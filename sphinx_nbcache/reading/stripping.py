"""An ``.ipynb`` file's bytes without its outputs, all else left as it stands.

What goes is what nbstripout takes out, but for the ids of cells: those are their author's.
Knows bytes only; folders and git are other modules' business.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from sphinx_nbcache.errors import ConfigurationError, MissingExtraError, NotebookReadError

STRIPPED_KEYS = (
    "metadata.signature",
    "metadata.widgets",
    "cell.metadata.collapsed",
    "cell.metadata.ExecuteTime",
    "cell.metadata.execution",
    "cell.metadata.heading_collapsed",
    "cell.metadata.hidden",
    "cell.metadata.scrolled",
)
"""What else executing and looking leave in a notebook: those that nbstripout knows, too."""
_INDENTS = (1, 2, 4, "\t", None)
_LIBRARY, _EXTRA = "nbstripout", "strip"

Content = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StripRules:
    """What is taken out of notebooks, beside the word of their own ``keep_output``."""

    keep_output: bool = False
    keep_count: bool = False
    extra_keys: tuple[str, ...] = ()
    """Further keys to take out: ``metadata.<key>`` or ``cell.<key>``."""

    def __post_init__(self) -> None:
        """Refuse what nbstripout would only ignore."""
        for key in self.extra_keys:
            if not key.startswith(("metadata.", "cell.")) or key.endswith("."):
                expected = "a key that begins with 'metadata.' or 'cell.'"
                raise ConfigurationError("--extra-key", key, expected)


def require_stripper() -> None:
    """Make sure that notebooks can be stripped.

    Raises MissingExtraError.
    """
    if not _is_installed():
        raise MissingExtraError(_LIBRARY, _EXTRA)


@cache
def _is_installed() -> bool:
    return find_spec(_LIBRARY) is not None


def strip_bytes(path: Path, data: bytes, rules: StripRules) -> bytes:
    """Return a notebook file's bytes without outputs; the very same where there are none.

    :param path: for messages.

    Raises NotebookReadError for bytes that are no notebook, MissingExtraError.
    """
    require_stripper()
    try:
        return _strip_text(path, data.decode("utf-8"), rules).encode("utf-8")
    except UnicodeDecodeError as error:
        raise NotebookReadError(path, f"it is not UTF-8 text ({error.reason})") from error


def _strip_text(path: Path, text: str, rules: StripRules) -> str:
    content = _parse(path, text)
    keys = (*STRIPPED_KEYS, *rules.extra_keys)
    if not any(_find_traces(content, keys)):
        return text
    stripped = _strip(path, content, rules, keys)
    return text if stripped == content else _write_alike(content, stripped, text)


def _parse(path: Path, text: str) -> Content:
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise NotebookReadError(path, f"it is not JSON: {error}") from error
    if flaw := _find_flaw(content):
        raise NotebookReadError(path, flaw)
    found: Content = content
    return found


def _find_flaw(content: Any) -> str:
    """Return why something is no notebook; empty if it is one."""
    if not isinstance(content, dict) or not isinstance(content.get("nbformat"), int):
        return "it is JSON, but has no 'nbformat'"
    if not isinstance(content.get("metadata"), dict):
        return "it has no metadata"
    sheets = [content] if content["nbformat"] >= 4 else content.get("worksheets")
    if not isinstance(sheets, list) or not all(isinstance(sheet, dict) for sheet in sheets):
        return "it has no list of worksheets"
    if not all(isinstance(sheet.get("cells"), list) for sheet in sheets):
        return "it has no list of cells"
    for number, cell in enumerate((cell for sheet in sheets for cell in sheet["cells"]), 1):
        if not _is_cell(cell):
            return f"cell {number} is not a cell"
    return ""


def _is_cell(cell: Any) -> bool:
    if not isinstance(cell, dict) or not isinstance(cell.get("metadata", {}), dict):
        return False
    outputs = cell.get("outputs", [])
    return isinstance(outputs, list) and all(isinstance(output, dict) for output in outputs)


def _list_cells(content: Content) -> list[Content]:
    sheets = [content] if content["nbformat"] >= 4 else content["worksheets"]
    return [cell for sheet in sheets for cell in sheet["cells"]]


def _find_traces(content: Content, keys: tuple[str, ...]) -> Iterator[bool]:
    """Yield whether something may have to go: where nothing may, the library is not asked.

    Importing it takes seconds in some environments, and most notebooks of a project that
    keeps its sources clean are clean.
    """
    cells = _list_cells(content)
    for cell in cells:
        yield bool(cell.get("outputs"))
        yield any(cell.get(name) is not None for name in ("execution_count", "prompt_number"))
    for key in keys:
        place, _, name = key.partition(".")
        yield any(
            _has(node, name) for node in (cells if place == "cell" else [content["metadata"]])
        )


def _has(node: Any, name: str) -> bool:
    """Return whether a key, whose parts stand between dots, is in a node."""
    if not isinstance(node, Mapping):
        return False
    head, _, rest = name.partition(".")
    return name in node or (bool(rest) and _has(node.get(head), rest))


def _strip(path: Path, content: Content, rules: StripRules, keys: tuple[str, ...]) -> Content:
    import nbstripout
    from nbformat import from_dict

    try:
        stripped: Content = nbstripout.strip_output(
            from_dict(deepcopy(content)),
            keep_output=True if rules.keep_output else None,
            keep_count=rules.keep_count,
            keep_id=True,
            extra_keys=list(keys),
        )
    except Exception as error:
        raise NotebookReadError(path, f"nbstripout cannot strip it: {error}") from error
    return stripped


def _write_alike(content: Content, stripped: Content, text: str) -> str:
    """Return what was stripped in the style in which it had been written.

    That is the style which gives the old text from the old content. Where none does, as when
    a person wrote it, the nearest is taken.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    body = text.removeprefix("\ufeff").rstrip()
    before, after = text[: text.index(body)], text[text.index(body) + len(body) :]
    plain = body.replace("\r\n", "\n")
    styles = [*product(_INDENTS, (False, True), (False, True))]
    guess = (_guess_indent(plain), body.isascii(), False)
    style = next((style for style in styles if _dump(content, style) == plain), guess)
    return before + _dump(stripped, style).replace("\n", end) + after


def _dump(content: Content, style: tuple[int | str | None, bool, bool]) -> str:
    indent, is_ascii, is_tight = style
    separators = (",", ":") if is_tight else (",", ": ") if indent is not None else (", ", ": ")
    text = json.dumps(content, indent=indent, ensure_ascii=is_ascii, separators=separators)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a pair, which can only be written as an escape
        return json.dumps(content, indent=indent, separators=separators)
    return text


def _guess_indent(text: str) -> int | str | None:
    _, _, rest = text.partition("\n")
    spaces = rest[: len(rest) - len(rest.lstrip(" \t"))]
    if not rest:
        return None
    return "\t" if "\t" in spaces else len(spaces) or 1
