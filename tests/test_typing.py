"""What the public names are to a type checker; mypy reads this file with the others."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import assert_type

import sphinx_nbcache
from sphinx_nbcache import NotebookCache
from sphinx_nbcache.model import Entry, Report
from sphinx_nbcache.pipeline import Progress, Silence
from sphinx_nbcache.reading import FileReader, Reader
from sphinx_nbcache.running import Executor, LocalExecutor
from sphinx_nbcache.store import Problem
from sphinx_nbcache.testing import FakeExecutor, RecordingProgress


def use(cache: NotebookCache, path: Path) -> None:
    """Use the public API; only ever read by mypy."""
    assert_type(sphinx_nbcache.NotebookCache(), NotebookCache)
    assert_type(cache.execute([path, str(path)]), Report)
    assert_type(cache.find(path), Entry | None)
    assert_type(cache.verify(), list[Problem])
    assert_type(sphinx_nbcache.__version__, str)


def implement() -> tuple[list[Executor], list[Progress], list[Reader]]:
    """Return implementations where interfaces are asked for."""
    return [FakeExecutor(), LocalExecutor(1)], [RecordingProgress(), Silence()], [FileReader()]


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (files("sphinx_nbcache") / "py.typed").is_file()


def test_the_top_shows_what_it_names() -> None:
    assert all(hasattr(sphinx_nbcache, name) for name in sphinx_nbcache.__all__)
