"""The line of a memoized cell: ``%%nbmemo input=v1,f(x) output=v3 key=NAME always``.

Knows words only: neither the cell's code nor the variables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from IPython.core.error import UsageError

_ALLOWED = "input=NAMES, output=NAMES, key=NAME, always, always=True, always=False"
_OPTION = re.compile(r"(?P<name>[^\W\d]\w*)\s*(?P<sign>=(?!=))?(?P<value>.*)", re.DOTALL)
_LISTS = ("input", "output")
_SWITCHES = ("always", "magic")
_OPTIONS = (*_LISTS, "key", *_SWITCHES)
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_OPENING = "([{"
_CLOSING = ")]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellLine:
    """What a memoized cell's line says."""

    inputs: tuple[str, ...] | None = None
    """Expressions whose values are the question; None: found in the code."""
    outputs: tuple[str, ...] | None = None
    """Variables that are restored; None: found in the code."""
    key: str = ""
    always: bool = False
    """Whether the result is kept, however short the cell ran."""
    says_magic: bool = False
    """Whether ``always`` was given as ``magic``, as xetcache's example has it."""


def parse_cell_line(line: str) -> CellLine:
    """Return what a line says.

    Raises UsageError for what it cannot say, with what it can.
    """
    given: dict[str, str | None] = {}
    for name, value in _split_options(line):
        if name in given:
            raise UsageError(f"{name} is given twice: put all into one {name}=...")
        given[name] = value
    inputs, outputs = (_parse_list(name, given) for name in _LISTS)
    for output in outputs or ():
        if not output.isidentifier():
            raise UsageError(f"output={output}: only names of variables can be restored")
    return CellLine(
        inputs=inputs,
        outputs=outputs,
        key=_parse_key(given),
        always=any(_parse_switch(name, given) for name in _SWITCHES),
        says_magic="magic" in given,
    )


def _split_options(line: str) -> Iterator[tuple[str, str | None]]:
    """Yield each option's name and its value; None where there is no ``=``."""
    name, value = "", None
    for word in _split_words(line):
        match = _OPTION.fullmatch(word)
        is_option = match is not None and match["name"] in _OPTIONS
        if match is not None and is_option and (match["sign"] or not match["value"]):
            if name:
                yield name, value
            name, value = match["name"], match["value"] if match["sign"] else None
        elif name and (value is not None or word.startswith("=")) and _is_continued(value, word):
            # Spaces stand around a comma or the sign.
            value = word[1:] if value is None else value + word
        else:
            raise UsageError(f"{word} is not understood: a memoized cell takes {_ALLOWED}")
    if name:
        yield name, value


def _is_continued(value: str | None, word: str) -> bool:
    return not value or value.endswith(",") or word.startswith(",")


def _split_words(line: str) -> Iterator[str]:
    """Yield what stands between spaces that are in neither quotes nor brackets."""
    word, quote, depth = "", "", 0
    characters = iter(line)
    for character in characters:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character.isspace() and depth == 0:
            if word:
                yield word
            word = ""
            continue
        depth += 0 if quote else (character in _OPENING) - (character in _CLOSING)
        word += character
        if quote and character == "\\":
            word += next(characters, "")
    if quote or depth:
        what = f"the quote {quote}" if quote else "a bracket"
        raise UsageError(f"{word}: {what} is not closed")
    if word:
        yield word


def _parse_list(name: str, given: dict[str, str | None]) -> tuple[str, ...] | None:
    """Return the expressions of a list that commas separate; None where it is not given."""
    if name not in given:
        return None
    text = given[name]
    if text is None:
        raise UsageError(f"{name} needs names: {name}=v1,v2, or {name}= for none")
    text = _unquote(text).strip().removesuffix(",")
    if not text:
        return ()
    try:
        found = ast.parse(f"({text},)", mode="eval").body
    except SyntaxError:
        found = None
    if not isinstance(found, ast.Tuple):
        raise UsageError(f"{name}={text}: expected names or expressions, with commas between them")
    return tuple(dict.fromkeys(map(ast.unparse, found.elts)))


def _parse_key(given: dict[str, str | None]) -> str:
    if "key" not in given:
        return ""
    key = _unquote(given["key"] or "")
    if not key:
        raise UsageError("key needs a name: key=NAME")
    return key


def _parse_switch(name: str, given: dict[str, str | None]) -> bool:
    if name not in given:
        return False
    value = given[name]
    is_on = True if value is None else _TRUTH.get(_unquote(value).lower())
    if is_on is None:
        raise UsageError(f"{name}={value}: expected True or False")
    return is_on


def _unquote(text: str) -> str:
    """Return a text without the quotes around all of it."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return found if isinstance(found, str) else text
