"""When pages of a documentation are read again for what their notebooks depend on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.testing import markdown_cell
from sphinx_nbcache.testing import write_notebook as write_cells
from tests.e2e.build import Result, run_build, write_site

pytestmark = pytest.mark.slow  # each test builds a site, most of them several times

READ = "print(open({0!r}).read())"
HELPED = "import helper\nprint(helper.VALUE)"


def make_site(tmp_path: Path, conf: str = "") -> Path:
    """Write a site whose pages read different files."""
    pages = {
        "one": (READ.format("../data/one.txt"),),
        "two": (READ.format("../data/two.txt"),),
        "helped": (HELPED,),
        "free": ("1",),
    }
    site = write_site(tmp_path / "project", pages, conf)
    (site.parent / "data").mkdir()
    for name in ("one", "two"):
        (site.parent / f"data/{name}.txt").write_text(name)
    (site / "helper.py").write_text("VALUE = 'helper'\n")
    return site


def add_page(site: Path, name: str, code: str, **wishes: Any) -> None:
    """Write a page with metadata of ours."""
    cells = markdown_cell(f"# {name}"), code
    write_cells(site / f"{name}.md", *cells, metadata={"nbcache": wishes})


def list_site(site: Path, *names: str) -> None:
    """Have the site's index list pages."""
    listed = "\n".join(names)
    (site / "index.md").write_text(f"# Site\n\n```{{toctree}}\n{listed}\n```\n")


def find_ran(result: Result) -> set[str]:
    """Return the pages whose notebook ran in a build."""
    return {n["docname"] for n in result.report["notebooks"] if n["status"] == "ran"}


def take_stamps(folder: Path) -> dict[Path, int]:
    """Return when each file below a folder was changed."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("option", ["-j1", "-j2"])
def test_an_incremental_build_reads_exactly_the_pages_whose_inputs_changed(
    tmp_path: Path, option: str
) -> None:
    site = make_site(tmp_path)
    assert run_build(site, option).totals["ran"] == 4
    (site.parent / "data/one.txt").write_text("one, new")
    (site / "helper.py").write_text("VALUE = 'new helper'\n")
    changed = run_build(site, option)
    assert (changed.status, sorted(changed.pages_read)) == (0, ["helped", "one"])
    assert find_ran(changed) == {"helped", "one"}
    assert "one, new" in changed.read("one")
    assert "new helper" in changed.read("helped")
    before = take_stamps(site.parent / ".nbcache")
    for path in (site.parent / "data").iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    run_build(site, option)  # remembers the new times
    before = take_stamps(site.parent / ".nbcache")
    idle = run_build(site, option)
    assert (idle.pages_read, idle.totals["hits"], idle.stderr) == ([], 4, "")
    assert take_stamps(site.parent / ".nbcache") == before


def test_a_cache_made_in_one_folder_holds_in_another(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    run_build(site)
    moved = tmp_path / "elsewhere" / "deeper"
    ignored = shutil.ignore_patterns("out", "__pycache__")
    shutil.copytree(site.parent, moved, ignore=ignored, copy_function=shutil.copyfile)
    shutil.rmtree(site.parent)
    html = run_build(moved / "docs")
    assert (html.status, html.totals["hits"], html.totals["ran"]) == (0, 4, 0)
    latex = run_build(moved / "docs", out="tex", builder="latex")
    assert (latex.totals["hits"], latex.totals["ran"]) == (4, 0)
    (moved / "data/two.txt").write_text("twO")
    changed = run_build(moved / "docs")
    assert (find_ran(changed), changed.pages_read) == ({"two"}, ["two"])


def test_frozen_names_the_page_and_the_reason(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    run_build(site)
    (site.parent / "data/two.txt").write_text("twO")
    for out in ("out", "fresh"):
        frozen = run_build(site, out=out, variables={"NBCACHE_FROZEN": "1"})
        assert frozen.status == 1
        assert "two.md: WARNING: Executing notebook failed: NotCachedError" in frozen.stderr
        assert "data/two.txt changed" in frozen.stderr
        assert "one.md" not in frozen.stderr
        assert frozen.totals["failed"] == 1


class TestDeclared:
    """What pages and the project declare, in one site after another build."""

    @pytest.fixture
    def site(self, tmp_path: Path) -> Path:
        """Return a site with declared files, variables and ages."""
        site = write_site(tmp_path / "project", {}, 'nbcache_depends = ["../lock"]')
        list_site(site, "files", "variable", "never", "plain")
        (site.parent / "lock").write_text("1")
        (site / "deep").mkdir()
        (site / "deep/a.dat").write_text("a")
        add_page(site, "files", "'files'", depends=["**/*.dat"])
        add_page(site, "variable", "'variable'", env="COLOUR")
        add_page(site, "never", "'never'", cache=False)
        add_page(site, "plain", "'plain'")
        return site

    def test_runs_exactly_the_pages_that_it_concerns(self, site: Path) -> None:
        assert run_build(site, variables={"COLOUR": "red"}).totals["ran"] == 4
        for step, expected in self.change(site):
            result = run_build(site, variables={"COLOUR": step})
            assert (result.status, result.stderr) == (0, "")
            assert find_ran(result) == expected

    @staticmethod
    def change(site: Path) -> Iterator[tuple[str, set[str]]]:
        """Change one thing after the other; give the variable and the pages that run."""
        os.utime(site / "deep/a.dat", (1_600_000_000, 1_600_000_000))
        os.utime(site.parent / "lock", (1_600_000_000, 1_600_000_000))
        yield "red", {"never"}
        (site / "deep/a.dat").write_text("b")
        yield "blue", {"never", "files", "variable"}
        (site / "new.dat").write_text("c")
        yield "red", {"never", "files"}
        (site.parent / "lock").write_text("2")
        yield "red", {"never", "files", "variable", "plain"}


def test_outputs_that_are_too_old_are_made_again(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {})
    list_site(site, "short", "long")
    add_page(site, "short", "'short'", max_age="0.001s")
    add_page(site, "long", "'long'", max_age="2w")
    run_build(site)
    result = run_build(site)
    assert (find_ran(result), result.pages_read) == ({"short"}, ["short"])
    assert "older than its max_age" in result.find("short")["reason"]


def test_what_is_wrong_in_metadata_is_a_warning_and_the_notebook_runs(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {}, 'nbcache_depends = ["none/*.lock"]')
    wrong: dict[str, dict[str, Any]] = {
        "age": {"max_age": "soon"},
        "key": {"depend": ["x"]},
        "outside": {"depends": [str(tmp_path / "other/*.csv")]},
        "nothing": {"depends": ["nothing/*.csv"]},
    }
    list_site(site, *wrong)
    for name, wishes in wrong.items():
        add_page(site, name, f"{name!r}", **wishes)
    result = run_build(site)
    assert (result.status, find_ran(result)) == (0, set(wrong))
    for text in (
        "age.md: WARNING: nbcache: max_age = 'soon': expected a time such as",
        "key.md: WARNING: nbcache: unknown key 'depend' (did you mean 'depends'?)",
        "outside.md: WARNING: nbcache: depends: ",
        "is outside of the project root",
        "nothing.md: WARNING: ",
        "nothing/*.csv",
        "none/*.lock",
    ):
        assert text in result.stderr
    assert result.stderr.count("[nbcache.metadata]") == 5


def test_what_is_not_tracked_does_not_count_and_may_be_told(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    run_build(site)
    (site.parent / "data/one.txt").write_text("one, new")
    (site / "helper.py").write_text("VALUE = 'new helper'\n")
    levels = ("-D", "nbcache_track.files=warn", "-D", "nbcache_track.modules=off")
    for out in ("out", "out", "fresh"):
        told = run_build(site, *levels, out=out)
        assert (told.status, told.totals["ran"]) == (0, 0)
        assert "one.md: WARNING: data/one.txt changed: its outputs are kept" in told.stderr
        assert told.stderr.count("[nbcache.inputs]") == 1
    assert find_ran(run_build(site)) == {"one", "helped"}
