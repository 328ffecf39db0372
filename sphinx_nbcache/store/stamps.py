"""Which objects were found sound, and how their files looked then.

Reading an object to see whether it is sound takes a hundred times as long as asking
whether its file was touched. What is remembered only spares look-ups that work: whoever
loads an object verifies what it loads.
"""

from __future__ import annotations

from sphinx_nbcache.store.files import Stamp
from sphinx_nbcache.store.index import Index


class Stamps:
    """The stamps of sound objects: those of the index, and those found out since."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[str, Stamp] | None = None
        self._new: dict[str, Stamp] = {}

    def is_known(self, name: str, stamp: Stamp) -> bool:
        """Return whether a file was found sound when it had this stamp."""
        return self._load().get(name) == stamp

    def note(self, name: str, stamp: Stamp) -> None:
        """Remember that a file is sound."""
        known = self._load()
        if known.get(name) != stamp:
            known[name] = self._new[name] = stamp

    def forget(self, name: str) -> None:
        """Take note that a file is not sound, whatever its stamp says."""
        self._load().pop(name, None)
        self._new.pop(name, None)

    def take_new(self) -> dict[str, Stamp]:
        """Return what the index does not know yet, once."""
        new, self._new = self._new, {}
        return new

    def _load(self) -> dict[str, Stamp]:
        if self._known is None:
            self._known = {name: Stamp(*stamp) for name, *stamp in self._index.find_stamps()}
        return self._known
