"""The one orchestrator and the Python API; knows neither Sphinx nor a terminal."""

from sphinx_nbcache.pipeline.build import NOT_CACHED, READ_ERROR, Source, build
from sphinx_nbcache.pipeline.merge import merge_outputs
from sphinx_nbcache.pipeline.notebook_cache import NotebookCache
from sphinx_nbcache.pipeline.plan import apply_execution_metadata, make_plan
from sphinx_nbcache.pipeline.progress import Progress, Silence
from sphinx_nbcache.pipeline.project import Project

__all__ = [
    "NOT_CACHED",
    "READ_ERROR",
    "NotebookCache",
    "Progress",
    "Project",
    "Silence",
    "Source",
    "apply_execution_metadata",
    "build",
    "make_plan",
    "merge_outputs",
]
