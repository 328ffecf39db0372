"""A project of its own for what is memoized, and modules in it."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[..., Any]
_numbers = itertools.count()


@pytest.fixture
def memo_project(project_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder, which is the current one."""
    monkeypatch.chdir(project_folder)
    return project_folder


@pytest.fixture
def load(memo_project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Return a function that writes modules and imports the last one, as a new process would."""
    monkeypatch.syspath_prepend(memo_project)
    made: set[str] = set()

    def load_modules(**texts: str) -> ModuleType:
        for name in {*made, *texts}:
            sys.modules.pop(name, None)
        for name, text in texts.items():
            # Each text in a new folder: a file that changes within a second is not read again.
            folder = memo_project / f"version{next(_numbers)}"
            folder.mkdir()
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
            monkeypatch.syspath_prepend(folder)
        made.update(texts)
        importlib.invalidate_caches()
        return importlib.import_module(list(texts)[-1])

    yield load_modules
    for name in made:
        sys.modules.pop(name, None)
