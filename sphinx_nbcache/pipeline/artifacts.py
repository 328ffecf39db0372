"""Artifacts: what notebooks wrote below the project root, kept as objects and put back.

Owns what is kept and what may be put where; how bytes are stored is the store's, and what
is known of the files' digests is asked of whoever remembers it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from sphinx_nbcache.model import Artifact
from sphinx_nbcache.observing import is_excluded
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.store import UnreadableError, remove_abandoned_drafts

_IS_WINDOWS = os.name == "nt"
_MODE_BITS = 0o200 if _IS_WINDOWS else 0o777
"""The permissions that a file can have here; Windows knows only whether it may be written."""
_KEPT_BITS = 0o755 if _IS_WINDOWS else 0o777
"""Of those Windows tells of; there every file looks as if all might write it."""
_DRIVE = re.compile(r"[A-Za-z]:(/|$)")
_WINDOWS_ONLY = re.compile(r"[\\:]|[. ](/|$)")
"""What is part of a name elsewhere: there it separates, or is dropped."""
_JUNCTION = 0xA0000003
_TRIES = 3


class KnownFiles(Protocol):
    """What is remembered of the project's files; paths are relative to its root."""

    def digest_file(self, path: str) -> str | None:
        """Return the sha256 of a file as it is now; None where it cannot be read."""

    def is_ours(self, path: str, digest: str) -> bool:
        """Return whether a notebook of the project is known to have put this content there."""

    def note(self, path: str, digest: str, stamp: tuple[int, int, int]) -> None:
        """Remember that a notebook's content is there.

        :param stamp: size, mtime in nanoseconds and inode that the file has with it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What was kept of the files that a notebook wrote."""

    artifacts: tuple[Artifact, ...]
    problems: tuple[str, ...] = ()
    """Why a file was not kept; sentences for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done to have the files there that a notebook wrote."""

    written: tuple[str, ...] = ()
    """Paths that were created or replaced."""
    lost: tuple[str, ...] = ()
    """Paths whose object is missing or damaged: only a run brings them back."""
    problems: tuple[str, ...] = ()
    """Why a file is not as the notebook wrote it; sentences for people."""


class Artifacts:
    """The artifacts of one build: made anew for each.

    A path that several notebooks write is restored once in a build: else each build would
    write it as often, and tools that watch the folder would build for ever.

    :param is_dry: only tell what would be written.
    """

    def __init__(self, project: Project, known: KnownFiles, *, is_dry: bool = False) -> None:
        self._project = project
        self._known = known
        self._exclusions = Exclusions(project.root, (project.store.path, *project.ignored))
        self._settled: set[str] = set()
        self._is_dry = is_dry

    def save(self, paths: Iterable[str]) -> Saved:
        """Store the files that a notebook wrote.

        Kept is what is a regular file now and lies below the project root, not excluded;
        through a link to a folder it counts where it really lies. So nothing is kept of a
        notebook outside the root, or of one that writes to a temporary folder.

        :param paths: absolute paths; those that are gone meanwhile do not count.

        Raises StoreError when the store cannot be written.
        """
        artifacts, problems = [], []
        for path in self._find_own(paths):
            try:
                artifact = self._save_one(path)
            except UnreadableError as error:
                problems.append(f"{path} is not kept in the cache: {_explain(error)}")
                continue
            if artifact is not None:
                artifacts.append(artifact)
        return Saved(artifacts=tuple(artifacts), problems=tuple(problems))

    def note(self, paths: Iterable[str]) -> None:
        """Remember files as a notebook's that are not to be kept, for its run failed.

        Else they would be taken for the user's when an entry has other ones in their place.

        :param paths: absolute paths.
        """
        for path in self._find_own(paths):
            found = _lstat(self._project.root / path)
            digest = self._known.digest_file(path)
            if found is not None and digest is not None:
                self._known.note(path, digest, _take_stamp(found))

    def restore(self, artifacts: Iterable[Artifact], *, notebook: str) -> Restored:
        """Put the files of an entry in their place, where they are missing or others.

        A file is replaced only if a notebook is known to have put it there. Nothing is
        written outside the root, through a link, or where nothing is kept from.

        :param notebook: what the notebook is called; for people.
        """
        restoration = _Restoration(self._project, self._known, notebook, is_dry=self._is_dry)
        for artifact in artifacts:
            path = artifact.path
            if path in self._settled or self._exclusions.has(path):
                continue
            self._settled.add(path)
            restoration.restore(artifact)
        return Restored(
            written=tuple(restoration.written),
            lost=tuple(restoration.lost),
            problems=tuple(restoration.problems),
        )

    def _save_one(self, path: str) -> Artifact | None:
        place = self._project.root / path
        try:
            mode = stat.S_IMODE(place.lstat().st_mode)
            digest, stamp = self._project.store.save_file(place)
        except FileNotFoundError:
            return None
        except UnreadableError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        self._known.note(path, digest, stamp)
        self._settled.add(path)
        return Artifact(path=path, digest=digest, mode=mode & _KEPT_BITS)

    def _find_own(self, paths: Iterable[str]) -> list[str]:
        """Return those files' paths, relative to the root, that a notebook's can be."""
        root = Path(os.path.realpath(self._project.root))
        found = {_relate(path, root) for path in paths} - {None}
        return sorted(
            path
            for path in found
            if path and is_safe(path) and not self._exclusions.has(path) and _is_file(root / path)
        )


class Exclusions:
    """Tells which paths below a root are neither kept nor restored.

    :param folders: what builds make: the cache, the output.
    """

    def __init__(self, root: Path, folders: Iterable[Path]) -> None:
        real = Path(os.path.realpath(root))
        found = (_relate(str(folder / "x"), real) for folder in folders)
        # One that holds the root itself would exclude everything.
        self._prefixes = tuple(path[:-1].casefold() for path in found if path not in {None, "x"})

    def has(self, path: str) -> bool:
        """Return whether a path, relative to the root, is excluded.

        Upper and lower case are the same: on some systems they are.
        """
        folded = path.casefold()
        return folded.startswith(self._prefixes) or is_excluded(path) or is_excluded(folded)


class _Restoration:
    """Puts the artifacts of one entry in their place."""

    def __init__(self, project: Project, known: KnownFiles, notebook: str, *, is_dry: bool) -> None:
        self._is_dry = is_dry
        self._root = project.root
        self._root_text = str(project.root)
        self._objects = project.store.objects
        self._known = known
        self._notebook = notebook
        self._sound_folders: set[str] = set()
        self._swept: set[Path] = set()
        self.written: list[str] = []
        self.lost: list[str] = []
        self.problems: list[str] = []

    def restore(self, artifact: Artifact) -> None:
        """Put one artifact in its place; what is in the way of it becomes a problem."""
        path = artifact.path
        if not is_safe(path):
            self._refuse(repr(path), "it is no plain path below the project root")
            return
        try:
            for _ in range(_TRIES):
                if self._attempt(artifact):
                    return
            self._refuse(path, "the file there changes all the time")
        except OSError as error:
            self._refuse(path, _explain(error))

    def _attempt(self, artifact: Artifact) -> bool:
        """Do what is to be done; return False if the file changed meanwhile."""
        obstacle = self._find_obstacle(artifact.path)
        if obstacle:
            self._refuse(artifact.path, obstacle)
            return True
        found = self._look(artifact.path)
        if found is not None and not self._may_replace(artifact, found):
            return True
        if self._is_dry:
            self.written.append(artifact.path)
            return True
        return self._place(artifact, found)

    def _look(self, path: str) -> os.stat_result | None:
        # Most artifacts are as they should be; a Path for each costs more than the rest.
        return _lstat(f"{self._root_text}/{path}")

    def _may_replace(self, artifact: Artifact, found: os.stat_result) -> bool:
        """Return whether another content is there, and it is a notebook's."""
        path = artifact.path
        if not stat.S_ISREG(found.st_mode):
            self._refuse(path, _describe(found))
            return False
        digest = self._known.digest_file(path)
        if digest is None:
            self._refuse(path, "the file there cannot be read")
            return False
        is_ours = self._known.is_ours(path, digest)
        if digest == artifact.digest:
            if not self._is_dry:
                self._keep(artifact, found, is_ours=is_ours)
        elif not is_ours:
            self.problems.append(
                f"{path} was changed since {self._notebook} wrote it: the file is kept; "
                "remove it to get the notebook's own back"
            )
        return is_ours and digest != artifact.digest

    def _keep(self, artifact: Artifact, found: os.stat_result, *, is_ours: bool) -> None:
        """Remember a file that has the right content already, and give it the right mode."""
        if not is_ours:
            self._known.note(artifact.path, artifact.digest, _take_stamp(found))
        if (found.st_mode ^ artifact.mode) & _MODE_BITS:
            (self._root / artifact.path).chmod(artifact.mode & 0o777)

    def _place(self, artifact: Artifact, before: os.stat_result | None) -> bool:
        """Write the file; return False if another came there while it was written."""
        path, digest = artifact.path, artifact.digest
        target = self._root / path

        def confirm() -> None:
            now = self._look(path)
            if (now and _take_stamp(now)) != (before and _take_stamp(before)):
                raise FileExistsError(errno.EEXIST, "it changed meanwhile", str(target))

        self._sweep(target.parent)
        try:
            stamp = self._objects.copy_to(digest, target, artifact.mode, confirm=confirm)
        except FileExistsError:
            return False
        if stamp is None:
            self.lost.append(path)
            self._refuse(path, "its object in the cache is missing or damaged")
            return True
        self._known.note(path, digest, stamp)
        self.written.append(path)
        return True

    def _find_obstacle(self, path: str) -> str | None:
        """Return what is wrong with the folders between the root and a file."""
        above = path.rpartition("/")[0]
        if above in self._sound_folders:
            return None
        for folder in _list_folders(path):
            found = self._look(folder)
            if found is None:
                return None
            if not stat.S_ISDIR(found.st_mode) or _is_link(found):
                return f"{folder}: {_describe(found)}"
        self._sound_folders.add(above)
        return None

    def _sweep(self, folder: Path) -> None:
        if folder not in self._swept:
            self._swept.add(folder)
            remove_abandoned_drafts(folder)

    def _refuse(self, path: str, reason: str) -> None:
        self.problems.append(f"{path}, written by {self._notebook}, is not restored: {reason}")


def is_safe(path: str) -> bool:
    """Return whether a stored path stays below the root that it is relative to."""
    try:
        os.fsencode(path)
    except UnicodeError:
        return False  # a name that no file can have
    if "\0" in path or _DRIVE.match(path) or (_IS_WINDOWS and _WINDOWS_ONLY.search(path)):
        return False
    return not {"", ".", ".."} & set(path.split("/"))


def _relate(path: str, root: Path) -> str | None:
    """Return an absolute path relative to a real root, with no link but its last part."""
    folder, name = os.path.split(path)
    if not Path(path).is_absolute() or not name:
        return None
    try:
        return (Path(os.path.realpath(folder)) / name).relative_to(root).as_posix()
    except ValueError:
        return None


def _list_folders(path: str) -> Iterator[str]:
    """Yield the folders above a path, the topmost first."""
    parents = list(PurePosixPath(path).parents)[:-1]
    yield from (str(parent) for parent in reversed(parents))


def _lstat(path: Path | str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _is_link(found: os.stat_result) -> bool:
    is_junction = getattr(found, "st_reparse_tag", 0) == _JUNCTION
    return stat.S_ISLNK(found.st_mode) or is_junction


def _describe(found: os.stat_result) -> str:
    if _is_link(found):
        return "there is a symbolic link, which is not followed"
    return "there is a folder" if stat.S_ISDIR(found.st_mode) else "there is something else"


def _take_stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ino


def _explain(error: OSError) -> str:
    return error.strerror or str(error)
