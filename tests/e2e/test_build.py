"""What a user of ``sphinx-build`` sees: what runs, what does not, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.build import clean_environment, command, run_build, write_notebook, write_site

FAILING = ("value = 41", "value + missing_name")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give a site of three notebooks, one of them in a folder."""
    pages = {"one": ("print('first', 1 + 1)",), "two": ("'second'",), "deep/three": ("'third'",)}
    return write_site(tmp_path / "project", pages)


def test_cold_build_runs_all_and_the_next_one_reads_nothing(site: Path) -> None:
    cold = run_build(site)
    assert cold.status == 0, cold.stderr
    assert cold.totals["ran"] == 3
    assert "first 2" in cold.read("one")
    again = run_build(site)
    assert again.status == 0
    assert again.pages_read == []
    assert (again.totals["hits"], again.totals["ran"]) == (3, 0)
    assert "nbcache: 3 notebooks: 3 hits, 0 ran, 0 failed" in again.stdout


def test_prose_and_a_presentational_tag_change_the_page_without_a_kernel(site: Path) -> None:
    run_build(site)
    cell = ":tags: [remove-input]\n\nprint('first', 1 + 1)"
    write_notebook(site / "one.md", cell, prose="Altogether new words.")
    edited = run_build(site)
    assert edited.totals["ran"] == 0
    page = edited.read("one")
    assert "Altogether new words." in page
    assert "cell_input" not in page
    assert "first 2" in page


def test_an_edited_cell_runs_that_notebook_only(site: Path) -> None:
    run_build(site)
    write_notebook(site / "two.md", "'second, edited'")
    edited = run_build(site)
    assert [n["docname"] for n in edited.report["notebooks"] if n["status"] == "ran"] == ["two"]
    assert "second, edited" in edited.read("two")


@pytest.mark.parametrize(
    "builder",
    [
        "dirhtml",
        *(pytest.param(b, marks=pytest.mark.slow) for b in ("latex", "linkcheck", "gettext")),
    ],
)
def test_a_second_builder_starts_no_kernel(site: Path, builder: str) -> None:
    run_build(site)
    other = run_build(site, out="other", builder=builder)
    assert other.status == 0, other.stderr
    assert (other.totals["hits"], other.totals["ran"]) == (3, 0)


def test_a_fresh_environment_and_a_fresh_folder_start_no_kernel(site: Path) -> None:
    first = run_build(site)
    fresh = run_build(site, out="fresh")
    assert fresh.totals["ran"] == 0
    for name in ("one", "two", "deep/three"):
        assert fresh.read(name) == first.read(name)
    assert run_build(site, "-E").totals["ran"] == 0


def test_the_tree_restored_elsewhere_with_new_times_starts_no_kernel(site: Path) -> None:
    run_build(site)
    moved = site.parent.parent / "elsewhere"
    shutil.copytree(site.parent, moved, ignore=shutil.ignore_patterns("out"))
    for path in moved.rglob("*"):
        os.utime(path)
    restored = run_build(moved / "docs")
    assert restored.status == 0, restored.stderr
    assert (restored.totals["hits"], restored.totals["ran"]) == (3, 0)


def test_parallel_reading_gives_the_same_pages(site: Path) -> None:
    serial = run_build(site, out="serial")
    parallel = run_build(site, "-j", "3", out="parallel")
    assert parallel.totals["hits"] == 3
    for name in ("one", "two", "deep/three"):
        assert parallel.read(name) == serial.read(name)


def test_sleeping_notebooks_overlap(tmp_path: Path) -> None:
    pages = {f"p{n}": (f"import time\ntime.sleep(5)\n{n}",) for n in range(4)}
    site = write_site(tmp_path / "project", pages)
    result = run_build(site, "-D", "nbcache_jobs=4")
    starts = [n["seconds"] for n in result.report["notebooks"]]
    # 20 s of sleeping inside the kernels cannot have been one after another.
    assert min(starts) >= 5
    assert result.totals["seconds"] < 0.9 * sum(starts)


class TestFailure:
    """One page of ten fails."""

    @pytest.fixture
    def failing(self, tmp_path: Path) -> Path:
        pages: dict[str, tuple[str, ...]] = {f"good{n}": (f"{n} * 2",) for n in range(9)}
        return write_site(tmp_path / "project", {**pages, "bad": FAILING})

    def test_site_is_built_and_every_build_says_so(self, failing: Path) -> None:
        first = run_build(failing)
        assert first.status == 1
        assert len(list(first.outdir.glob("good*.html"))) == 9
        assert "NameError" in first.read("bad")
        again = run_build(failing)
        assert again.status == 1
        assert again.pages_read == []
        started = [line for line in again.stdout.splitlines() if line.startswith("[")]
        assert len(started) == 1
        assert started[0].startswith("[1/1] failed  bad")
        for result in (first, again):
            assert "bad.md:15: WARNING: Executing notebook failed: NameError in cell 2, line 1" in (
                result.stderr
            )
            assert "value + missing_name" in result.stderr
            assert "[nbcache.exec]" in result.stderr
        error = again.find("bad")["error"]
        assert (error["name"], error["cell"], error["line"]) == ("NameError", 2, 1)

    def test_mended_page_is_read_and_the_build_passes(self, failing: Path) -> None:
        run_build(failing)
        write_notebook(failing / "bad.md", "value = 41", "value + 1")
        mended = run_build(failing)
        assert mended.status == 0, mended.stderr
        assert (mended.totals["hits"], mended.totals["ran"]) == (9, 1)

    def test_announced_exception_is_no_failure(self, failing: Path) -> None:
        tagged = f":tags: [raises-exception]\n\n{FAILING[1]}"
        write_notebook(failing / "bad.md", FAILING[0], tagged)
        result = run_build(failing)
        assert result.status == 0, result.stderr
        assert "NameError" in result.read("bad")

    def test_warn_keeps_the_old_exit_status(self, failing: Path) -> None:
        result = run_build(failing, "-D", "nbcache_on_error=warn")
        assert result.status == 0
        assert "NameError" in result.stderr

    def test_raise_on_error_ends_the_build_after_all_have_run(self, failing: Path) -> None:
        result = run_build(failing, "-D", "nb_execution_raise_on_error=1")
        assert result.status == 2
        assert "Notebook execution error" in result.stderr
        after = run_build(failing, "-D", "nb_execution_raise_on_error=0")
        assert (after.totals["hits"], after.totals["failed"]) == (9, 1)


def test_failure_that_heals_by_itself_is_shown_on_the_page(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {"needs": ("print(open('../data.txt').read())",)})
    assert run_build(site).status == 1
    (site.parent / "data.txt").write_text("now it is here")
    healed = run_build(site)
    assert healed.status == 0, healed.stderr
    assert "now it is here" in healed.read("needs")


def test_traceback_is_shown_when_asked_for(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {"bad": FAILING})
    result = run_build(site, "-D", "nb_execution_show_tb=1")
    assert "----> 1 value + missing_name" in result.stderr
    log = (result.outdir / "reports/bad.err.log").read_text()
    assert "NameError" in log


class TestFrozen:
    """No kernel may start."""

    def test_full_cache_builds_and_a_missing_entry_names_its_page(self, site: Path) -> None:
        run_build(site)
        variables = {"NBCACHE_FROZEN": "1"}
        assert run_build(site, out="frozen", variables=variables).status == 0
        key = run_build(site, out="frozen").find("two")["key"]
        shutil.rmtree(site.parent / ".nbcache/entries" / key[:2] / key)
        missing = run_build(site, out="frozen2", variables=variables)
        assert missing.status == 1
        assert "two.md: WARNING: Executing notebook failed: NotCachedError" in missing.stderr
        assert "one.md" not in missing.stderr
        assert missing.totals["ran"] == 0

    def test_option_in_conf_does_the_same(self, site: Path) -> None:
        result = run_build(site, "-D", "nbcache_frozen=1", "-D", "nbcache_on_error=warn")
        assert result.status == 1
        assert result.totals["failed"] == 3


class TestRerun:
    """Pages that are asked to run again."""

    def test_pattern_runs_exactly_the_matching_pages(self, site: Path) -> None:
        run_build(site)
        result = run_build(site, "-D", "nbcache_rerun=deep/*,on?")
        ran = {
            n["docname"]: n["reason"] for n in result.report["notebooks"] if n["status"] == "ran"
        }
        assert ran.keys() == {"deep/three", "one"}
        assert "nbcache_rerun = 'deep/*'" in ran["deep/three"]

    def test_pattern_without_a_match_warns(self, site: Path) -> None:
        result = run_build(site, "-D", "nbcache_rerun=nowhere/*")
        assert "nbcache_rerun = 'nowhere/*' matches no notebook" in result.stderr
        assert "[nbcache.rerun]" in result.stderr


def test_force_runs_a_page_whenever_it_is_read(site: Path) -> None:
    run_build(site)
    result = run_build(site, "-E", "-D", "nb_execution_mode=force")
    assert result.totals["ran"] == 3
    assert result.find("one")["reason"] == "execution mode force"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("nbcache_jobs=many", "nbcache_jobs = 'many': expected a whole number from 1"),
        ("nbcache_on_error=ignore", 'nbcache_on_error = \'ignore\': expected "fail" or "warn"'),
        ("nbcache_executor=cloud", "nbcache_executor = 'cloud': expected one of local-serial"),
    ],
)
def test_wrong_option_is_one_line(site: Path, option: str, expected: str) -> None:
    result = run_build(site, "-D", option)
    assert result.status == 2
    assert "Configuration error" in result.stderr
    assert expected in result.stderr


def test_unreadable_notebooks_are_warnings_and_the_rest_is_built(site: Path) -> None:
    (site / "torn.ipynb").write_text('{"cells": [')
    (site / "latin.md").write_bytes(b"---\nfile_format: mystnb\n---\n# caf\xe9\n")
    for _ in range(2):
        result = run_build(site)
        assert result.status == 1
        assert "torn.ipynb: WARNING: cannot be read as a notebook: NotJSONError" in result.stderr
        assert "first 2" in result.read("one")
    assert "could not be read" in result.read("torn")


def test_cache_lies_where_it_is_said(site: Path) -> None:
    run_build(site, "-D", "nbcache_path=_here", variables={"NBCACHE_PATH": "not-this"})
    assert (site / "_here/FORMAT").read_text() == "1\n"
    there = site.parent / "there"
    run_build(site, "-E", variables={"NBCACHE_PATH": str(there)})
    assert (there / "FORMAT").exists()
    assert not (site.parent / ".nbcache").exists()


def test_source_changed_by_another_extension_is_what_runs(tmp_path: Path) -> None:
    conf = """
def fill(app, docname, source):
    source[0] = source[0].replace("@VALUE@", "6 * 7")
def setup(app):
    app.connect("source-read", fill)
"""
    site = write_site(tmp_path / "project", {"page": ("print(@VALUE@)",)}, conf)
    result = run_build(site)
    assert result.status == 0, result.stderr
    assert "42" in result.read("page")
    assert run_build(site, "-E").find("page")["status"] == "hit"


def test_interrupted_build_keeps_what_is_finished_and_leaves_no_process(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no SIGINT between processes")
    pages = {"quick": ("'done'",), "slow": ("import time\ntime.sleep(600)",)}
    site = write_site(tmp_path / "project", pages, "nb_execution_timeout = 900")
    process = subprocess.Popen(
        command(site, site.parent / "out", "-D", "nbcache_jobs=2"),
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "ran  quick" in line:
            break
    kernels = psutil.Process(process.pid).children(recursive=True)
    assert kernels
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while any(kernel.is_running() for kernel in kernels) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [kernel for kernel in kernels if kernel.is_running()]
    write_notebook(site / "slow.md", "'quick now'")
    after = run_build(site)
    assert (after.find("quick")["status"], after.find("slow")["status"]) == ("hit", "ran")


def test_notebook_of_format_3_is_executed(site: Path) -> None:
    cell = {"cell_type": "code", "input": "6 * 7", "language": "python", "outputs": []}
    worksheets = [{"cells": [{**cell, "metadata": {}, "collapsed": False}], "metadata": {}}]
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": worksheets,
    }
    (site / "old.ipynb").write_text(json.dumps(old))
    result = run_build(site)
    assert result.find("old")["status"] == "ran", result.stderr
    assert "42" in result.read("old")


def test_missing_kernel_is_a_failure_that_lists_the_kernels_there_are(site: Path) -> None:
    page = site / "two.md"
    page.write_text(page.read_text().replace("name: python3", "name: fortran77"))
    result = run_build(site)
    assert result.status == 1
    assert "two.md: WARNING: Executing notebook failed: KernelStartError" in result.stderr
    assert "there is no kernel 'fortran77'; kernels found here: " in result.stderr
    assert "python3" in result.stderr
    aliased = run_build(site, "-D", "nb_kernel_rgx_aliases.fortran.*=python3")
    assert (aliased.status, aliased.find("two")["kernel"]) == (0, "python3")


@pytest.mark.parametrize(
    ("executor", "folder"), [("local-serial", "docs"), ("temp-parallel", ""), ("temp-serial", "")]
)
def test_executors_choose_the_working_directory(tmp_path: Path, executor: str, folder: str) -> None:
    site = write_site(tmp_path / "project", {"page": ("import os\nprint(os.getcwd())",)})
    result = run_build(site, "-D", f"nbcache_executor={executor}")
    shown = result.read("page")
    assert (str(site) in shown) is bool(folder)
    assert result.totals["ran"] == 1


def test_serial_executor_runs_one_after_another(site: Path) -> None:
    result = run_build(site, "-D", "nbcache_executor=local-serial", "-D", "nbcache_jobs=4")
    total = sum(notebook["seconds"] for notebook in result.report["notebooks"])
    assert result.totals["seconds"] >= 0.99 * total


def test_exception_of_the_reader_name_is_a_failed_cell(tmp_path: Path) -> None:
    cell = "class NotebookReadError(Exception): pass\n\nraise NotebookReadError('mine')"
    result = run_build(write_site(tmp_path / "project", {"page": (cell,)}))
    assert "Executing notebook failed: NotebookReadError in cell 1, line 3: mine" in result.stderr


def test_traceback_file_goes_when_the_notebook_is_mended(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {"page": FAILING})
    log = run_build(site).outdir / "reports/page.err.log"
    assert "NameError" in log.read_text()
    write_notebook(site / "page.md", "1")
    run_build(site)
    assert not log.exists()


def test_output_folder_inside_the_sources_adds_no_pages(site: Path) -> None:
    for _ in range(2):
        result = run_build(site, out="docs/_build/html")
        assert result.status == 0, result.stderr
        assert result.totals["notebooks"] == 3
    assert result.pages_read == []
    assert "not included in any toctree" not in result.stderr
