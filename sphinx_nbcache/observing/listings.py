"""The names in a folder, and the files that match a pattern, as one digest each."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import NamedTuple

from sphinx_nbcache.model import digest_json
from sphinx_nbcache.observing.exclusions import is_excluded, is_excluded_name

_MAGIC = re.compile(r"[*?\[]")
_ANY = "**"
"""The part of a pattern that stands for any folders, or none."""


def digest_names(names: Iterable[str]) -> str:
    """Return the digest of names, in whatever order they come."""
    return digest_json(sorted(names))


def list_names(folder: str, coming: Collection[str] = ()) -> Collection[str] | None:
    """Return the names in a folder now; None where there is none.

    :param coming: names that count although they are not there yet.
    """
    try:
        names: Collection[str] = os.listdir(folder)  # noqa: PTH208 - half the time of iterdir
    except (OSError, ValueError):
        return coming or None
    return {*names, *coming} if coming else names


def find_matches(pattern: str, root: str) -> list[str]:
    """Return the files that match a pattern, sorted, in POSIX form.

    Links to folders are followed, but not those that lead back to a folder they lie in.

    :param pattern: relative to the root; ``**`` stands for any folders.
    """
    pattern = pattern.replace(os.sep, "/")
    magic = _MAGIC.search(pattern)
    if magic is None:
        is_file = os.path.isfile(os.path.join(root, pattern))  # noqa: PTH113, PTH118
        return [pattern] if is_file and not is_excluded(pattern) else []
    start = pattern.rfind("/", 0, magic.start()) + 1
    head, (*folders, last) = pattern[:start], pattern[start:].split("/")
    if is_excluded(head):
        return []
    parts = [*filter(None, folders), last]
    return sorted(f"{head}{name}" for name in _Walk(parts).find(os.path.join(root, head)))  # noqa: PTH118


def is_match(pattern: str, name: str) -> bool:
    """Return whether a pattern, as ``find_matches`` takes it, names a path in POSIX form."""
    patterns = pattern.split("/")
    steps = _begin(patterns)
    for part in name.split("/"):
        steps = _go_on(patterns, steps, part)
    return len(patterns) in steps


def _begin(patterns: Sequence[str]) -> frozenset[int]:
    """Return how many parts of a pattern may be done before the first part of a path."""
    return _skip_any(patterns, {0})


def _go_on(patterns: Sequence[str], steps: Iterable[int], part: str) -> frozenset[int]:
    """Return how many parts of a pattern may be done after one more part of a path."""
    found = set()
    for step in steps:
        if step < len(patterns):
            if patterns[step] == _ANY:
                found.add(step)
            elif fnmatchcase(part, patterns[step]):
                found.add(step + 1)
    return _skip_any(patterns, found)


def _skip_any(patterns: Sequence[str], steps: Iterable[int]) -> frozenset[int]:
    """Add what may be done when ``**`` stands for no folder."""
    found = set(steps)
    for step, pattern in enumerate(patterns):
        if step in found and pattern == _ANY:
            found.add(step + 1)
    return frozenset(found)


class _Place(NamedTuple):
    """A folder that a walk comes to."""

    path: str
    name: str
    """Relative to where the walk began, with a slash at its end."""
    steps: frozenset[int]
    """How many parts of the pattern may be done there."""
    above: frozenset[tuple[int, int]] = frozenset()
    """Device and inode of the folders on the way to it."""


class _Walk:
    """A walk through the folders in which files may match a pattern.

    Where ``**`` leads, no folder is entered below itself, and each link but once, where it
    really lies if the walk comes there: so links in any number come to an end.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._folders: list[_Place] = []
        self._links: deque[_Place] = deque()
        self._entered: set[tuple[int, int]] = set()

    def find(self, folder: str) -> Iterator[str]:
        """Yield the files below a folder that match, relative to it."""
        self._folders.append(_Place(folder, "", _begin(self._patterns)))
        while self._folders or self._links:
            place = self._folders.pop() if self._folders else self._links.popleft()
            with suppress(OSError, ValueError):
                yield from self._look_into(place)

    def _look_into(self, place: _Place) -> Iterator[str]:
        """Yield the files in a folder that match, and remember the folders in it."""
        own = _identify(os.stat(place.path))  # noqa: PTH116
        if self._is_free(place.steps):
            if own in place.above or not self._is_first(place.path):
                return
            place = place._replace(above=place.above | {own})
        with os.scandir(place.path) as entries:
            found = [entry for entry in entries if not is_excluded_name(entry.name)]
        for entry in found:
            steps = _go_on(self._patterns, place.steps, entry.name)
            if not steps:
                continue
            if os.path.isdir(entry.path):  # noqa: PTH112 - DirEntry.is_dir raises for links to themselves
                below = _Place(entry.path, f"{place.name}{entry.name}/", steps, place.above)
                (self._links if entry.is_symlink() else self._folders).append(below)
            elif len(self._patterns) in steps and os.path.isfile(entry.path):  # noqa: PTH113
                yield f"{place.name}{entry.name}"

    def _is_free(self, steps: Iterable[int]) -> bool:
        """Return whether ``**`` may stand for what comes next: any number of folders."""
        count = len(self._patterns)
        return any(step < count and self._patterns[step] == _ANY for step in steps)

    def _is_first(self, path: str) -> bool:
        """Return whether a folder is no link, or a link that is entered for the first time."""
        state = os.lstat(path.rstrip("/"))
        if not stat.S_ISLNK(state.st_mode):
            return True
        is_first = _identify(state) not in self._entered
        self._entered.add(_identify(state))
        return is_first


def _identify(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino
