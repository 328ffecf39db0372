"""Frozen values that travel between the layers; no I/O, no third-party library."""

from sphinx_nbcache.model.digest import digest_bytes, digest_json, to_canonical_json
from sphinx_nbcache.model.entry import ENTRY_FORMAT, IMPORTED, Entry, ForeignFormatError
from sphinx_nbcache.model.inputs import (
    ABSENT,
    UNSTABLE,
    Change,
    Declared,
    Input,
    InputKind,
    Inputs,
)
from sphinx_nbcache.model.job import Demands, Job, Mode, Run, Settings
from sphinx_nbcache.model.key import Key
from sphinx_nbcache.model.memo import MEMO_FORMAT, Memo
from sphinx_nbcache.model.notebook import DEFAULT_KERNEL, CodeCell, Notebook
from sphinx_nbcache.model.observation import (
    FileStamp,
    Interpreter,
    Listing,
    Module,
    Observation,
    Read,
)
from sphinx_nbcache.model.outcome import (
    Artifact,
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
    "ABSENT",
    "DEFAULT_KERNEL",
    "ENTRY_FORMAT",
    "IMPORTED",
    "MEMO_FORMAT",
    "UNSTABLE",
    "Artifact",
    "CellOutputs",
    "CellRun",
    "CellStatus",
    "Change",
    "CodeCell",
    "Declared",
    "Demands",
    "Entry",
    "Failure",
    "FileStamp",
    "ForeignFormatError",
    "Input",
    "InputKind",
    "Inputs",
    "Interpreter",
    "Job",
    "Key",
    "Listing",
    "Memo",
    "Mode",
    "Module",
    "Notebook",
    "Observation",
    "Outcome",
    "Outputs",
    "Read",
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
