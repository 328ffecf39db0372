"""What came of taking over a jupyter-cache: values, and how they are told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple


class Left(StrEnum):
    """Why a record of a jupyter-cache was left behind."""

    NO_NOTEBOOK = "no notebook of the project has its code"
    CHANGED = "its notebook has other code now"
    SKIPPED = "its notebook is not to be executed"
    OLDER = "there is a better one of the same code"
    FAILED = "a cell raised, and errors are not allowed"
    NOT_EXECUTED = "a cell was not executed"
    UNREADABLE = "its executed notebook cannot be read"


_COUNTED = {
    Left.NO_NOTEBOOK: "without a notebook here",
    Left.CHANGED: "of code that has changed",
    Left.SKIPPED: "of notebooks that are not executed",
    Left.OLDER: "older",
    Left.FAILED: "with errors",
    Left.NOT_EXECUTED: "not executed",
    Left.UNREADABLE: "unreadable",
}


class LeftBehind(NamedTuple):
    """A record that was not taken over."""

    uri: str
    """Path of its notebook on the machine that ran it."""
    why: Left


class ListedFile(NamedTuple):
    """A notebook of jupyter-cache's project list."""

    uri: str
    """Its path as it was recorded."""
    path: Path | None
    """The file of this project; None where there is none."""
    reader: str
    """Name of jupyter-cache's reader: ``nbformat``, ``jupytext``..."""
    assets: tuple[str, ...] = ()
    """Files that it needs, relative to its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What was taken over from a jupyter-cache, and what was not."""

    path: Path
    """Its folder, which stays as it is."""
    taken: tuple[str, ...] = ()
    """Names of the notebooks whose outputs are in the cache now."""
    present: tuple[str, ...] = ()
    """Names of those that had outputs in the cache already, which are kept."""
    left: tuple[LeftBehind, ...] = ()
    """The records that no notebook got."""
    listed: tuple[ListedFile, ...] = ()
    """The project list."""
    problems: tuple[str, ...] = ()
    """What could not be read or kept; sentences for people."""

    def describe(self) -> str:
        """Return the sums in one line."""
        number = len(self.taken)
        what = f"outputs of {number} notebook{'' if number == 1 else 's'}" if number else "nothing"
        parts = [f"{what} taken over"]
        if self.present:
            parts.append(f"{len(self.present)} in the cache already")
        counts = Counter(item.why for item in self.left)
        left = [f"{counts[why]} {text}" for why, text in _COUNTED.items() if counts[why]]
        if left:
            parts.append(f"records left behind: {', '.join(left)}")
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: what scripts read, so no name in it ever changes."""
        return {
            "path": str(self.path),
            "taken": list(self.taken),
            "present": list(self.present),
            "left": [{"uri": uri, "why": str(why)} for uri, why in self.left],
            "listed": [
                {
                    "uri": item.uri,
                    "path": None if item.path is None else str(item.path),
                    "reader": item.reader,
                    "assets": list(item.assets),
                }
                for item in self.listed
            ],
            "problems": list(self.problems),
        }
