"""The names in a folder, and the files that match a pattern, as one digest each."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from sphinx_nbcache.model import digest_json
from sphinx_nbcache.observing.exclusions import is_excluded, is_excluded_name


def digest_names(names: Iterable[str]) -> str:
    """Return the digest of names, those left out that are never looked at."""
    return digest_json(sorted(name for name in names if not is_excluded_name(name)))


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

    :param pattern: relative to the root; ``**`` stands for any folders.
    """
    found = glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)  # noqa: PTH207 - takes a root
    files = (name for name in found if os.path.isfile(os.path.join(root, name)))  # noqa: PTH113, PTH118
    return sorted(name for name in map(_to_posix, files) if not is_excluded(name))


def is_match(pattern: str, name: str) -> bool:
    """Return whether a pattern, as ``find_matches`` takes it, names a path in POSIX form."""
    return _match(pattern.split("/"), name.split("/"))


def _match(patterns: Sequence[str], parts: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_match(patterns[1:], parts[start:]) for start in range(len(parts) + 1))
    is_first = bool(parts) and fnmatchcase(parts[0], patterns[0])
    return is_first and _match(patterns[1:], parts[1:])


def _to_posix(path: str) -> str:
    return path.replace(os.sep, "/")
