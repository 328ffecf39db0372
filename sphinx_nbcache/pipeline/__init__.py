"""The one orchestrator and the Python API; knows neither Sphinx nor a terminal.

``merge_outputs`` is imported when it is first asked for: it needs nbformat, which takes longer
to import than most commands take.
"""

from typing import TYPE_CHECKING, Any

from sphinx_nbcache.pipeline.build import NOT_CACHED, build
from sphinx_nbcache.pipeline.collect import READ_ERROR
from sphinx_nbcache.pipeline.declared import declare_for_all, unite_declared
from sphinx_nbcache.pipeline.documentation import note_documentation
from sphinx_nbcache.pipeline.drift import CellDrift, Drift
from sphinx_nbcache.pipeline.entry_list import CachedEntry, EntryList, Stats
from sphinx_nbcache.pipeline.git_filter import (
    FilterState,
    find_filter,
    install_filter,
    make_command,
    remove_filter,
)
from sphinx_nbcache.pipeline.handover import Handover, Left, LeftBehind, ListedFile
from sphinx_nbcache.pipeline.lookup import Asked, Lookup, Verdict
from sphinx_nbcache.pipeline.notebook_cache import NotebookCache
from sphinx_nbcache.pipeline.notebook_list import ListedNotebook, NotebookList
from sphinx_nbcache.pipeline.plan import apply_execution_metadata, find_exclusion, make_plan
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.source import Reading, Source
from sphinx_nbcache.pipeline.standing import Standing, State
from sphinx_nbcache.pipeline.stripping import Stripped, find_strippable, strip_files
from sphinx_nbcache.pipeline.taking_over import take_over

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline.merge import merge_outputs

__all__ = [
    "NOT_CACHED",
    "READ_ERROR",
    "Asked",
    "CachedEntry",
    "CellDrift",
    "Drift",
    "EntryList",
    "FilterState",
    "Handover",
    "Left",
    "LeftBehind",
    "ListedFile",
    "ListedNotebook",
    "Lookup",
    "NotebookCache",
    "NotebookList",
    "Progress",
    "Project",
    "Reading",
    "Silence",
    "Source",
    "Standing",
    "State",
    "Stats",
    "Stripped",
    "Verdict",
    "apply_execution_metadata",
    "build",
    "declare_for_all",
    "find_exclusion",
    "find_filter",
    "find_strippable",
    "install_filter",
    "make_command",
    "make_plan",
    "merge_outputs",
    "note_documentation",
    "remove_filter",
    "strip_files",
    "take_over",
    "unite_declared",
]


def __getattr__(name: str) -> Any:
    if name == "merge_outputs":
        from sphinx_nbcache.pipeline.merge import merge_outputs

        return merge_outputs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
