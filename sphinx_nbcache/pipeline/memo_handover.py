"""What the kernels of a build are told of its cache and remote, and what they tell of them.

Kernels read the remote themselves, for what they memoize; what they have stored the build
puts there. Warnings of theirs would end up on pages, so they leave them in a file.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from sphinx_nbcache.config import (
    MEMO_PATH_VARIABLE,
    MEMO_REMOTE_VARIABLE,
    MEMO_SIGNED_VARIABLE,
    has_secrets,
)
from sphinx_nbcache.model import Topic
from sphinx_nbcache.pipeline.project import Project

_TOPICS = frozenset(Topic)
_OPTIONS = ("remote", "remote_timeout")


class MemoHandover:
    """The handover of one build.

    :param is_online: whether kernels may ask the remote.
    """

    def __init__(self, project: Project, *, is_online: bool) -> None:
        self.is_online = is_online
        self._project = project
        self._notices = project.store.path / "tmp" / f"notices-{secrets.token_hex(8)}.txt"

    def make_variables(self) -> dict[str, str]:
        """Return the environment variables that kernels are to have."""
        store, config = self._project.store, self._project.config
        variables = {MEMO_PATH_VARIABLE: str(store.path)}
        if store.trust.memo_keys:
            variables[MEMO_SIGNED_VARIABLE] = "1"
        # Also without a remote: a kernel is not to look for one itself.
        told: dict[str, Any] = {"notices": str(self._notices), "trust_remote": config.trust_remote}
        if self.is_online and not has_secrets(config.remote):  # notebooks print their environment
            told |= {name: getattr(config, name) for name in _OPTIONS}
        return {**variables, MEMO_REMOTE_VARIABLE: json.dumps(told)}

    def take_notices(self) -> list[tuple[Topic, str]]:
        """Return what kernels had to tell, each once."""
        try:
            lines = self._notices.read_text(encoding="utf-8").splitlines()
            self._notices.unlink()
        except OSError:  # there is none, as a rule
            return []
        told = (line.partition("\t") for line in dict.fromkeys(lines))
        return [(Topic(topic), text) for topic, _, text in told if text and topic in _TOPICS]
