"""Which files a pattern names."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from sphinx_nbcache.observing.listings import find_matches, is_match

FILES = (
    "top.csv",
    "data/x.csv",
    "data/y1.nc",
    "data/.hidden.csv",
    "data/deep/x.csv",
    "data/deep/.dots/z.csv",
    "data/deep/deeper/x.csv",
    "data/[odd]/x.csv",
    "data/_build/x.csv",
    "data/x.pyc",
    "other/x.csv",
)
PATTERNS = (
    *("top.csv", "nothing.csv", "data", "data/x.csv", "*.csv", "*", "data/*", "data/*.csv"),
    *("data/?.csv", "data/[xy]*", "data/[!x]*", "data/y[0-9].nc", "*/x.csv", "*/*/x.csv"),
    *("**", "**/*", "**/x.csv", "data/**", "data/**/*.csv", "data/**/deep/**/x.csv", "data/**.csv"),
    *("data/**/deeper/*", "data/[[]odd]/*", "./data/*.csv", "data/*/", "nothing/**/*.csv"),
    *(
        "data/deep/../*.csv",
        "data/_build/*",
        "data/x.csv/*",
        "da*a/[d]eep/x.csv",
        "",
    ),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with some files."""
    root = tmp_path / "root"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def find_by_glob(pattern: str, root: Path) -> list[str]:
    """Return what the standard library finds, without what is never looked at."""
    found = glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)  # noqa: PTH207
    return sorted(
        name
        for name in set(found)
        if (root / name).is_file() and "_build" not in name and not name.endswith("pyc")
    )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_standard_library_finds_the_same(root: Path, pattern: str) -> None:
    found = find_matches(pattern, str(root))
    assert found == find_by_glob(pattern, root)


@pytest.mark.parametrize(
    "pattern",
    [name for name in PATTERNS if name.split("/")[-1] and not {".", ".."} & {*name.split("/")}],
)
def test_what_is_found_is_a_match_and_nothing_else(root: Path, pattern: str) -> None:
    found = find_matches(pattern, str(root))
    names = (name for name in FILES if "_build" not in name and not name.endswith("pyc"))
    assert sorted(name for name in names if is_match(pattern, name)) == found


def test_a_pattern_may_lead_out_of_the_root(root: Path) -> None:
    assert find_matches("../data/*.csv", str(root / "other")) == find_by_glob(
        "../data/*.csv", root / "other"
    )
    assert find_matches(f"{root.as_posix()}/*.csv", str(root)) == [f"{root.as_posix()}/top.csv"]


def test_a_file_of_the_name_of_a_folder_is_no_error(root: Path) -> None:
    assert find_matches("top.csv/**", str(root)) == []
    assert find_matches("a\0b/*", str(root)) == []


class TestLinks:
    @pytest.fixture(autouse=True)
    def _skip_without_links(self, root: Path) -> None:
        try:
            (root / "probe").symlink_to("top.csv")
        except OSError:
            pytest.skip("no links here")
        (root / "probe").unlink()

    def test_that_lead_back_are_not_followed(self, root: Path) -> None:
        expected = find_matches("data/**/*.csv", str(root))
        for number in range(3):
            (root / f"data/loop{number}").symlink_to(".", target_is_directory=True)
            (root / f"data/deep/loop{number}").symlink_to("..", target_is_directory=True)
        (root / "data/self.csv").symlink_to("self.csv")
        assert find_matches("data/**/*.csv", str(root)) == expected

    def test_that_lead_elsewhere_are_followed(self, root: Path) -> None:
        (root / "data/link").symlink_to("../other", target_is_directory=True)
        (root / "data/again").symlink_to("deep", target_is_directory=True)
        (root / "data/file.csv").symlink_to("../top.csv")
        for pattern in ("data/**/*.csv", "data/**/again/*.csv", "data/*/x.csv"):
            assert find_matches(pattern, str(root)) == find_by_glob(pattern, root)

    def test_that_lead_to_each_other_come_to_an_end(self, root: Path) -> None:
        numbers = range(12)
        for number in numbers:
            (root / f"net/{number}").mkdir(parents=True)
            (root / f"net/{number}/x.csv").touch()
            for other in numbers:
                (root / f"net/{number}/to{other}").symlink_to(f"../{other}")
        found = find_matches("net/**/*.csv", str(root))
        assert {f"net/{number}/x.csv" for number in numbers} <= set(found)
        assert len(found) < 1000


def test_folders_that_do_not_count_are_not_entered(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = []
    scan = os.scandir

    def note(path: str) -> object:
        entered.append(Path(path).relative_to(root).as_posix())
        return scan(path)

    monkeypatch.setattr(os, "scandir", note)
    find_matches("data/**/*.csv", str(root))
    assert sorted(entered) == [
        "data", "data/[odd]", "data/deep", "data/deep/.dots", "data/deep/deeper",
    ]  # fmt: skip
    entered.clear()
    find_matches("*/*.csv", str(root))
    assert sorted(entered) == [".", "data", "other"]
