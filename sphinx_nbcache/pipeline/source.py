"""A source: something that may be a notebook, and how the caller reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sphinx_nbcache.model import Job, Notebook, Settings


@dataclass(frozen=True, slots=True)
class Source:
    """Something that may be a notebook."""

    name: str
    """How reports call it: a document name, or the path relative to the project root."""
    path: Path

    @classmethod
    def from_job(cls, job: Job) -> Source:
        """Return where a job came from."""
        return cls(job.name, job.notebook.path)


class Reading(Protocol):
    """How the caller reads sources."""

    def read(self, source: Source, text: str) -> tuple[Notebook, Settings] | None:
        """Return a notebook with its settings; None for a text that is no notebook.

        Raises NotebookReadError.
        """

    def describe(self, source: Source) -> str | None:
        """Return all that decides what ``read`` makes of a text, beside the text itself.

        As long as it stays the same, so does what is asked of a kernel. None where that
        cannot be told: such a source is read in every build.
        """
