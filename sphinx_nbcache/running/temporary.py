"""The folder a notebook runs in: its own, or a temporary one with copies of its assets.

What a notebook leaves in a temporary folder is moved to another, before the first one goes:
whoever gets the run decides what of it is kept.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sphinx_nbcache.model import Job

_PASSED_OVER = frozenset({"__pycache__", ".ipynb_checkpoints"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where one attempt of a job runs."""

    folder: Path
    is_temporary: bool = False
    copies: dict[Path, tuple[int, int] | None] = field(default_factory=dict)
    """Copies of assets to size and mtime that they had."""

    def take_left(self) -> Path | None:
        """Move what the notebook has left to a folder that stays; None where that is nothing.

        Copies of assets that it did not change are not its own.
        """
        if not self.is_temporary:
            return None
        left = [path for path in self._list_files() if self.copies.get(path) != _look(path)]
        if not left:
            return None
        target = Path(tempfile.mkdtemp(prefix="nbcache-left-"))
        for path in left:
            moved = target / path.relative_to(self.folder)
            moved.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # a process of the notebook goes on working there
                shutil.move(path, moved)
        return target

    def _list_files(self) -> Iterator[Path]:
        for place, folders, names in os.walk(self.folder):
            folders[:] = (name for name in folders if name not in _PASSED_OVER)
            paths = (Path(place, name) for name in names)
            yield from (path for path in paths if path.is_file() and not path.is_symlink())


@contextmanager
def enter_folder(job: Job) -> Iterator[Place]:
    """Give the working directory: the job's own, or a temporary one that goes afterwards.

    Raises OSError when an asset cannot be copied.
    """
    if job.working_directory is not None:
        yield Place(job.working_directory.absolute())
        return
    with tempfile.TemporaryDirectory(prefix="nbcache-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        yield Place(folder, True, _copy_assets(job, folder))


def _copy_assets(job: Job, folder: Path) -> dict[Path, tuple[int, int] | None]:
    copies: dict[Path, tuple[int, int] | None] = {}
    for asset in job.assets:
        copy = folder / asset.relative_to(job.notebook.path.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(asset, copy)
        copies[copy] = _look(copy)
    return copies


def _look(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:  # gone meanwhile
        return None
    return status.st_size, status.st_mtime_ns
