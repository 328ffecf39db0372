"""Git LFS: objects whose content it keeps elsewhere, told from damaged ones, and fetched.

Owns what a pointer file is and how ``git lfs`` is asked; the content is verified as that of any
object. After the first failure it is not asked again in this process.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from sphinx_nbcache.errors import GitError
from sphinx_nbcache.store.files import weigh_file
from sphinx_nbcache.store.git import run_git
from sphinx_nbcache.store.objects import COMPRESSED, Objects, read_digest
from sphinx_nbcache.store.pieces import UnreadableError, read_pieces

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
_VERSION = b"version https://git-lfs.github.com/spec/v1\n"
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_LARGEST_POINTER_BYTES = 1023
_MEDIA = re.compile(r"^LocalMediaDir=(.+)$", re.MULTILINE)
_AT_ONCE = 100
"""Names in one command: what Windows allows is 32,767 characters."""
_FETCH_TIMEOUT_S = 600
_NOT_INSTALLED = "git-lfs is not installed, or not on PATH"
_POINTERS = "of git LFS in the cache"
_LOST = "what came does not fit its name, or cannot be written here"


class GitLfs:
    """What git LFS keeps of the objects in one cache.

    :param folder: of the cache.
    """

    def __init__(self, folder: Path, objects: Objects) -> None:
        self._folder = folder
        self._objects = objects
        self._reason = ""
        """Why it is not asked any more; empty as long as it is."""
        self._lost: set[Path] = set()
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def is_pointer(self, path: Path) -> bool:
        """Return whether an object's file only says what git LFS keeps."""
        # An artifact may be such a file itself, as its notebook wrote it.
        return _read_pointer(path) is not None and not self._objects.is_sound(path)

    def keeps(self, digests: Iterable[str]) -> bool:
        """Return whether some objects are not here, and all of these are with git LFS."""
        lacking = self._find_lacking(digests)
        return bool(lacking) and all(map(self._find_pointer, lacking))

    def has(self, digests: Iterable[str]) -> bool:
        """Return whether all objects are here, fetched if need be."""
        digests = list(digests)
        return not self._find_lacking(digests) or (
            self.fetch(digests) and not self._find_lacking(digests)
        )

    def read(self, digest: str) -> bytes | None:
        """Return the bytes of a digest, fetched if need be; None when missing or damaged."""
        data = self._objects.read(digest)
        return self._objects.read(digest) if data is None and self.fetch([digest]) else data

    def fetch(self, digests: Iterable[str]) -> bool:
        """Bring here what git LFS keeps of some objects; return whether there was any of it."""
        found = map(self._find_pointer, self._find_lacking(digests))
        pointers = dict(pointer for pointer in found if pointer is not None)
        if not pointers:
            return False
        with self._lock:
            taken = [path for path, media in self._bring(pointers) if self._take(path, media)]
            self._lost.update(pointers.keys() - taken)
            self._refresh(taken)
        return bool(taken)

    def take_notice(self) -> str:
        """Return what has to be told of objects that could not be had; each reason once."""
        reason, number = self._reason or _LOST, len(self._lost)
        if not number or reason in self._told:
            return ""
        self._told.add(reason)
        what = "object is a pointer" if number == 1 else "objects are pointers"
        help_ = "run `git lfs pull`"
        if reason == _NOT_INSTALLED:
            help_ = f"install git-lfs and {help_}"
        return (
            f"{number} {what} {_POINTERS} {self._folder}, whose content is not here "
            f"({reason}): {help_}; what needs them counts as not cached"
        )

    def has_told(self, notice: str) -> bool:
        """Return whether a notice of another process is of pointers, of which one told here."""
        return _POINTERS in notice and bool(self._told)

    def _find_lacking(self, digests: Iterable[str]) -> list[str]:
        """Return the objects that are not here; of a chunked one, its chunks that are not."""
        lacking: dict[str, None] = {}
        for digest in dict.fromkeys(digests):
            if not self._objects.has(digest):
                chunks = self._objects.chunked.list_digests(digest)
                lacking |= dict.fromkeys(chunk for chunk in chunks if not self._objects.has(chunk))
                lacking |= {} if chunks else {digest: None}
        return list(lacking)

    def _find_pointer(self, digest: str) -> tuple[Path, str] | None:
        """Return the file of an object, and what git LFS calls its content."""
        for path in self._objects.list_paths_of(digest):
            if (oid := _read_pointer(path)) is not None:
                return path, oid
        return None

    def _bring(self, pointers: Mapping[Path, str]) -> Iterator[tuple[Path, Path]]:
        """Yield those files whose content is on this machine, with where it is.

        Not with ``git lfs pull``: that writes the files while others read them.
        """
        if self._reason:
            return
        try:
            media = _find_media(self._folder)
            places = {path: media / oid[:2] / oid[2:4] / oid for path, oid in pointers.items()}
            self._download([path for path, place in places.items() if not place.is_file()])
        except GitError as error:
            self._reason = error.reason
            return
        yield from ((path, place) for path, place in places.items() if place.is_file())

    def _download(self, paths: list[Path]) -> None:
        """Have git LFS put what it keeps of some files into its own folder.

        What it could not have of them is missing there afterwards.
        """
        for start in range(0, len(paths), _AT_ONCE):
            # Names alone: a whole path could hold what means something else in a pattern.
            names = ",".join(path.name for path in paths[start : start + _AT_ONCE])
            words = ("lfs", "fetch", f"--include={names}", "--exclude=")
            try:
                run_git(self._folder, *words, timeout_s=_FETCH_TIMEOUT_S)
            except GitError as error:
                self._reason = error.reason
                return

    def _take(self, path: Path, media: Path) -> bool:
        """Put the content of an object in its place; return whether it is what it should be."""
        is_packed = path.name.endswith(COMPRESSED)
        with suppress(UnreadableError, OSError), media.open("rb") as file:
            self._objects.take(read_digest(path), read_pieces(file), is_packed=is_packed)
            return True
        return False

    def _refresh(self, paths: list[Path]) -> None:
        """Let git see that files are as they were committed: it takes another size for a change.

        Not where the filter of git LFS is not set up: contents would be staged. What fails here
        makes the files look changed, and no more.
        """
        ask = ("config", "--default", "", "--get", "filter.lfs.clean")
        with suppress(GitError):
            if paths and run_git(self._folder, *ask):
                for start in range(0, len(paths), _AT_ONCE):
                    some = paths[start : start + _AT_ONCE]
                    names = [path.relative_to(self._folder).as_posix() for path in some]
                    run_git(self._folder, "update-index", "-q", "--", *names)


def _read_pointer(path: Path) -> str | None:
    """Return what git LFS calls the content that a file stands for; None for any other file."""
    if not len(_VERSION) < weigh_file(path) <= _LARGEST_POINTER_BYTES:
        return None
    try:
        data = path.read_bytes()
    except OSError:
        return None
    found = _OID.search(data) if data.startswith(_VERSION) else None
    return None if found is None else found[1].decode("ascii")


def _find_media(folder: Path) -> Path:
    """Return where git LFS keeps contents on this machine; raises GitError."""
    top = run_git(folder, "rev-parse", "--show-toplevel")
    try:
        said = run_git(folder, "lfs", "env")
    except GitError as error:
        if "is not a git command" in error.reason:
            raise GitError(folder, _NOT_INSTALLED) from error
        raise
    found = _MEDIA.search(said)
    if found is None:
        raise GitError(folder, "`git lfs env` does not say where contents are")
    return Path(top) / found[1].strip()
