"""The names of xetcache do what its documentation says, also where xetcache itself did not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.memo import MemoWarning, xetcache
from tests.memo.kernels import Cell, read_error, read_text, run_notebook

# One worker runs the kernels whose cells the tests look at.
pytestmark = pytest.mark.xdist_group("xetcache")

CELLS = {
    "load": "%load_ext sphinx_nbcache.memo.xetcache\nfrom sphinx_nbcache.memo import xetcache\n"
    "from sphinx_nbcache.memo.xetcache import *\nv1, v2, stream = 1, 2, (n for n in [1])",
    "threshold": "xetcache.config.set_runtime_threshold(0)\nget_runtime_threshold()",
    "names": "%%xetmemo input=v1,v2 output=v3,v4\nv3, v4 = v1 + v2, v1 * v2\nprint('printed')",
    "always": "%%xetmemo input=v1 output=v3 always=True\nv3 = 30",
    "magic": "%%xetmemo input=v1,v2 output=v3,v4 magic=True\nv3 = v4 = 40",
    "spaces": "%%xetmemo  input=v1   output=v3\nv3 = 50",
    "bare": "%%xetmemo\nv5 = 60",
    "key": "%%xetmemo input=v1 output=v3 key=hello\nv3 = 70",
    "expression": "%%xetmemo input=str(v1),len([v2]) output=v3\nv3 = 80",
    "not picklable": "%%xetmemo input=stream output=v6\nv6 = 90",
    "look": "print(v6)",
    "error": "%%xetmemo input=v1 output=v3\nv3 = 1 / 0",
    "not bound": "%%xetmemo input=v1 output=v9\nv3 = 100",
    "own name": "%%nbmemo input=v1,v2 output=v3,v4\nv3, v4 = v1 + v2, v1 * v2\nprint('printed')",
    "status": "%nbmemo_status",
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cell]:
    """Run all cells in one kernel."""
    folder = tmp_path_factory.mktemp("xetcache")
    (folder / "pyproject.toml").touch()
    return dict(zip(CELLS, run_notebook(folder, *CELLS.values()), strict=True))


@pytest.mark.parametrize("name", ["names", "always", "spaces", "bare", "key", "expression"])
def test_a_line_as_xetcache_has_it_is_understood(name: str, cells: dict[str, Cell]) -> None:
    assert not read_text(cells[name], "stderr")


def test_magic_means_always_and_says_so(cells: dict[str, Cell]) -> None:
    assert "magic=True is understood as always" in read_text(cells["magic"], "stderr")


def test_an_input_without_content_does_not_keep_the_cell_from_running(
    cells: dict[str, Cell],
) -> None:
    assert "generator is used up" in read_text(cells["not picklable"], "stderr")
    assert read_text(cells["look"]) == "90\n"


def test_an_error_in_a_cell_is_raised(cells: dict[str, Cell]) -> None:
    assert "ZeroDivisionError" in read_error(cells["error"])


def test_an_output_that_is_not_bound_is_told(cells: dict[str, Cell]) -> None:
    assert "output=v9: the cell leaves no variable" in read_text(cells["not bound"], "stderr")


def test_the_printed_text_comes_back_under_either_name(cells: dict[str, Cell]) -> None:
    assert read_text(cells["own name"]) == read_text(cells["names"]) == "printed\n"
    assert len(re.findall(r"^\[\d+\] +hit", read_text(cells["status"]), re.MULTILINE)) == 1


def double(n: int) -> int:
    return 2 * n


def test_calls_are_memoized_under_their_old_names(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_MEMO_PATH", str(project_folder / "cache"))
    for memoize in (xetcache.xetmemo(key="a", always=True), xetcache.xetmemo_always):
        memoized = memoize(double)
        assert not memoized.is_cached(1)
        assert memoized(1) == 2
        assert memoized.is_cached(1)


def test_one_call_is_memoized_with_and_without_a_group(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_MEMO_PATH", str(project_folder / "cache"))
    assert xetcache.xeteval(max, 1, 2) == 2
    assert xetcache.xeteval_always("group", max, 1, 3) == 3


def test_the_folder_of_the_cache_can_be_set(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_MEMO_PATH", "elsewhere")
    xetcache.set_memo_path(project_folder / "memos")
    assert xetcache.get_memo_path() == str(project_folder / "memos")
    with pytest.raises(ConfigurationError, match="expected a folder"):
        xetcache.set_memo_path("xet://user/project")


def test_what_was_of_xethub_says_what_takes_its_place() -> None:
    with pytest.warns(MemoWarning, match="NBCACHE_REMOTE"):
        xetcache.set_xet_project("project")
    with pytest.warns(MemoWarning, match="remote login-test"):
        xetcache.login("user", "token")
