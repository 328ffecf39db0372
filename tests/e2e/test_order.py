"""Who runs before whom: as notebooks say, and as they were seen to read and write."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import markdown_cell, write_notebook
from tests.e2e.build import run_build, write_site

pytestmark = pytest.mark.slow  # each test builds a site, most of them several times

WRITE = "from pathlib import Path\nPath('out.txt').write_text({0!r})\nPath('n{0}').name"
READ = "print(open('out.txt').read())"


class Log(list[tuple[str, str]]):
    """Names and ends of the notebooks that ran, in this order."""

    def take(self) -> list[tuple[str, str]]:
        """Return all, and forget them."""
        found = list(self)
        self.clear()
        return found


def execute(root: Path, log: Log) -> bool:
    """Execute what is stale in a project, one after another; return whether all is well."""
    report = NotebookCache(project=root).execute(
        [root],
        executor="local-serial",
        on_finished=lambda outcome: log.append((Path(outcome.name).stem, str(outcome.status))),
    )
    return not report.failures


def read_text(path: Path) -> str:
    """Return what the first cell of a notebook printed."""
    merged = NotebookCache(project=path.parent).merge(path)
    return str(merged.cells[0].outputs[0].text).strip()


def test_a_notebook_that_missed_a_file_runs_again_once_and_the_next_time_in_order(
    project_folder: Path,
) -> None:
    log = Log()
    reader = write_notebook(project_folder / "a_reader.ipynb", READ)
    write_notebook(project_folder / "b_writer.ipynb", WRITE.format("one"))
    assert execute(project_folder, log)
    assert log.take() == [("a_reader", "failed"), ("b_writer", "ran"), ("a_reader", "ran")]
    assert read_text(reader) == "one"
    assert execute(project_folder, log)
    assert log.take() == []
    shutil.rmtree(project_folder / ".nbcache/entries")
    (project_folder / "out.txt").unlink()
    assert execute(project_folder, log)
    assert log.take() == [("b_writer", "ran"), ("a_reader", "ran")]


def test_what_reads_another_ones_file_runs_again_with_it_if_that_changed(
    project_folder: Path,
) -> None:
    log = Log()
    reader = write_notebook(project_folder / "a_reader.ipynb", READ)
    last = "open('last.txt', 'w').write(open('out.txt').read())"
    write_notebook(project_folder / "c_chain.ipynb", last)
    write_notebook(project_folder / "d_end.ipynb", "print(open('last.txt').read())")
    writer = write_notebook(project_folder / "b_writer.ipynb", WRITE.format("one"))
    assert execute(project_folder, log)
    log.clear()
    write_notebook(writer, WRITE.format("other"))
    assert execute(project_folder, log)
    assert log[0] == ("b_writer", "ran")
    assert sorted(log.take()[1:]) == [("a_reader", "ran"), ("c_chain", "ran"), ("d_end", "ran")]
    assert read_text(reader) == read_text(project_folder / "d_end.ipynb") == "other"
    write_notebook(writer, WRITE.format("other") + "\n# the same is written")
    assert execute(project_folder, log)
    assert log.take() == [("b_writer", "ran")]
    write_notebook(writer, WRITE.format("one"))
    assert execute(project_folder, log)
    assert log.take() == []
    assert read_text(reader) == read_text(project_folder / "d_end.ipynb") == "one"


def test_a_notebook_that_never_finds_its_file_does_not_run_for_ever(project_folder: Path) -> None:
    log = Log()
    write_notebook(project_folder / "a_reader.ipynb", READ + "\nopen('nowhere.txt')")
    write_notebook(project_folder / "b_writer.ipynb", WRITE.format("one"))
    assert not execute(project_folder, log)
    assert log.take() == [("a_reader", "failed"), ("b_writer", "ran"), ("a_reader", "failed")]
    assert not execute(project_folder, log)
    assert log.take() == [("a_reader", "failed")]


def test_two_that_change_each_others_file_come_to_an_end(project_folder: Path) -> None:
    log = Log()
    code = "n = len(open({0!r}).read())\nopen({1!r}, 'a').write('x' * (n + 1))"
    (project_folder / "one.txt").touch()
    (project_folder / "two.txt").touch()
    write_notebook(project_folder / "a.ipynb", code.format("one.txt", "two.txt"))
    write_notebook(project_folder / "b.ipynb", code.format("two.txt", "one.txt"))
    assert execute(project_folder, log)
    assert len(log) <= 4


def test_after_is_kept_whatever_the_names(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {}, "nbcache_jobs = 4")
    (site / "index.md").write_text("# Site\n\n```{toctree}\na\nsub/b\nc\n```\n")
    wait = "import time\ntime.sleep(0.2)\n"
    tell = wait + "with open({0!r}, 'a') as file:\n    print({1!r}, file=file)"
    path = str(tmp_path / "log")
    for name, after in {"a": "sub/b.md", "sub/b": ["/c", "../c"], "c": []}.items():
        metadata = {"nbcache": {"after": after}}
        cells = markdown_cell(f"# {name}"), tell.format(path, name)
        write_notebook(site / f"{name}.md", *cells, metadata=metadata)
    result = run_build(site)
    assert (result.status, result.stderr) == (0, "")
    assert Path(path).read_text().split() == ["c", "sub/b", "a"]
    write_notebook(site / "a.md", "'# A'", metadata={"nbcache": {"after": "nowhere"}})
    warned = run_build(site)
    assert "a.md: WARNING: nbcache: after: there is no notebook 'nowhere'" in warned.stderr
    assert warned.find("a")["status"] == "ran"


def test_a_cycle_is_an_error_that_names_its_pages(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {"free": ("1",)})
    (site / "index.md").write_text("# Site\n\n```{toctree}\na\nb\nfree\n```\n")
    for name, after in {"a": "b", "b": "a"}.items():
        metadata = {"nbcache": {"after": after}}
        write_notebook(site / f"{name}.md", markdown_cell("# T"), "1", metadata=metadata)
    result = run_build(site)
    assert result.status == 1
    assert "these notebooks wait for each other: " in result.stderr
    assert "a -> b -> a" in result.stderr or "b -> a -> b" in result.stderr
    statuses = {n["docname"]: n["status"] for n in result.report["notebooks"]}
    assert statuses == {"a": "failed", "b": "failed", "free": "ran"}
    write_notebook(site / "b.md", markdown_cell("# T"), "1")
    assert run_build(site).status == 0


@pytest.mark.parametrize("option", ["-j1", "-j2"])
def test_in_sphinx_a_page_that_reads_anothers_file_follows_in_the_same_build(
    tmp_path: Path, option: str
) -> None:
    pages = {"a_reader": (READ,), "b_writer": (WRITE.format("first"),), "c": ("1",)}
    site = write_site(tmp_path / "project", pages, "nbcache_jobs = 1")
    cold = run_build(site, option)
    assert (cold.status, cold.stderr) == (0, "")
    assert "first" in cold.read("a_reader")
    page = site / "b_writer.md"
    page.write_text(page.read_text().replace("first", "second"))
    edited = run_build(site, option)
    assert sorted(edited.pages_read) == ["a_reader", "b_writer"]
    assert "second" in edited.read("a_reader")
    assert edited.totals["ran"] == 2
    page.write_text(page.read_text().replace("second", "first"))
    back = run_build(site, option)
    assert (back.totals["ran"], back.stderr) == (0, "")
    assert "first" in back.read("a_reader")
