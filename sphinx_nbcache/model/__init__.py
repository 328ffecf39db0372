"""Frozen values that travel between the layers; no I/O, no third-party library."""

from sphinx_nbcache.model.digest import digest_bytes, digest_json, to_canonical_json
from sphinx_nbcache.model.entry import ENTRY_FORMAT, Artifact, Entry
from sphinx_nbcache.model.inputs import Input, Inputs
from sphinx_nbcache.model.job import Demands, Job, Mode, Run, Settings
from sphinx_nbcache.model.key import Key
from sphinx_nbcache.model.notebook import DEFAULT_KERNEL, CodeCell, Notebook
from sphinx_nbcache.model.outcome import (
    CellRun,
    CellStatus,
    Failure,
    Outcome,
    Report,
    Status,
    Totals,
)
from sphinx_nbcache.model.outputs import CellOutputs, Outputs
from sphinx_nbcache.model.topic import Topic

__all__ = [
    "DEFAULT_KERNEL",
    "ENTRY_FORMAT",
    "Artifact",
    "CellOutputs",
    "CellRun",
    "CellStatus",
    "CodeCell",
    "Demands",
    "Entry",
    "Failure",
    "Input",
    "Inputs",
    "Job",
    "Key",
    "Mode",
    "Notebook",
    "Outcome",
    "Outputs",
    "Report",
    "Run",
    "Settings",
    "Status",
    "Topic",
    "Totals",
    "digest_bytes",
    "digest_json",
    "to_canonical_json",
]
