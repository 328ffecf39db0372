"""A scratch place: what a notebook is known to read, apart from the project itself.

Relative paths reach copies; what is written there is lost with the folder. Absolute
paths reach the originals all the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from sphinx_nbcache.config import ROOT_MARKS
from sphinx_nbcache.model import Input, InputKind, Outcome
from sphinx_nbcache.observing import Present
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.store import Flow

_LARGEST_COPY_BYTES = 64 << 20
"""What is larger is linked, if it is only read: copies of it would take longer than the run."""
_PROCESSES = "processes"
"""The note on a run that has started processes, in which nobody sees what they write."""
_CONTENTS = (InputKind.FILE, InputKind.MODULE)
MayLink = Callable[[Path], bool]


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
            may_link = self._find_linkable(outcome)
            items = [item for item in outcome.inputs.items if _is_below_root(item.name)]
            for item in items:
                if item.kind in _CONTENTS:
                    self._place(item, may_link, root)
                elif item.kind == InputKind.LISTING:
                    self._place_listing(item.name, own, may_link, root)
            yield root

    def holds(self, path: Path) -> bool:
        """Return whether a notebook has a place in such a folder: one below the root has."""
        return _is_below_root(self._project.relate(path))

    def _find_linkable(self, outcome: Outcome) -> MayLink:
        """Return what tells whether a file may be linked: only what its notebook did not write.

        Where that is not known, nothing may.
        """
        flow = self._flows.get(self._project.relate(outcome.path))
        if flow is None or _PROCESSES in outcome.notes:
            return lambda _: False
        names = {*flow.writes, *(artifact.path for artifact in outcome.artifacts)}
        written = {(self._project.root / name).resolve() for name in names}

        def may_link(path: Path) -> bool:
            real = path.resolve()
            return real not in written and _is_unicode(real)  # the index has no other names

        return may_link

    @cached_property
    def _flows(self) -> Mapping[str, Flow]:
        return self._project.store.index.find_flows()

    def _mark(self, root: Path) -> None:
        """Make the root one that notebooks find when they look for it from below."""
        for mark in ROOT_MARKS:
            original = self._project.root / mark
            if original.is_dir():
                (root / mark).mkdir()
            elif original.is_file():
                shutil.copy2(original, root / mark)

    def _place(self, item: Input, may_link: MayLink, root: Path) -> None:
        """Put the content of an input in its place; of what only the cache has, the object."""
        original, target = self._project.root / item.name, root / item.name
        if original.is_file():
            _copy(original, target, may_link)
        elif not target.exists():
            self._project.store.objects.copy_to(item.digest, target, 0o644)

    def _place_listing(
        self, name: str, own: Mapping[str, str], may_link: MayLink, root: Path
    ) -> None:
        """Make a folder with its files; folders in it are empty, unless more of them was read."""
        original, target = self._project.root / name, root / name
        with suppress(FileNotFoundError, NotADirectoryError):
            names = os.listdir(original)  # noqa: PTH208 - names are what was listed
            target.mkdir(parents=True, exist_ok=True)
            for child in self._present.choose_names(name, names, own):
                if (original / child).is_dir():
                    (target / child).mkdir(exist_ok=True)
                elif (original / child).is_file():
                    _copy(original / child, target / child, may_link)


def _is_below_root(name: str) -> bool:
    path = PurePosixPath(name)
    return ".." not in path.parts and not Path(name).is_absolute()


def _is_unicode(path: Path) -> bool:
    try:
        return bool(str(path).encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _copy(original: Path, target: Path, may_link: MayLink) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if original.stat().st_size > _LARGEST_COPY_BYTES and may_link(original):
        with suppress(OSError):  # Windows lets not everyone make links
            target.symlink_to(original.resolve())
            return
    shutil.copy2(original, target)
