"""From a cell's text to Python's syntax tree, IPython's own syntax included.

Does what IPython's transformation does, in so far as the imports of a cell depend on it.
IPython itself is not asked: importing it costs the build more than reading 100 notebooks.
"""

from __future__ import annotations

import ast
import re

# `%time x`, `!ls`, `names = !ls`, `x = %env HOME`; a backslash continues the line.
_COMMAND = re.compile(
    r"^(?P<before>[ \t]*(?:[^\W\d][\w.,\[\] \t]*=[ \t]*)?)(?P<escape>%|!!?)"
    r"(?P<rest>(?:.*\\\n)*.*)$",
    re.MULTILINE,
)
_HELP = re.compile(
    r"^(?P<before>[ \t]*)(?:\?{1,2}[%\w.*]+|[%\w.*\[\]]+\?{1,2})[ \t]*$", re.MULTILINE
)
_IMPORT = re.compile(r"^\s*(?:import|from)\s+([\w.]+)", re.MULTILINE)


def parse_cell(source: str) -> ast.Module | None:
    """Return the tree of a cell as IPython would run it; None where it is no Python.

    Magics and shell commands become the calls of ``get_ipython()`` that they stand for.
    """
    if source.lstrip().startswith("%%"):
        return parse_python(_call_cell_magic(source.lstrip()))
    # Only what is no Python is translated: `%` and `!` stand in texts and sums as well.
    return parse_python(source) or parse_python(_translate(source))


def parse_python(source: str) -> ast.Module | None:
    """Return the tree of a text, or None where it is no Python that this interpreter knows."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parse_statement(line: str) -> ast.Module | None:
    """Return the tree of the code that a magic such as ``%time`` takes, after its options."""
    while line:
        tree = parse_cell(line)
        if tree is not None and not line.startswith("-"):
            return tree
        line = line.partition(" ")[2].lstrip()
    return None


def find_import_lines(source: str) -> list[str]:
    """Return what the import statements of a text that cannot be parsed seem to import."""
    return _IMPORT.findall(source)


def _call_cell_magic(source: str) -> str:
    first, _, body = source.partition("\n")
    name, _, line = first[2:].strip().partition(" ")
    return f"get_ipython().run_cell_magic({name!r}, {line.strip()!r}, {body!r})"


def _translate(source: str) -> str:
    return _COMMAND.sub(_call_command, _HELP.sub(r"\g<before>pass", source))


def _call_command(found: re.Match[str]) -> str:
    rest = found["rest"].replace("\\\n", " ").strip()
    if found["escape"] != "%":
        return f"{found['before']}get_ipython().getoutput({rest!r})"
    name, _, line = rest.partition(" ")
    return f"{found['before']}get_ipython().run_line_magic({name!r}, {line.strip()!r})"
