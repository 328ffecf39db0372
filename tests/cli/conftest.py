"""The command in a project of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sphinx_nbcache.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run(project_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command in the project's folder."""
    monkeypatch.chdir(project_folder)

    def run_command(*arguments: str, input: str | None = None) -> Result:  # noqa: A002 - click's
        result = CliRunner().invoke(main, arguments, input=input)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run_command
