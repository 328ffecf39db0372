"""What was found in texts, so that an unchanged notebook is not parsed again.

A text is known by the digest of its bytes together with all else that decides what is
made of it. What is found in it is little: whether it is a notebook, its key, what it depends
on, or why it is not executed. That is enough for a hit; everything else goes the full way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sphinx_nbcache.keys import KEY_FORMAT
from sphinx_nbcache.model import Declared, Key, digest_bytes
from sphinx_nbcache.pipeline.declared import declare_for_all
from sphinx_nbcache.pipeline.lookup import Asked
from sphinx_nbcache.pipeline.plan import Plan
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.pipeline.source import Reading, Source

FINDING_FORMAT = 2
"""Raised with every change of what is read, planned or remembered."""


class Finding(NamedTuple):
    """What was found in a text."""

    is_notebook: bool
    key: Key | None = None
    """None for a notebook that is not to be executed, or has no code."""
    skip_reason: str = ""
    kernel: str = ""
    declared: Declared = Declared()

    @classmethod
    def from_plan(cls, plan: Plan | None) -> Finding | None:
        """Return what is worth remembering; None for what each build must find out anew.

        :param plan: None where the text is no notebook.
        """
        if plan is None:
            return cls(is_notebook=False)
        job = plan.job
        if plan.run_reason or plan.problems or _loads_files(plan) or (job and job.after):
            return None
        if job is None:
            return cls(is_notebook=True, skip_reason=plan.skip_reason)
        return cls(is_notebook=True, key=job.key, kernel=job.kernel, declared=job.declared)

    @classmethod
    def from_text(cls, text: str) -> Finding | None:
        """Read the stored form back; None for anything else."""
        try:
            is_notebook, key, skip_reason, kernel, (depends, env, max_age_s) = json.loads(text)
        except (ValueError, TypeError):
            return None
        declared = Declared(tuple(depends), tuple(env), max_age_s)
        return cls(is_notebook, key and Key(key), skip_reason, kernel, declared)

    def to_text(self) -> str:
        """Return the stored form."""
        declared = self.declared
        rules = [declared.depends, declared.env, declared.max_age_s]
        return json.dumps([self.is_notebook, self.key, self.skip_reason, self.kernel, rules])

    def ask(self, name: str) -> Asked:
        """Return what a notebook of this name asks, which has a key."""
        assert self.key is not None
        return Asked(name, self.key, self.kernel, self.declared)


def _loads_files(plan: Plan) -> bool:
    """Return whether code comes from other files (``:load:``), which the text does not tell."""
    return any("load" in cell["metadata"] for cell in plan.notebook.content["cells"])


class Findings:
    """What earlier builds found in sources, and what this one finds."""

    def __init__(self, project: Project, reading: Reading) -> None:
        self._project = project
        self._reading = reading
        self._common = [*declare_for_all(project)[0].depends, "", *project.config.env]
        self._known: dict[str, str] = {}
        self.new: dict[str, str] = {}
        """Identity to finding, stored form: what the index does not know yet."""

    def recall(self, sources: Iterable[Source]) -> dict[str, Finding]:
        """Return name of a source to what was found in its text, where that is known."""
        ids = {source.name: self._identify(source, _read_bytes(source.path)) for source in sources}
        asked = [identity for identity in ids.values() if identity is not None]
        self._known = self._project.store.index.find_findings(asked)
        found = {name: Finding.from_text(self._known.get(ids[name] or "", "")) for name in ids}
        return {name: finding for name, finding in found.items() if finding is not None}

    def note(self, source: Source, data: bytes, plan: Plan | None) -> None:
        """Take note of what was made of a text.

        :param plan: None where the text is no notebook.
        """
        finding, identity = Finding.from_plan(plan), self._identify(source, data)
        if finding is None or identity is None:
            return
        text = finding.to_text()
        if self._known.get(identity) != text:
            self.new[identity] = text

    def _identify(self, source: Source, data: bytes | None) -> str | None:
        """Return the identity of a text in its place, or None where it has none."""
        description = None if data is None else self._reading.describe(source)
        if data is None or description is None:
            return None
        place = self._project.relate(source.path)
        is_temporary = self._project.config.is_temporary
        rules = [FINDING_FORMAT, KEY_FORMAT, is_temporary, self._common, description, place]
        return digest_bytes(json.dumps(rules).encode("ascii") + hashlib.sha256(data).digest())


def _read_bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
