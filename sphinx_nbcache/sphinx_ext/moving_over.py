"""A jupyter-cache that a build finds before its own cache has anything: taken over, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import Mode
from sphinx_nbcache.pipeline import take_over
from sphinx_nbcache.sphinx_ext.answers import Answers
from sphinx_nbcache.sphinx_ext.warnings import LOGGER
from sphinx_nbcache.store import is_jupyter_cache, read_jupyter_cache

_FOLDER = ".jupyter_cache"
_NOT_OURS = (Mode.OFF, Mode.INLINE)


def take_over_once(answers: Answers) -> None:
    """Take over a jupyter-cache, if there is one and our cache was never used; say so.

    Whatever comes of it, our folder is there afterwards, so that no later build tries again.
    """
    store = answers.project.store
    if store.is_made() or Mode(answers.site_config.execution_mode) in _NOT_OURS:
        return
    path = next((path for path in _list_places(answers) if is_jupyter_cache(path)), None)
    if path is None:
        return
    place = f"nbcache: jupyter-cache at {answers.project.relate(path)}"
    try:
        LOGGER.info(f"{place}: {_take_over(path, answers)}")
    except StoreError as error:
        LOGGER.info(f"{place}: not taken over: {error}")
    with suppress(StoreError):  # whoever has to store something will say so
        store.make()


def _take_over(path: Path, answers: Answers) -> str:
    """Take over what is of use; return what came of it."""
    handover = take_over(
        read_jupyter_cache(path),
        answers.list_sources(sorted(answers.app.env.found_docs)),
        reading=answers.make_reading(lambda name, config: None),
        project=answers.project,
    )
    for uri, why in handover.left:
        LOGGER.verbose(f"nbcache: left behind {uri}: {why}")
    for problem in handover.problems:
        LOGGER.verbose(f"nbcache: {problem}")
    return handover.describe()


def _list_places(answers: Answers) -> Iterator[Path]:
    """Yield where a jupyter-cache may lie: first where MyST-NB would look for it."""
    yield Path(answers.site_config.execution_cache_path).absolute()
    yield answers.project.root / _FOLDER
    yield answers.project.folder / _FOLDER
