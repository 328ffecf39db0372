"""The stand-ins behave as what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from sphinx_nbcache.config import Config
from sphinx_nbcache.keys import compute_key, make_question
from sphinx_nbcache.model import Failure, Job, Key, Notebook, Settings, Status, Topic
from sphinx_nbcache.pipeline import Project, make_plan, merge_outputs
from sphinx_nbcache.reading import FileReader, read_text
from sphinx_nbcache.testing import (
    Cell,
    FakeExecutor,
    RecordingProgress,
    check_reader,
    code_cell,
    make_notebook,
    make_run,
    markdown_cell,
    write_notebook,
)

CELLS: tuple[Cell, ...] = (
    markdown_cell("# Title"),
    "x = '''\n```\n'''",
    code_cell("y = 2", tags=["skip-execution", "hide-input"]),
    markdown_cell("between"),
    markdown_cell("two"),
    "z = 3",
)


def key_of(notebook: Notebook) -> Key:
    """Return a notebook's key, all else being equal."""
    return compute_key(make_question(notebook, kernel=notebook.kernel_name, working_directory="."))


@pytest.mark.parametrize("name", ["a.ipynb", "a.md", "folder/a.md"])
def test_what_is_written_is_read_as_what_is_made(tmp_path: Path, name: str) -> None:
    path = write_notebook(tmp_path / name, *CELLS, kernel="ir", metadata={"title": "T: 1"})
    notebook = FileReader().read(path, read_text(path))
    assert notebook is not None
    assert key_of(notebook) == key_of(make_notebook(*CELLS, kernel="ir"))
    assert notebook.metadata["title"] == "T: 1"
    prose = [cell["source"] for cell in notebook.content["cells"] if cell["cell_type"] != "code"]
    assert prose == ["# Title", "between", "two"]


def test_what_is_made_is_valid() -> None:
    content = nbformat.from_dict(dict(make_notebook(*CELLS).content))
    assert nbformat.validator.isvalid(content)


def test_a_notebook_may_name_no_kernel() -> None:
    assert "kernelspec" not in make_notebook("x", kernel=None).metadata


def make_job(tmp_path: Path) -> Job:
    """Return the job for all cells."""
    notebook = make_notebook(*CELLS, path=tmp_path / "a.ipynb")
    project = Project.open(tmp_path, Config())
    job = make_plan("a", notebook, Settings(), project=project).job
    assert job is not None
    return job


def test_a_made_run_fits_its_notebook(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    run = make_run(job)
    assert run.status is Status.RAN
    merge_outputs(job.notebook, run.outputs)  # raises where they do not belong together


def test_a_made_failure_has_a_cell_that_failed(tmp_path: Path) -> None:
    run = make_run(make_job(tmp_path), failure=Failure(name="E", message=""))
    assert run.status is Status.FAILED
    assert [str(cell.status) for cell in run.cells] == ["ok", "ok", "error"]


def test_the_executor_answers_in_its_context_only(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    executor = FakeExecutor()
    with executor:
        assert executor.submit(job).result(0).job is job
    assert executor.jobs == [job]
    with pytest.raises(AssertionError):
        executor.submit(job)


def test_progress_is_remembered() -> None:
    progress = RecordingProgress()
    progress.begin(2)
    progress.start("a")
    progress.tick()
    progress.wait(["b"])
    progress.warn("careful")
    progress.end()
    assert progress.calls == ["begin", "start", "wait", "warn", "end"]
    assert (progress.stale, progress.started, progress.waits) == ([2], ["a"], [["b"]])
    assert (progress.warnings, progress.ticks) == (["careful"], 1)
    assert progress.topics == [(Topic.STORE, "")]


class TestCheckReader:
    """``check_reader``, with readers of a format that has one cell on each line."""

    @staticmethod
    def read(path: Path, text: str) -> dict[str, Any]:
        """Keep the contract."""
        lines = text.splitlines()
        if "bad" in lines:
            raise ValueError("it is bad")
        return dict(make_notebook(*lines).content)

    @pytest.fixture
    def example(self, tmp_path: Path) -> Path:
        """Return a file of two cells."""
        path = tmp_path / "a.lines"
        path.write_text("x\ny\n")
        return path

    def test_a_good_one_passes(self, example: Path) -> None:
        check_reader(self.read, example, codes=["x", "y"], broken="bad")

    def test_other_code_is_told(self, example: Path) -> None:
        with pytest.raises(AssertionError, match=r"the code that is read is \['x', 'y'\]"):
            check_reader(self.read, example, codes=["x"], broken="bad")

    def test_a_broken_text_that_is_read_is_told(self, example: Path) -> None:
        with pytest.raises(AssertionError, match="a broken text is read"):
            check_reader(self.read, example, codes=["x", "y"], broken="good")

    def test_content_that_is_not_valid_is_told(self, example: Path) -> None:
        def read(path: Path, text: str) -> dict[str, Any]:
            return {**self.read(path, text), "nbformat_minor": 5}  # whose cells need ids

        with pytest.raises(AssertionError, match=r"not valid nbformat 4: .*'id' is a required"):
            check_reader(read, example, codes=["x", "y"], broken="bad")

    def test_content_of_another_version_is_told(self, example: Path) -> None:
        def read(path: Path, text: str) -> dict[str, Any]:
            return {**self.read(path, text), "nbformat": 3}

        with pytest.raises(AssertionError, match="nbformat 3, nbformat_minor 4 is not a version 4"):
            check_reader(read, example, codes=["x", "y"], broken="bad")

    def test_one_that_is_not_pure_is_told(self, example: Path) -> None:
        calls: list[str] = []

        def read(path: Path, text: str) -> dict[str, Any]:
            calls.append(text)
            return self.read(path, "x\ny\n" + "more\n" * (len(calls) - 1))

        with pytest.raises(AssertionError, match="other code the second time"):
            check_reader(read, example, codes=["x", "y"], broken="bad")

    def test_one_that_reads_the_file_itself_is_told(self, example: Path) -> None:
        def read(path: Path, text: str) -> dict[str, Any]:
            return self.read(path, path.read_text())

        with pytest.raises(AssertionError, match="depends on more than the text"):
            check_reader(read, example, codes=["x", "y"], broken="bad")

    @pytest.mark.parametrize(
        ("suffixes", "problem"),
        [(".lines", "not a tuple"), ((".md",), "built-in reader"), ((".x",), "ends with none of")],
    )
    def test_wrong_suffixes_are_told(self, example: Path, suffixes: object, problem: str) -> None:
        def read(path: Path, text: str) -> dict[str, Any]:
            return self.read(path, text)

        vars(read)["suffixes"] = suffixes
        with pytest.raises(AssertionError, match=problem):
            check_reader(read, example, codes=["x", "y"], broken="bad")
