"""What inputs are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from sphinx_nbcache.model import ABSENT, Input, InputKind, Interpreter, digest_bytes
from sphinx_nbcache.observing import Digests, Packages, Places, Present

PYTHON = Interpreter(implementation="cpython", version="3.13.1")


@pytest.fixture
def present(tmp_path: Path) -> Present:
    """Return the state of a project with one kernel, in which ``toy`` is installed."""
    site = tmp_path / "site-packages"
    (site / "toy-1.0.dist-info").mkdir(parents=True)
    environments = {"python3": (PYTHON, Packages([str(site)]))}
    return Present(
        Places(tmp_path, ignored=[tmp_path / "out"]),
        Digests({}),
        find_environment=environments.get,
        variables={"STAGE": "test"},
    )


def find(present: Present, kind: InputKind, name: str, **own: str) -> str | None:
    """Return what an input is now."""
    present.renew()
    return present.find(Input(kind, name, "before"), kernel="python3", own=own)


def test_a_file_has_the_digest_of_its_content(present: Present, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"1")
    assert find(present, InputKind.FILE, "x.csv") == digest_bytes(b"1")
    assert find(present, InputKind.FILE, "y.csv") == ABSENT


def test_a_file_that_the_notebook_read_and_changed_holds_as_it_left_it(
    present: Present, tmp_path: Path
) -> None:
    (tmp_path / "log").write_bytes(b"after")
    own = {"log": digest_bytes(b"after")}
    assert present.find(Input("file", "log", "before"), kernel="python3", own=own) == "before"


def test_what_was_missing_is_there_when_it_is(present: Present, tmp_path: Path) -> None:
    assert find(present, InputKind.MISSING, "x.csv") == ABSENT
    (tmp_path / "x.csv").touch()
    assert find(present, InputKind.MISSING, "x.csv") != ABSENT


class TestListing:
    """The names in a folder."""

    def test_changes_with_a_new_file_and_not_with_its_content(
        self, present: Present, tmp_path: Path
    ) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        (folder / "a").write_text("1")
        first = find(present, InputKind.LISTING, "data")
        (folder / "a").write_text("2")
        assert find(present, InputKind.LISTING, "data") == first
        (folder / "b").touch()
        assert find(present, InputKind.LISTING, "data") not in (first, ABSENT)

    def test_leaves_out_what_tools_builds_and_the_notebook_itself_make(
        self, present: Present, tmp_path: Path
    ) -> None:
        first = find(present, InputKind.LISTING, ".")
        for name in ("__pycache__", ".git", "_build", "out"):
            (tmp_path / name).mkdir()
        (tmp_path / "made.csv").touch()
        (tmp_path / "made").mkdir()
        own = {"made.csv": "digest", "made/x.csv": "digest"}
        assert find(present, InputKind.LISTING, ".", **own) == first

    def test_of_no_folder_is_absent(self, present: Present) -> None:
        assert find(present, InputKind.LISTING, "data") == ABSENT


def test_a_pattern_stands_for_the_files_that_match(present: Present, tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    first = find(present, InputKind.GLOB, "data/**/*.nc")
    (tmp_path / "data" / "deep" / "x.nc").touch()
    second = find(present, InputKind.GLOB, "data/**/*.nc")
    assert first != second
    assert present.find_matches("data/**/*.nc") == ["data/deep/x.nc"]
    (tmp_path / "data" / "x.csv").touch()
    assert find(present, InputKind.GLOB, "data/**/*.nc") == second


def test_a_folder_is_listed_once_until_something_was_written(
    present: Present, tmp_path: Path
) -> None:
    first = find(present, InputKind.LISTING, ".")
    (tmp_path / "new").touch()
    listing = Input(InputKind.LISTING, ".", "before")
    assert present.find(listing, kernel="python3", own={}) == first
    present.renew()
    assert present.find(listing, kernel="python3", own={}) != first


def test_a_variable_is_known_by_a_digest_of_its_value(present: Present) -> None:
    assert find(present, InputKind.VARIABLE, "STAGE") == digest_bytes(b"test")
    assert find(present, InputKind.VARIABLE, "OTHER") == ABSENT


def test_a_package_has_the_version_that_is_installed(present: Present) -> None:
    assert find(present, InputKind.PACKAGE, "toy") == "1.0"
    assert find(present, InputKind.PACKAGE, "other") == ABSENT
    assert find(present, InputKind.PYTHON, "cpython") == "3.13.1"
    assert find(present, InputKind.PYTHON, "pypy") == ABSENT


def test_without_the_kernel_nobody_can_tell_what_is_installed(present: Present) -> None:
    package = Input(InputKind.PACKAGE, "toy", "0.9")
    assert present.find(package, kernel="missing", own={}) is None
