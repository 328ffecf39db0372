"""The Python API from end to end, with real kernels.

``RUNS`` is a file to which every run of a notebook adds a letter: it tells how often
kernels really ran.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

import sphinx_nbcache
from sphinx_nbcache.errors import (
    ConfigurationError,
    NotCachedError,
    NotebookNotFoundError,
    NotebookReadError,
    StoreError,
)
from sphinx_nbcache.model import Mode, Outcome, Settings, Status
from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import Cell, RecordingProgress, code_cell, markdown_cell, write_notebook
from tests.store.samples import find_outputs


@dataclass
class Site:
    """A project with a file that counts runs."""

    root: Path
    runs_file: Path
    cache: NotebookCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = NotebookCache(project=self.root)

    @property
    def runs(self) -> int:
        """Return how often a notebook ran."""
        return len(self.runs_file.read_text()) if self.runs_file.exists() else 0

    def count(self, code: str = "") -> str:
        """Return code that adds to the runs, then does something else."""
        return f"open({str(self.runs_file)!r}, 'a').write('x');\n{code}"

    def statuses(self, *paths: str, **options: object) -> dict[str, str]:
        """Execute what lies in the project, and return name to status."""
        report = self.cache.execute([self.root / path for path in paths or (".",)], **options)  # type: ignore[arg-type]
        return {outcome.name: str(outcome.status) for outcome in report.outcomes}


@pytest.fixture
def site(project_folder: Path, tmp_path: Path) -> Site:
    """Return an empty project."""
    return Site(project_folder, tmp_path / "runs")


def test_a_notebook_runs_once_until_its_code_changes(site: Site) -> None:
    path = write_notebook(site.root / "a.ipynb", site.count("print(1)"))
    assert site.statuses() == {"a.ipynb": "ran"}
    assert site.statuses() == {"a.ipynb": "hit"}
    write_notebook(path, markdown_cell("new prose"), site.count("print(1)"))
    assert site.statuses() == {"a.ipynb": "hit"}
    write_notebook(path, site.count("print(2)"))
    assert site.statuses() == {"a.ipynb": "ran"}
    assert site.runs == 2
    write_notebook(path, site.count("print(1)"))
    assert site.statuses() == {"a.ipynb": "hit"}, "the first version is still there"
    assert site.statuses(force=True) == {"a.ipynb": "ran"}
    assert site.runs == 3


def test_the_report_tells_what_happened(site: Site) -> None:
    write_notebook(site.root / "a.ipynb", "1", "import time; time.sleep(0.2)")
    cold = site.cache.execute([site.root])
    warm = site.cache.execute([site.root])
    (ran,), (hit,) = cold.outcomes, warm.outcomes
    assert (ran.reason, hit.reason) == ("never run", "outputs in the cache")
    assert [cell.to_json() for cell in ran.cells] == [cell.to_json() for cell in hit.cells]
    assert hit.slowest_cell is not None
    assert hit.slowest_cell.number == 2
    assert (hit.seconds, hit.executed_at) == (ran.seconds, ran.executed_at)
    assert (hit.kernel, hit.path) == ("python3", site.root / "a.ipynb")
    assert cold.seconds >= ran.seconds > 0.2
    assert warm.seconds == 0.0
    assert warm.totals.saved_seconds == ran.seconds


def test_identical_notebooks_of_one_folder_run_once_and_those_of_another_again(site: Site) -> None:
    code = site.count("import os; print(os.getcwd())")
    for name in ("a.ipynb", "b.ipynb", "b.md", "other/a.ipynb"):
        write_notebook(site.root / name, code)
    assert sorted(site.statuses().values()) == ["hit", "hit", "ran", "ran"]
    assert site.runs == 2
    for name, folder in (("b.md", site.root), ("other/a.ipynb", site.root / "other")):
        merged = site.cache.merge(site.root / name)
        assert merged.cells[0].outputs[-1].text == f"{folder}\n"


def test_a_failure_runs_again_each_time_until_it_is_mended_and_costs_no_other_notebook(
    site: Site,
) -> None:
    bad = write_notebook(site.root / "bad.ipynb", site.count("1 / 0"))
    write_notebook(site.root / "good.ipynb", site.count("print('good')"))
    assert site.statuses() == {"bad.ipynb": "failed", "good.ipynb": "ran"}
    assert site.statuses() == {"bad.ipynb": "failed", "good.ipynb": "hit"}
    assert site.cache.find(bad) is None
    with pytest.raises(NotCachedError, match="no outputs in the cache"):
        site.cache.merge(bad)
    write_notebook(bad, site.count("1 / 1"))
    assert site.statuses() == {"bad.ipynb": "ran", "good.ipynb": "hit"}
    assert site.runs == 4


def test_a_failure_in_markdown_names_the_line_of_the_file(site: Site) -> None:
    path = write_notebook(site.root / "a.md", markdown_cell("# Title"), "x = 1\n1 / 0")
    (outcome,) = site.cache.execute([path]).failures
    assert outcome.failure is not None
    assert outcome.failure.place == "cell 1, line 2"
    assert outcome.failure.file_line is not None
    assert path.read_text().splitlines()[outcome.failure.file_line - 1] == "1 / 0"


def test_frozen_starts_no_kernel_and_what_is_not_there_is_a_failure(site: Site) -> None:
    old = write_notebook(site.root / "old.ipynb", site.count("1"))
    site.statuses()
    write_notebook(site.root / "new.ipynb", site.count("2"))
    report = site.cache.execute([site.root], frozen=True)
    assert [(o.name, o.status) for o in report.outcomes] == [
        ("new.ipynb", Status.FAILED),
        ("old.ipynb", Status.HIT),
    ]
    (failure,) = [outcome.failure for outcome in report.failures]
    assert failure is not None
    assert (failure.name, failure.cell) == ("NotCachedError", None)
    assert site.statuses("old.ipynb", frozen=True, force=True) == {"old.ipynb": "hit"}
    assert site.cache.find(old) is not None
    assert site.runs == 1


def test_merged_it_has_the_prose_of_now_and_the_outputs_of_then(site: Site) -> None:
    cells: list[Cell] = [
        markdown_cell("old prose"),
        "print('printed')",
        code_cell("2", tags=["skip-execution"], outputs=[_stream("from the file")]),
        "'result'",
    ]
    path = write_notebook(site.root / "a.ipynb", *cells)
    site.statuses()
    cells[0] = markdown_cell("new prose")
    cells[3] = code_cell("'result'", tags=["hide-input"])
    write_notebook(path, *cells)
    merged = site.cache.merge(path)
    assert merged.cells[0].source == "new prose"
    assert merged.cells[1].outputs[0].text == "printed\n"
    assert merged.cells[2].outputs[0].text == "from the file"
    assert merged.cells[3].outputs[0].data["text/plain"] == "'result'"
    assert merged.cells[3].metadata.tags == ["hide-input"]
    assert [merged.cells[n].execution_count for n in (1, 2, 3)] == [1, None, 2]
    assert merged.metadata.language_info.name == "python"
    nbformat.validate(merged)
    assert "printed" not in path.read_text().replace("print('printed')", "")


def _stream(text: str) -> dict[str, str]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def _damage_entry(cache: Path) -> None:
    (path,) = cache.glob("entries/*/*/*.json")
    path.write_bytes(path.read_bytes()[:100])


def _damage_object(cache: Path) -> None:
    path = find_outputs(cache)
    path.write_bytes(b"damaged")


def _remove_object(cache: Path) -> None:
    path = find_outputs(cache)
    path.unlink()


@pytest.mark.parametrize("damage", [_damage_entry, _damage_object, _remove_object])
def test_what_is_damaged_runs_again_with_a_warning_and_is_sound_afterwards(
    site: Site, damage: Callable[[Path], None]
) -> None:
    write_notebook(site.root / "a.ipynb", site.count())
    site.statuses()
    damage(site.cache.path)
    progress = RecordingProgress()
    assert site.statuses(progress=progress) == {"a.ipynb": "ran"}
    assert progress.warnings
    assert all(line.endswith("; a.ipynb counts as not cached") for line in progress.warnings)
    assert site.runs == 2
    assert site.cache.verify() == []
    progress = RecordingProgress()
    assert site.statuses(progress=progress) == {"a.ipynb": "hit"}
    assert progress.warnings == []


def test_progress_is_told_in_order_and_nothing_when_all_are_hits(site: Site) -> None:
    for name in ("a", "b"):
        write_notebook(site.root / f"{name}.ipynb", f"print({name!r})")
    progress = RecordingProgress()
    site.statuses(progress=progress, jobs=1)
    # The second one starts when the first has ended; only then is the first one saved and told.
    assert progress.calls == ["begin", "start", "start", "finish", "finish", "end"]
    assert progress.stale == [2]
    assert [outcome.name for outcome in progress.finished] == progress.started
    assert progress.ticks > 0
    progress = RecordingProgress()
    site.statuses(progress=progress)
    assert progress.calls == []


def test_no_more_notebooks_run_at_once_than_jobs(site: Site) -> None:
    code = "import time\nstart = time.time()\ntime.sleep(0.3)\nprint(start, time.time(), {0})"
    for number in range(3):
        write_notebook(site.root / f"{number}.ipynb", code.format(number))
    site.statuses(jobs=1)
    spans = []
    for number in range(3):
        text = site.cache.merge(site.root / f"{number}.ipynb").cells[0].outputs[0].text
        spans.append([float(word) for word in text.split()[:2]])
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_a_notebook_that_raises_may_have_its_errors_allowed(site: Site) -> None:
    metadata = {"execution": {"allow_errors": True}}
    path = write_notebook(site.root / "a.ipynb", "1 / 0", "2", metadata=metadata)
    assert site.statuses() == {"a.ipynb": "ran"}
    assert site.cache.merge(path).cells[0].outputs[0].ename == "ZeroDivisionError"


def test_a_notebook_that_takes_too_long_is_not_cached(site: Site) -> None:
    metadata = {"execution": {"timeout": 1}}
    write_notebook(site.root / "a.ipynb", "while True: pass", metadata=metadata)
    (outcome,) = site.cache.execute([site.root]).outcomes
    assert outcome.status is Status.TIMED_OUT
    assert site.cache.find(site.root / "a.ipynb") is None


def test_the_temp_executor_runs_in_folders_that_are_gone_afterwards(site: Site) -> None:
    path = write_notebook(site.root / "a.ipynb", "import os; print(os.getcwd())")
    assert site.statuses(executor="temp-serial") == {"a.ipynb": "ran"}
    assert site.cache.explain([path])[0].would_run, "in its own folder it has another key"
    folder = Path(site.cache.merge(path).cells[0].outputs[0].text.strip())
    assert not folder.exists()
    assert folder != site.root


class TestNothingRuns:
    """Without a kernel."""

    def test_notebooks_are_found_below_folders_but_not_in_hidden_or_built_ones(
        self, site: Site
    ) -> None:
        for name in ("a.ipynb", "x/b.md", ".hidden/c.ipynb", "_build/d.ipynb", "x/_e.ipynb"):
            write_notebook(site.root / name, "1")
        (site.root / "text.md").write_text("# Only text")
        (site.root / "script.py").write_text("x = 1")
        assert site.statuses(frozen=True) == {"a.ipynb": "failed", "x/b.md": "failed"}

    def test_a_folder_that_is_called_like_a_notebook_is_none(self, site: Site) -> None:
        (site.root / "notes.md").mkdir()
        (site.root / "notes.ipynb").mkdir()
        write_notebook(site.root / "notes.md" / "a.ipynb", "1")
        assert site.statuses(frozen=True) == {"notes.md/a.ipynb": "failed"}

    def test_a_file_that_is_named_and_no_notebook_is_a_failure(self, site: Site) -> None:
        (site.root / "text.md").write_text("# Only text")
        (outcome,) = site.cache.execute([site.root / "text.md"]).outcomes
        assert outcome.status is Status.FAILED
        assert outcome.failure is not None
        assert outcome.failure.name == "NotebookReadError"

    def test_a_broken_file_is_a_failure_and_the_others_go_on(self, site: Site) -> None:
        (site.root / "broken.ipynb").write_text("{")
        (site.root / "odd.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [{"x": 1}]}))
        write_notebook(site.root / "text.ipynb", markdown_cell("no code"))
        assert site.statuses() == {
            "broken.ipynb": "failed", "odd.ipynb": "failed", "text.ipynb": "hit",
        }  # fmt: skip

    def test_a_path_that_does_not_exist_is_an_error(self, site: Site) -> None:
        for use in (lambda p: site.cache.execute([p]), site.cache.find, site.cache.merge):
            with pytest.raises(NotebookNotFoundError, match=r"gone\.ipynb"):
                use(site.root / "gone.ipynb")

    def test_a_file_that_is_no_notebook_cannot_be_found_or_merged(self, site: Site) -> None:
        (site.root / "text.md").write_text("# Only text")
        for use in (site.cache.find, site.cache.merge):
            with pytest.raises(NotebookReadError, match=r"text\.md"):
                use(site.root / "text.md")

    def test_nothing_is_created(self, site: Site) -> None:
        path = write_notebook(site.root / "a.ipynb", "1")
        site.statuses(frozen=True)
        site.cache.find(path)
        site.cache.verify()
        assert {path.name for path in site.root.iterdir()} == {"a.ipynb", "pyproject.toml"}

    def test_a_file_named_twice_has_one_outcome(self, site: Site) -> None:
        write_notebook(site.root / "a.ipynb", "1")
        assert site.statuses("a.ipynb", ".", "x/../a.ipynb", frozen=True) == {"a.ipynb": "failed"}

    @pytest.mark.parametrize("mode", [Mode.OFF, Mode.INLINE])
    def test_a_notebook_that_is_not_to_be_executed_is_skipped(self, site: Site, mode: Mode) -> None:
        metadata = {"mystnb": {"execution_mode": str(mode)}}
        write_notebook(site.root / "a.ipynb", "1", metadata=metadata)
        assert site.statuses() == {"a.ipynb": "skipped"}

    def test_excluded_notebooks_are_skipped(self, site: Site) -> None:
        write_notebook(site.root / "x/a.ipynb", "1")
        site.cache = NotebookCache(project=site.root, settings=Settings(excludepatterns=("x/*",)))
        assert site.statuses() == {"x/a.ipynb": "skipped"}

    def test_a_cache_that_cannot_be_written_is_one_sentence(
        self, site: Site, tmp_path: Path
    ) -> None:
        write_notebook(site.root / "a.ipynb", "1")
        (tmp_path / "file").touch()
        site.cache = NotebookCache(tmp_path / "file" / "cache", project=site.root)
        with pytest.raises(StoreError, match=r"^cache .*cache: cannot be written: "):
            site.statuses()

    def test_a_cache_of_another_format_is_told_once(self, site: Site) -> None:
        write_notebook(site.root / "a.ipynb", markdown_cell("text"))
        site.cache.path.mkdir()
        (site.cache.path / "FORMAT").write_text("99\n")
        progress = RecordingProgress()
        site.statuses(progress=progress)
        assert len(progress.warnings) == 1
        assert "has format 99" in progress.warnings[0]

    def test_a_cache_can_be_sent_to_another_process(self, site: Site) -> None:
        again = pickle.loads(pickle.dumps(site.cache))
        assert again.path == site.cache.path

    def test_the_name_at_the_top_is_the_same_class(self) -> None:
        assert sphinx_nbcache.NotebookCache is NotebookCache

    def test_an_unknown_name_at_the_top_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="nowhere"):
            _ = sphinx_nbcache.nowhere


class TestEnvironment:
    """Environment variables."""

    def test_say_where_the_cache_lies(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NBCACHE_PATH", str(tmp_path / "elsewhere"))
        assert NotebookCache(project=site.root).path == tmp_path / "elsewhere"
        assert NotebookCache(tmp_path / "x", project=site.root).path == tmp_path / "x"

    def test_can_be_relative_to_the_project(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NBCACHE_PATH", "cache")
        assert NotebookCache(project=site.root).path == site.root / "cache"

    def test_can_freeze(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        write_notebook(site.root / "a.ipynb", site.count())
        monkeypatch.setenv("NBCACHE_FROZEN", "1")
        assert site.statuses() == {"a.ipynb": "failed"}
        assert site.runs == 0

    @pytest.mark.parametrize(
        ("variable", "value"),
        [("NBCACHE_JOBS", "0"), ("NBCACHE_FROZEN", "maybe"), ("NBCACHE_EXECUTOR", "fast")],
    )
    def test_with_a_wrong_value_are_an_error_that_names_them(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(ConfigurationError, match=f"^{variable} = '{value}': expected "):
            NotebookCache(project=site.root)

    @pytest.mark.parametrize(("name", "value"), [("jobs", 0), ("executor", "fast")])
    def test_are_not_blamed_for_a_wrong_argument(
        self, site: Site, name: str, value: object
    ) -> None:
        with pytest.raises(ConfigurationError, match=f"^{name} = {value!r}: expected "):
            site.statuses(**{name: value})


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_file_whose_name_is_not_unicode_runs_and_is_found(site: Site) -> None:
    try:
        path = write_notebook(site.root / os.fsdecode(b"caf\xe9.ipynb"), "print(1)")
    except OSError:
        pytest.skip("this file system takes names in Unicode only")
    assert site.statuses() == {path.name: "ran"}
    assert site.statuses() == {path.name: "hit"}


def test_the_callback_gets_each_notebook_that_was_run(site: Site) -> None:
    write_notebook(site.root / "a.ipynb", "print(1)")
    write_notebook(site.root / "b.ipynb", markdown_cell("no code"))
    outcomes: list[Outcome] = []
    site.statuses(on_finished=outcomes.append)
    site.statuses(on_finished=outcomes.append)
    assert [outcome.name for outcome in outcomes] == ["a.ipynb"]
