"""Verification: everything in a store is read, and what is not as it was written is named.

Others may be at work in the store: what is gone meanwhile is no damage.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from sphinx_nbcache.store.entries import Entries, Problem, find_missing
from sphinx_nbcache.store.lfs import GitLfs
from sphinx_nbcache.store.memos import Memos
from sphinx_nbcache.store.objects import Objects, is_listing, read_digest

ListUnused = Callable[[AbstractSet[Path]], Iterable[Path]]


def find_problems(
    records: Iterable[Entries | Memos], objects: Objects, lfs: GitLfs, list_unused: ListUnused
) -> list[Problem]:
    """Return what is wrong with entries, memos and objects.

    :param list_unused: returns the files of objects that nothing needs, given the files of
        records that do not count.
    """
    sound: set[str] = set()
    unfetched: set[str] = set()
    problems: list[Problem] = []
    for path in objects.list_paths():
        if objects.is_sound(path):
            sound.add(read_digest(path))
        elif lfs.is_pointer(path):
            unfetched.add(read_digest(path))
            problems.append(_describe_unfetched(path))
        elif path.exists():
            problems.append(_describe_unsound(path))
    there = sound | unfetched
    broken = [problem for kind in records for problem in _find_broken(kind, objects, there)]
    if all(problem.is_removable for problem in broken):  # what stays unread may need anything
        unused = list_unused({problem.path for problem in broken})
        told = (path for path in unused if read_digest(path) in sound)
        unneeded = [Problem(path, "nothing needs it", is_damage=False) for path in told]
        return [*problems, *broken, *unneeded]
    return [*problems, *broken]


def _find_broken(
    records: Entries | Memos, objects: Objects, there: AbstractSet[str]
) -> Iterator[Problem]:
    def has(digest: str) -> bool:
        # What another process stored meanwhile was not seen when the objects were listed.
        return digest in there or objects.read(digest) is not None

    for path in records.list_paths():
        item = records.read(path)
        if isinstance(item, Problem):
            if path.exists():
                yield item
        elif missing := find_missing(item, has):
            yield Problem(path, missing)


def _describe_unfetched(path: Path) -> Problem:
    reason = "not fetched: git LFS keeps its content; run `git lfs pull`"
    return Problem(path, reason, is_damage=False, is_removable=False, is_unfetched=True)


def _describe_unsound(path: Path) -> Problem:
    if is_listing(path):
        return Problem(path, "damaged: it, or a chunk that it lists, is not what it should be")
    if os.access(path, os.R_OK):
        return Problem(path, "damaged: its content does not fit its name")
    return Problem(path, "it cannot be read", is_removable=False)
