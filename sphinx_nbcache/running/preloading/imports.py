"""What a notebook imports, and whether it wants to be there before that.

A wrong alarm costs the start of one kernel, a miss costs a wrong page; so in doubt it is
an alarm.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.model import Job, Notebook
from sphinx_nbcache.running.preloading.cell_code import find_import_lines, parse_cell
from sphinx_nbcache.running.preloading.code_reader import (
    ANY_MODULE,
    Change,
    CodeReader,
    Event,
    Import,
    Look,
)
from sphinx_nbcache.running.preloading.code_words import PRESENT
from sphinx_nbcache.running.preloading.local_modules import LocalModules
from sphinx_nbcache.running.preloading.safe_list import get_implied, list_prefixes

_SKIP_TAG = "skip-execution"


@dataclass(frozen=True, slots=True)
class Scan:
    """What reading the code of one notebook gave."""

    imports: frozenset[str]
    """Dotted names of what it imports, packages of modules included.

    Without the standard library and modules beside the notebook, with what these import.
    From ``from a import b`` nobody can tell whether ``a.b`` is a module; it is here, too.
    """
    obstacle: str
    """Why nothing may have been imported before in its kernel; empty if it may."""


def scan_notebook(notebook: Notebook, folder: Path | None) -> Scan:
    """Read what a notebook imports, and what it does before that.

    :param folder: its working directory; modules in it are read as well. None where it is
        a temporary one.
    """
    reader = CodeReader(LocalModules(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's, of doubtful escapes in the notebook's code
        for cell in notebook.iterate_code_cells():
            if _SKIP_TAG not in cell.tags:
                reader.read_cell(cell.source, f"cell {cell.number}")
    names = {event.name for event in reader.events if isinstance(event, Import)} - {ANY_MODULE}
    imports = frozenset(prefix for name in names for prefix in list_prefixes(name))
    return Scan(imports, find_obstacle(reader.events))


def find_obstacle(events: Sequence[Event]) -> str:
    """Return why modules must not be imported before code with these events, if so."""
    for event in events:
        if isinstance(event, Look):
            return f"it {event.what}"
    for position, event in enumerate(events):
        if isinstance(event, Change):
            # What comes late for a later change comes late for the first one, too.
            late = next(_find_late(events, position), "")
            return f"it {event.what} before it imports {late}" if late else ""
    return ""


def _find_late(events: Sequence[Event], position: int) -> Iterator[str]:
    """Yield what may be imported for the first time after a position."""
    loaded: set[str] = set()
    for event in events[:position]:
        if isinstance(event, Import) and event.is_certain:
            for prefix in list_prefixes(event.name):
                loaded.update((prefix, *get_implied(prefix)))
    for number, event in enumerate(events):
        if not isinstance(event, Import) or event.name in loaded:
            continue
        if number > position or not event.is_certain:
            yield event.name


def scan_imports(job: Job) -> frozenset[str]:
    """Return the packages that a job's own code imports, without those beneath them.

    Those that every kernel has imported for itself are among them: IPython, traitlets...
    """
    imports = scan_notebook(job.notebook, job.working_directory).imports
    found = {name for name in imports if "." not in name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's, of doubtful escapes in the notebook's code
        for cell in job.notebook.iterate_code_cells():
            found.update(_find_present(cell.source))
    return frozenset(found)


def _find_present(source: str) -> Iterator[str]:
    """Yield what a cell's statements import of the packages that every kernel has."""
    tree = parse_cell(source)
    names = find_import_lines(source) if tree is None or source.lstrip().startswith("%%") else []
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.append(node.module)
    yield from ({name.partition(".")[0] for name in names} & PRESENT - sys.stdlib_module_names)
