"""Projects to build in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.config import Config
from sphinx_nbcache.pipeline import Project


def open_project(folder: Path, **options: Any) -> Project:
    """Return a project in a folder, with these options."""
    return Project.open(folder, Config(**options))


@pytest.fixture
def project(project_folder: Path) -> Project:
    """Return an empty project."""
    return open_project(project_folder)
