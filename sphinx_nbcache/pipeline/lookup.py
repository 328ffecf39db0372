"""From a key to the entry that answers it, if one holds."""

from __future__ import annotations

from sphinx_nbcache.keys import find_changes
from sphinx_nbcache.model import Entry, Key, Outcome, Status
from sphinx_nbcache.pipeline.progress import Progress
from sphinx_nbcache.pipeline.source import Source
from sphinx_nbcache.store import Store


def look_up(key: Key, name: str, *, store: Store, progress: Progress) -> Entry | None:
    """Return the newest entry of a key whose inputs all hold.

    What is torn, missing or altered is told to ``progress`` and counts as a miss.

    :param name: the notebook that asks.
    """
    entries, problems = store.find_entries(key)
    for problem in problems:
        progress.warn(f"{problem}; {name} counts as not cached")
    # Inputs are not observed yet: an entry that has some was made by a later version,
    # and nothing here can tell whether they hold.
    return next((entry for entry in entries if not find_changes(entry.inputs, {})), None)


def make_hit(source: Source, entry: Entry, reason: str = "outputs in the cache") -> Outcome:
    """Return the outcome of a notebook that an entry answers."""
    return Outcome(
        name=source.name,
        path=source.path,
        status=Status.HIT,
        reason=reason,
        key=entry.key,
        kernel=entry.kernel,
        seconds=entry.seconds,
        executed_at=entry.executed_at,
        cells=entry.cells,
        outputs=entry.outputs,
    )
