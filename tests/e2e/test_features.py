"""The HTML of the feature site equals stock MyST-NB's, byte for byte but for times and ids."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.build import Result, copy_site, run_build, run_stock

# The builds that these tests share are made once, in one worker.
pytestmark = [pytest.mark.xdist_group("features"), pytest.mark.slow]

_SCRIPT = re.compile(
    r'(<script type="application/vnd\.jupyter\.widget-[a-z+-]+">)(.*?)</script>', re.DOTALL
)
_MODEL_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_TIMES = re.compile(r"<p>(\d{4}-\d\d-\d\d \d\d:\d\d|\d+\.\d+|-|)</p>")


def build_with(extension: str, folder: Path, *options: str) -> Result:
    """Build the feature site with one of the two extensions."""
    variables = {"FEATURES_EXTENSION": extension}
    return run_stock(copy_site("features", folder), *options, variables=variables)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Build with MyST-NB and jupyter-cache, one notebook after another."""
    result = build_with("myst_nb", tmp_path_factory.mktemp("stock"))
    assert result.status == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Build with sphinx-nbcache; two pages fail on purpose."""
    result = build_with("sphinx_nbcache", tmp_path_factory.mktemp("ours"))
    assert result.status == 1, result.stderr
    assert result.totals["failed"] == 2
    return result


def sort_script(match: re.Match[str]) -> str:
    """Return a widget script with its keys in order and without its random ids.

    Stock MyST-NB orders the keys one way when it runs a notebook and another when the
    outputs come from its cache.
    """
    value = json.loads(match[2])
    if isinstance(value.get("state"), dict):
        models = [json.dumps(model, sort_keys=True) for model in value["state"].values()]
        value["state"] = sorted(_MODEL_ID.sub("id", model) for model in models)
    return f"{match[1]}{json.dumps(value, sort_keys=True)}</script>"


def normalise(page: str) -> str:
    """Take times and ids out of a page."""
    return _MODEL_ID.sub("id", _TIMES.sub("<p>time</p>", _SCRIPT.sub(sort_script, page)))


def find_differences(first: Path, second: Path) -> list[str]:
    """Return the names of the pages that differ, or are in one of two sites only."""
    names = {
        path.relative_to(folder).as_posix()
        for folder in (first, second)
        for path in folder.rglob("*.html")
    }

    def read(folder: Path, name: str) -> str:
        path = folder / name
        return normalise(path.read_text(encoding="utf-8")) if path.exists() else ""

    return [name for name in sorted(names) if read(first, name) != read(second, name)]


def test_the_site_is_large_enough_to_mean_something(stock: Result) -> None:
    assert len(list(stock.outdir.rglob("*.html"))) >= 60


def test_pages_of_a_cold_build_equal_stock(stock: Result, ours: Result) -> None:
    assert find_differences(stock.outdir, ours.outdir) == []


def test_images_and_downloads_have_the_same_names(stock: Result, ours: Result) -> None:
    for folder in ("_images", "_downloads"):
        names = [
            sorted(path.name for path in (result.outdir / folder).rglob("*"))
            for result in (stock, ours)
        ]
        assert names[0] == names[1]


def test_pages_from_the_cache_equal_stock_serial_and_parallel(stock: Result, ours: Result) -> None:
    source = ours.outdir.parent / "docs"
    variables = {"FEATURES_EXTENSION": "sphinx_nbcache"}
    for out, options in {"warm": (), "warm2": ("-j", "2")}.items():
        warm = run_build(source, *options, out=out, variables=variables)
        assert warm.totals["failed"] == 2
        # What is forced runs whenever its page is read; nothing else does.
        ran = [n["docname"] for n in warm.report["notebooks"] if n["status"] == "ran"]
        assert ran == ["execution/mode_force"]
        assert find_differences(stock.outdir, warm.outdir) == []


def test_pages_of_a_cold_parallel_build_equal_stock(
    stock: Result, tmp_path_factory: pytest.TempPathFactory
) -> None:
    result = build_with("sphinx_nbcache", tmp_path_factory.mktemp("parallel"), "-j", "2")
    assert find_differences(stock.outdir, result.outdir) == []


def test_everything_stock_warns_of_is_warned_of(stock: Result, ours: Result) -> None:
    for page in ("execution/failing.ipynb", "execution/timed_out.md"):
        assert f"{page}" in stock.stderr
        assert f"{page}" in ours.stderr
    assert "Failed to update configuration with notebook metadata" in ours.stderr


def test_no_noise_of_kernels_reaches_the_terminal(ours: Result) -> None:
    # One page has mode "inline": its kernel is MyST-NB's.
    assert ours.stderr.count("IPKernelApp") <= 1
    assert "Traceback" not in ours.stderr
