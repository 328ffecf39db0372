"""Results of cells that somebody has forged in the remote: they set nothing that runs code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.memo.values import encode
from sphinx_nbcache.model import Memo
from tests.memo.kernels import read_text, run_notebook

pytestmark = pytest.mark.slow  # each test starts several kernels

LOAD = "%load_ext sphinx_nbcache\nimport os, matplotlib as mpl\nimport warnings"
LOAD += "\nwarnings.simplefilter('ignore')"
CELL = "%%nbmemo always\nx = 1"
SHOW = "print(x, os.environ.get('LD_PRELOAD'), mpl.rcParams['animation.ffmpeg_path'])"
RESULT: dict[str, Any] = {
    "variables": {"x": 2},
    "deleted": [],
    "settings": {},
    "outputs": [],
    "has_figures": False,
    "conditions": {"variables": {}, "files": {}, "settings": {}},
}
EVIL = {
    "environment": {"settings": {"environment": {"LD_PRELOAD": "./data.csv"}}},
    "program": {"settings": {"matplotlib": {"animation.ffmpeg_path": "./data.csv"}}},
    "unknown": {"settings": {"nothing": {}}},
    "incomplete": {"settings": None},
}


class Remote:
    """A remote without keys, and machines that run one notebook with it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._remote = folder / "remote"
        monkeypatch.setenv("NBCACHE_REMOTE", self._remote.as_uri())
        monkeypatch.setenv("NBCACHE_REMOTE_MODE", "read-write")

    def run(self, name: str, cell: str = CELL, show: str = SHOW) -> str:
        folder = self._folder / name
        folder.mkdir()
        (folder / "pyproject.toml").touch()
        return read_text(run_notebook(folder, LOAD, cell, show)[-1])

    def forge(self, changes: dict[str, Any]) -> None:
        (path,) = self._remote.glob("memos/*/*/*.json")
        tree = encode({**RESULT, **changes}).tree
        path.write_bytes(replace(Memo.from_bytes(path.read_bytes()), tree=tree).to_bytes())


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """Return an empty remote."""
    return Remote(tmp_path, monkeypatch)


def test_what_sets_nothing_is_taken(remote: Remote) -> None:
    remote.run("one")
    remote.forge({})
    assert remote.run("two") == "2 None ffmpeg\n"


@pytest.mark.parametrize("changes", EVIL.values(), ids=EVIL)
def test_what_could_run_code_is_computed(remote: Remote, changes: dict[str, Any]) -> None:
    remote.run("one")
    remote.forge(changes)
    assert remote.run("two") == "1 None ffmpeg\n"


def test_what_a_cell_sets_comes_back_where_the_remote_is_trusted(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = "%%nbmemo always\nos.environ['SET'] = '1'"
    show = "print(os.environ['SET'])\n%nbmemo_status"
    assert " ran" in remote.run("one", cell, show)
    assert " ran" in remote.run("two", cell, show)
    monkeypatch.setenv("NBCACHE_TRUST_REMOTE", "true")
    assert " hit" in (text := remote.run("three", cell, show))
    assert text.startswith("1\n")
