"""Builds that compete for one cache, and builds that are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from sphinx_nbcache import NotebookCache
from tests.e2e.build import clean_environment, command, run_build, write_site

ROUNDS = 50


def write_counting_site(root: Path, notebooks: int) -> tuple[Path, Path]:
    """Write a site whose notebooks note each run of theirs in a file; return site and file.

    The file lies outside the project: in it, it would be what the notebooks read and write.
    """
    runs = root.parent / "runs.txt"
    cell = "with open({runs!r}, 'a') as file:\n    print({name!r}, file=file)\n{name!r}"
    pages = {
        name: (cell.format(runs=str(runs), name=name),)
        for name in (f"page{number}" for number in range(notebooks))
    }
    return write_site(root, pages), runs


def start_build(site: Path, out: str) -> subprocess.Popen[str]:
    """Start a build without waiting for it."""
    return subprocess.Popen(
        command(site, site.parent / out, "-j", "4"),
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_round(site: Path, runs: Path) -> list[str]:
    """Start two builds at once on an empty cache; return which notebooks ran, sorted."""
    shutil.rmtree(site.parent / ".nbcache", ignore_errors=True)
    for out in ("first", "second"):
        shutil.rmtree(site.parent / out, ignore_errors=True)
    runs.unlink(missing_ok=True)
    builds = [start_build(site, out) for out in ("first", "second")]
    for build in builds:
        text, _ = build.communicate(timeout=300)
        assert build.returncode == 0, text
        assert "WARNING" not in text
    assert NotebookCache(site.parent / ".nbcache").verify() == []
    return sorted(runs.read_text().split())


def test_two_builds_at_once_run_each_notebook_once(tmp_path: Path) -> None:
    site, runs = write_counting_site(tmp_path / "project", 4)
    assert run_round(site, runs) == ["page0", "page1", "page2", "page3"]


@pytest.mark.slow
def test_fifty_rounds_of_two_builds_at_once(tmp_path: Path) -> None:
    site, runs = write_counting_site(tmp_path / "project", 3)
    for _ in range(ROUNDS):
        assert run_round(site, runs) == ["page0", "page1", "page2"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_build_loses_only_what_was_running_and_its_kernels_end(tmp_path: Path) -> None:
    pages = {"quick": ("'done'",), "slow": ("import time\ntime.sleep(600)",)}
    site = write_site(tmp_path / "project", pages, "nb_execution_timeout = 900")
    build = start_build(site, "out")
    assert build.stdout is not None
    for line in build.stdout:
        if "ran  quick" in line:
            break
    kernels = psutil.Process(build.pid).children(recursive=True)
    build.send_signal(signal.SIGKILL)
    build.communicate()
    deadline = time.monotonic() + 30
    while any(kernel.is_running() for kernel in kernels) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not [kernel for kernel in kernels if kernel.is_running()]
    assert NotebookCache(site.parent / ".nbcache").verify() == []
    after = run_build(site, "-D", "nb_execution_timeout=2")
    assert (after.find("quick")["status"], after.find("slow")["status"]) == ("hit", "timed_out")
