"""What a session builds, and that it notices a build that did not do what it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
import pytest

from benchmarks.errors import BuildFailedError
from benchmarks.filling import count_stock_records
from benchmarks.measure import Run
from benchmarks.samples import Site
from benchmarks.sessions import Session
from benchmarks.tools import Tool, find_tool
from tests.benchmarks.builds import PretendedBuilds

SITE = Site("tiny", 3)


def _tool(name: str) -> Tool:
    tool = find_tool(name)
    assert tool
    return tool


def _session(folder: Path, tool: str, builds: PretendedBuilds | None = None) -> Session:
    return Session(folder / tool, SITE, _tool(tool), builds or PretendedBuilds())


def _donor(folder: Path) -> Session:
    donor = _session(folder, "nbcache")
    donor.build("cold")
    return donor


class WithoutPage(PretendedBuilds):
    """Builds that lose one page."""

    def __call__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
        run = super().__call__(command, folder, environment)
        (Path(command[-1]) / "notebook_0002.html").unlink()
        return run


def test_pages_without_outputs_are_a_failure(tmp_path: Path) -> None:
    session = _session(tmp_path, "nbcache", WithoutPage())
    with pytest.raises(BuildFailedError, match="no outputs in notebook_0002"):
        session.build("cold")


def test_a_warm_build_of_ours_that_runs_notebooks_is_a_failure(tmp_path: Path) -> None:
    session = _session(tmp_path, "nbcache", PretendedBuilds(forgets=True))
    session.build("cold")
    with pytest.raises(BuildFailedError, match="3 notebooks ran, 0 should have"):
        session.build("warm")


def test_a_copied_cache_of_ours_is_full(tmp_path: Path) -> None:
    donor = _donor(tmp_path)
    taker = _session(tmp_path, "nbcache-spawn")
    taker.take_over(donor)
    assert taker.build("warm").runs == ()
    assert [run.name for run in taker.build("edited").runs] == ["notebook_0001"]


def test_the_cache_of_stock_gets_a_record_of_each_notebook(tmp_path: Path) -> None:
    taker = _session(tmp_path, "stock")
    taker.take_over(_donor(tmp_path))
    assert count_stock_records(taker.cache) == SITE.notebooks


def test_the_tool_that_runs_nothing_gets_notebooks_that_hold_their_outputs(tmp_path: Path) -> None:
    taker = _session(tmp_path, "stock-off")
    taker.take_over(_donor(tmp_path))
    assert taker.tree
    for notebook in taker.tree.notebooks:
        content = nbformat.read(taker.tree.source / notebook.file_name, as_version=4)
        nbformat.validate(content)
        assert notebook.checksum in content.cells[2].outputs[0].text


def test_a_session_that_has_not_begun_builds_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="begins with the cold build"):
        _session(tmp_path, "nbcache").build("warm")


@pytest.mark.slow
def test_real_builds_hand_their_outputs_on(tmp_path: Path) -> None:
    site = Site("tiny", 2)
    donor = Session(tmp_path / "nbcache", site, _tool("nbcache"))
    assert len(donor.build("cold").runs) == 2
    for name in ("stock", "stock-off"):
        Session(tmp_path / name, site, _tool(name)).take_over(donor)
