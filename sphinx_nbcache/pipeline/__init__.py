"""The one orchestrator and the Python API; knows neither Sphinx nor a terminal."""

from sphinx_nbcache.pipeline.build import NOT_CACHED, build
from sphinx_nbcache.pipeline.collect import READ_ERROR
from sphinx_nbcache.pipeline.lookup import look_up
from sphinx_nbcache.pipeline.merge import merge_outputs
from sphinx_nbcache.pipeline.notebook_cache import NotebookCache
from sphinx_nbcache.pipeline.plan import apply_execution_metadata, find_exclusion, make_plan
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.source import Reading, Source

__all__ = [
    "NOT_CACHED",
    "READ_ERROR",
    "NotebookCache",
    "Progress",
    "Project",
    "Reading",
    "Silence",
    "Source",
    "apply_execution_metadata",
    "build",
    "find_exclusion",
    "look_up",
    "make_plan",
    "merge_outputs",
]
