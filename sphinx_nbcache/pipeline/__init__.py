"""The one orchestrator and the Python API; knows neither Sphinx nor a terminal.

What most commands and builds do not need is imported when it is first asked for: Jupyter's
libraries take longer to import than such a command takes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.pipeline.build import NOT_CACHED, build
from sphinx_nbcache.pipeline.collect import READ_ERROR
from sphinx_nbcache.pipeline.declared import declare_for_all, unite_declared
from sphinx_nbcache.pipeline.documentation import note_documentation
from sphinx_nbcache.pipeline.drift import CellDrift, Drift
from sphinx_nbcache.pipeline.entry_list import CachedEntry, EntryList, Stats
from sphinx_nbcache.pipeline.handover import Handover, Left, LeftBehind, ListedFile
from sphinx_nbcache.pipeline.lookup import Asked, Lookup, Verdict
from sphinx_nbcache.pipeline.notebook_cache import NotebookCache
from sphinx_nbcache.pipeline.notebook_list import ListedNotebook, NotebookList
from sphinx_nbcache.pipeline.plan import apply_execution_metadata, find_exclusion, make_plan
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.remote_cache import Moved, RemoteCache, RemoteStatus, Trial
from sphinx_nbcache.pipeline.source import Reading, Source
from sphinx_nbcache.pipeline.standing import Standing, State
from sphinx_nbcache.pipeline.taking_over import take_over
from sphinx_nbcache.store import Tracking

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline.diagnosis import Health, Patient, Remark, diagnose
    from sphinx_nbcache.pipeline.git_filter import (
        FilterState,
        find_filter,
        install_filter,
        make_command,
        remove_filter,
    )
    from sphinx_nbcache.pipeline.merge import merge_outputs
    from sphinx_nbcache.pipeline.stripping import Stripped, find_strippable, strip_files

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
    "Health",
    "Left",
    "LeftBehind",
    "ListedFile",
    "ListedNotebook",
    "Lookup",
    "Moved",
    "NotebookCache",
    "NotebookList",
    "Patient",
    "Progress",
    "Project",
    "Reading",
    "Remark",
    "RemoteCache",
    "RemoteStatus",
    "Silence",
    "Source",
    "Standing",
    "State",
    "Stats",
    "Stripped",
    "Tracking",
    "Trial",
    "Verdict",
    "apply_execution_metadata",
    "build",
    "declare_for_all",
    "diagnose",
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
_LATER = {
    "Health": "diagnosis",
    "Patient": "diagnosis",
    "Remark": "diagnosis",
    "diagnose": "diagnosis",
    "FilterState": "git_filter",
    "find_filter": "git_filter",
    "install_filter": "git_filter",
    "make_command": "git_filter",
    "remove_filter": "git_filter",
    "merge_outputs": "merge",
    "Stripped": "stripping",
    "find_strippable": "stripping",
    "strip_files": "stripping",
}
"""Name to the module that has it."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
