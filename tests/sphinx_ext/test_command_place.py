"""Which cache the commands on pages work on, and which one may be cleared."""

from __future__ import annotations

from pathlib import Path

import pytest

from sphinx_nbcache.sphinx_ext.command_place import CommandPlace


def make_place(root: Path, shared: Path | None = None) -> CommandPlace:
    return CommandPlace(
        folder=root,
        names={},
        is_frozen=False,
        doctrees=root / "doctrees",
        root=root,
        sources=root / "docs",
        build_cache=root / ".nbcache",
        shared_cache=shared,
    )


def write_cache(path: Path, *names: str) -> Path:
    path.mkdir(parents=True)
    for name in names or ("CACHEDIR.TAG", "FORMAT"):
        (path / name).touch()
    return path


def test_pages_have_caches_of_their_own_below_each_other(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    above, below = place.find_cache("a"), place.find_cache("a/b")
    write_cache(above)
    write_cache(below)
    place.begin("a")
    assert not above.exists()
    assert below.exists()


def test_clearing_a_cache_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    make_place(tmp_path).clear("page")
    make_place(tmp_path, tmp_path / "nowhere" / "cache").clear("page")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_chosen_cache_of_the_project_is_cleared_but_never_emptied_by_reading(
    tmp_path: Path,
) -> None:
    cache = write_cache(tmp_path / "shown")
    place = make_place(tmp_path, cache)
    place.begin("page")
    assert cache.exists()
    place.clear("page")
    assert not cache.exists()


def test_what_may_not_be_the_documentations_is_not_cleared(tmp_path: Path) -> None:
    root = tmp_path / "project"
    refused = {
        write_cache(tmp_path / "cache"): "lies outside the documentation's project",
        write_cache(root / "docs"): "sources lie in it",
        write_cache(root / ".nbcache"): "this build works with it",
        write_cache(root / "data", "FORMAT"): "it is no cache: CACHEDIR.TAG or FORMAT is missing",
    }
    for path, reason in refused.items():
        with pytest.raises(ValueError, match=reason):
            make_place(root, path).clear("page")
        assert (path / "FORMAT").exists()
