"""A scratch place: what a notebook is known to read, apart from the project itself.

Relative paths reach copies; what is written there is lost with the folder. Absolute
paths reach the originals all the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from sphinx_nbcache.config import ROOT_MARKS
from sphinx_nbcache.model import Input, InputKind, Outcome
from sphinx_nbcache.observing import Present, is_excluded
from sphinx_nbcache.pipeline.project import Project

_LARGEST_COPY_BYTES = 64 << 20
"""What is larger is linked: copies of it would take longer than the run."""
_CONTENTS = (InputKind.FILE, InputKind.MODULE)


class Scratch:
    """Folders that stand for the project root while notebooks run for a second time."""

    def __init__(self, project: Project, present: Present) -> None:
        self._project = project
        self._present = present

    @contextmanager
    def open(self, outcome: Outcome) -> Iterator[Path]:
        """Give a root with all that a notebook read, until the context ends.

        Raises OSError when something cannot be copied.
        """
        with TemporaryDirectory(prefix="nbcache-check-", ignore_cleanup_errors=True) as folder:
            root = Path(folder).resolve()
            self._mark(root)
            (root / self._project.relate(outcome.path.parent)).mkdir(parents=True, exist_ok=True)
            own = {artifact.path: artifact.digest for artifact in outcome.artifacts}
            items = [item for item in outcome.inputs.items if _is_below_root(item.name)]
            for item in items:
                if item.kind in _CONTENTS:
                    self._place(item, root)
                elif item.kind == InputKind.LISTING:
                    self._place_listing(item.name, own, root)
            yield root

    def holds(self, path: Path) -> bool:
        """Return whether a notebook has a place in such a folder: one below the root has."""
        return _is_below_root(self._project.relate(path))

    def _mark(self, root: Path) -> None:
        """Make the root one that notebooks find when they look for it from below."""
        for mark in ROOT_MARKS:
            original = self._project.root / mark
            if original.is_dir():
                (root / mark).mkdir()
            elif original.is_file():
                shutil.copy2(original, root / mark)

    def _place(self, item: Input, root: Path) -> None:
        """Put the content of an input in its place; of what only the cache has, the object."""
        original, target = self._project.root / item.name, root / item.name
        if original.is_file():
            _copy(original, target)
        elif not target.exists():
            self._project.store.objects.copy_to(item.digest, target, 0o644)

    def _place_listing(self, name: str, own: Mapping[str, str], root: Path) -> None:
        """Make a folder with its files; folders in it are empty, unless more of them was read."""
        original, target = self._project.root / name, root / name
        with suppress(FileNotFoundError, NotADirectoryError):
            names = os.listdir(original)  # noqa: PTH208 - names are what was listed
            target.mkdir(parents=True, exist_ok=True)
            for child in names:
                if is_excluded(child) or self._present.is_left_out(name, child, own=own):
                    continue
                if (original / child).is_dir():
                    (target / child).mkdir(exist_ok=True)
                elif (original / child).is_file():
                    _copy(original / child, target / child)


def _is_below_root(name: str) -> bool:
    path = PurePosixPath(name)
    return ".." not in path.parts and not Path(name).is_absolute()


def _copy(original: Path, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if original.stat().st_size > _LARGEST_COPY_BYTES:
        with suppress(OSError):  # Windows lets not everyone make links
            target.symlink_to(original.resolve())
            return
    shutil.copy2(original, target)
