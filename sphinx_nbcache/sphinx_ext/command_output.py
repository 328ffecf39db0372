"""What a command wrote, made fit for a page: paths that mean something, colours kept."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Links and cursor movements, and what a terminal would have written over.
_OTHER_CODES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-ln-z]|^.*\r(?!\n)", re.MULTILINE
)
_PLAIN, _COLOURED = "console", "myst-ansi"
_WITH_LEXER = "format_html or format_latex"
"""Sphinx's tags of the builders that make colours of ANSI codes."""


def shorten_paths(text: str, *, folder: Path, cache: Path | None) -> str:
    """Return a text with paths as they read from the documentation's own folder.

    :param folder: the current folder of the command; shown as ``..``.
    :param cache: the page's own cache, if it has one; shown as if it lay in that folder.
    """
    shown = dict.fromkeys(_spell(Path("~").expanduser()), "~")
    shown.update(dict.fromkeys(_spell(folder), ".."))
    if cache is not None:
        shown.update(dict.fromkeys(_spell(cache), f"../{cache.name}"))
        with suppress(ValueError):  # on another drive of Windows
            shown[os.path.relpath(cache, folder)] = cache.name
    return _replace_paths(text, shown)


def _spell(path: Path) -> Iterator[str]:
    """Yield a path as it is written, and with its links resolved; not the root of all paths."""
    for spelling in (path, path.resolve()):
        if spelling.is_absolute() and spelling != spelling.parent:
            yield str(spelling)


def _replace_paths(text: str, shown: Mapping[str, str]) -> str:
    """Replace whole paths and beginnings of paths, the longest first."""
    paths = sorted(shown, key=len, reverse=True)
    either = "|".join(map(re.escape, paths))
    start = rf"({_COLOURS.pattern}|(?<![\w./\\~-]))"  # a code ends with a letter
    pattern = re.compile(rf"{start}({either})(?![\w-]|\.\w)")
    return pattern.sub(lambda found: found[1] + shown[found[2]], text)


def strip_codes(text: str) -> str:
    """Return a text without ANSI codes."""
    return _COLOURS.sub("", _OTHER_CODES.sub("", text))


def make_blocks(text: str) -> list[nodes.Node]:
    """Return a console block, or the same with colours where the builder can show them."""
    text = _OTHER_CODES.sub("", text)
    plain = _make_block(strip_codes(text), _PLAIN)
    if not _COLOURS.search(text):
        return [plain]
    coloured = addnodes.only("", _make_block(text, _COLOURED), expr=_WITH_LEXER)
    return [coloured, addnodes.only("", plain, expr=f"not ({_WITH_LEXER})")]


def _make_block(text: str, language: str) -> nodes.literal_block:
    # Forced: what a command writes need not look like a session to the lexer.
    return nodes.literal_block(text, text, language=language, force=True)
