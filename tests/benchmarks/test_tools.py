"""The names, command lines and environment of builds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.tools import WAYS, build_environment, find_tool, with_kernels
from sphinx_nbcache.config import Config

SOURCE, OUTPUT, CACHE = Path("source"), Path("output"), Path("cache")
NBCACHE = {"extensions": ["sphinx_nbcache"]}
STOCK = {"extensions": ["myst_nb"]}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("stock", ["-D", "nb_execution_cache_path=cache"]),
        ("stock-j2", ["-D", "nb_execution_cache_path=cache", "-j", "2"]),
        ("stock-off", []),
        ("nbcache", ["-D", "nbcache_path=cache"]),
        ("nbcache-fork-j4", ["-D", "nbcache_path=cache", "-j", "4"]),
    ],
)
def test_command_builds_html_with_the_cache_of_the_session(name: str, options: list[str]) -> None:
    tool = find_tool(name)
    assert tool
    expected = [sys.executable, "-m", "sphinx", "-b", "html", *options, "source", "output"]
    assert tool.command(SOURCE, OUTPUT, CACHE) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stock", {**STOCK, "nb_execution_mode": "cache"}),
        ("stock-j2", {**STOCK, "nb_execution_mode": "cache"}),
        ("stock-off", {**STOCK, "nb_execution_mode": "off"}),
        ("nbcache", NBCACHE),
        ("nbcache-j2", NBCACHE),
        ("nbcache-spawn", {**NBCACHE, "nbcache_kernel_start": "spawn"}),
        ("nbcache-fork", {**NBCACHE, "nbcache_kernel_start": "fork", "nbcache_preload": []}),
    ],
)
def test_conf_py_is_that_of_the_tool(name: str, expected: dict[str, object]) -> None:
    settings = _settings(name)
    assert settings == expected


@pytest.mark.parametrize("name", [name for name in WAYS if name.startswith("nbcache")])
def test_options_of_ours_are_right_values_of_known_options(name: str) -> None:
    settings = _settings(name, kernels=4)
    options = {
        option.removeprefix("nbcache_"): value
        for option, value in settings.items()
        if option.startswith("nbcache_")
    }
    assert Config.from_values(options, {}).jobs == 4
    assert not [option for option in options if not hasattr(Config(), option)]


@pytest.mark.parametrize("name", ["fast", "stock-j0", "stock-j", "-j2", ""])
def test_other_names_are_no_tools(name: str) -> None:
    assert find_tool(name) is None


def test_only_parallel_builds_of_stock_that_run_notebooks_are_tried_again() -> None:
    names = ("stock", "stock-j2", "stock-off-j2", "nbcache-j2")
    tools = [find_tool(name) for name in names]
    assert [tool and tool.attempts for tool in tools] == [1, 6, 1, 1]


def test_stock_has_no_number_of_kernels_to_set() -> None:
    assert _settings("stock", kernels=4) == _settings("stock")


def test_the_users_cache_is_hidden_from_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBCACHE_PATH", "elsewhere")
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = build_environment()
    assert "NBCACHE_PATH" not in environment
    assert environment["LANG"] == "C.UTF-8"


def _settings(name: str, kernels: int | None = None) -> dict[str, object]:
    tool = find_tool(name)
    assert tool
    values: dict[str, object] = {}
    exec(with_kernels(tool, kernels).conf_py, values)
    settings = {name: value for name, value in values.items() if not name.startswith("__")}
    del settings["project"], settings["nb_execution_timeout"]
    return settings
