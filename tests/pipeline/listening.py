"""A listener for tests."""

from __future__ import annotations

from sphinx_nbcache.model import Topic
from sphinx_nbcache.pipeline import Silence


class Warned(Silence):
    """A listener that keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[tuple[Topic, str]] = []

    def warn(self, message: str, topic: Topic = Topic.STORE, name: str = "") -> None:
        self.warnings.append((topic, message))
