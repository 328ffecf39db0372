"""Which reader reads a file outside Sphinx, and what is known of it next time."""

from __future__ import annotations

from pathlib import Path

import pytest

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.pipeline import Project, Source
from sphinx_nbcache.pipeline.documentation import Pages
from sphinx_nbcache.pipeline.files import FileReading
from sphinx_nbcache.store import NotebookRecord

TEXT = "# %%\nx = 1\n"


def make_reading(project: Project, path: Path, readers: dict[Path, str]) -> FileReading:
    """Return the reading of one file that was named."""
    records = {
        path: NotebookRecord(id=1, path=path.name, added_at=0.0, reader=reader)
        for path, reader in readers.items()
    }
    return FileReading(None, Pages(project, None), frozenset([path]), records=records)


def test_a_file_is_read_with_the_reader_that_is_said(project: Project) -> None:
    path = project.root / "script.txt"
    source = Source("script.txt", path)
    with pytest.raises(NotebookReadError, match="of an unknown format"):
        make_reading(project, path, {}).read(source, TEXT)
    with pytest.raises(NotebookReadError, match="JSON"):
        make_reading(project, path, {path: "nbformat"}).read(source, TEXT)
    script = project.root / "script.py"
    found = make_reading(project, script, {script: "jupytext"}).read(Source("a", script), TEXT)
    assert found is not None
    assert [cell.source for cell in found[0].iterate_code_cells()] == ["x = 1"]


def test_what_is_found_in_a_text_is_told_apart_by_reader(project: Project) -> None:
    path = project.root / "a.md"
    source = Source("a.md", path)
    chosen: list[dict[Path, str]] = [{}, {path: "jupytext"}, {path: "nbformat"}]
    described = {make_reading(project, path, readers).describe(source) for readers in chosen}
    assert len(described) == 3
    assert None not in described


def test_a_file_of_a_reader_that_is_not_installed_is_read_anew(project: Project) -> None:
    path = project.root / "a.txt"
    reading = make_reading(project, path, {path: "gone"})
    assert reading.describe(Source("a.txt", path)) is None
