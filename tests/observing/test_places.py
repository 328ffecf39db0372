"""What paths are to a project, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from sphinx_nbcache.model import Interpreter
from sphinx_nbcache.observing import Places

ROOT = Path("/projects/site")
PYTHON = Interpreter(
    implementation="cpython",
    version="3.13.1",
    prefixes=("/projects/site/env", "/opt/python"),
    library_folders=("/opt/python/lib/python3.13",),
    site_folders=("/projects/site/env/lib/python3.13/site-packages",),
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/projects/site/data/x.csv", "data/x.csv"),
        ("/projects/site/docs/a.md", "docs/a.md"),
        ("/projects/site", "."),
        ("/projects/sites/x.csv", "/projects/sites/x.csv"),
        ("/data/shared/x.nc", "/data/shared/x.nc"),
        ("/projects/site/docs/__pycache__/a.cpython-313.pyc", None),
        ("/projects/site/.git/HEAD", None),
        ("/projects/site/docs/.ipynb_checkpoints/a.ipynb", None),
        ("/projects/site/docs/_build/html/index.html", None),
        ("/projects/site/out/html/index.html", None),
        ("/usr/share/zoneinfo/UTC", None),
        ("/proc/self/status", None),
        ("/tmp/scratch", None),
    ],
)
def test_a_path_is_called_as_seen_from_the_root(path: str, name: str | None) -> None:
    places = Places(ROOT, ignored=[ROOT / "out"])
    assert places.find_name(path) == name


def test_what_is_hidden_in_the_home_folder_is_nobodys_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")
    places = Places(ROOT)
    assert places.find_name("/home/ada/.cache/fonts.json") is None
    assert places.find_name("/home/ada/data/x.csv") == "/home/ada/data/x.csv"


@pytest.mark.parametrize(
    "path",
    [
        "/opt/python/lib/python3.13/json/__init__.py",
        "/opt/python/share/data.txt",
        "/projects/site/env/lib/python3.13/site-packages/numpy/__init__.py",
        "/projects/site/env/share/jupyter/kernels/python3/kernel.json",
    ],
)
def test_what_belongs_to_the_python_that_opened_it_does_not_count(path: str) -> None:
    assert Places(ROOT).find_name(path, PYTHON) is None


def test_a_project_inside_a_prefix_is_a_project() -> None:
    conda = Interpreter(implementation="cpython", version="3.13.1", prefixes=("/projects",))
    assert Places(ROOT).find_name("/projects/site/data/x.csv", conda) == "data/x.csv"


def test_a_file_reached_through_a_link_to_the_root_is_the_projects(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    assert Places(root).find_name(str(tmp_path / "link" / "x.csv")) == "x.csv"


def test_a_folder_that_holds_what_builds_make_is_known() -> None:
    places = Places(ROOT, ignored=[ROOT / "docs/out/html"])
    assert places.is_ignored("/projects/site/docs/out")
    assert places.is_ignored("/projects/site/docs/out/html/a")
    assert not places.is_ignored("/projects/site/docs/output")
