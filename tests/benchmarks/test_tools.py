"""The command lines and the environment of builds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.tools import TOOLS, build_environment

SOURCE, OUTPUT, CACHE = Path("source"), Path("output"), Path("cache")


@pytest.mark.parametrize(
    ("tool", "options"),
    [
        ("stock", ["-D", "nb_execution_cache_path=cache"]),
        ("stock-j2", ["-D", "nb_execution_cache_path=cache", "-j", "2"]),
        ("nbcache", ["-D", "nbcache_path=cache"]),
        ("nbcache-j2", ["-D", "nbcache_path=cache", "-j", "2"]),
    ],
)
def test_command_builds_html_with_the_cache_of_the_session(tool: str, options: list[str]) -> None:
    command = TOOLS[tool].command(SOURCE, OUTPUT, CACHE)
    expected = [sys.executable, "-m", "sphinx", "-b", "html", *options, "source", "output"]
    assert command == expected


def test_the_users_cache_is_hidden_from_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBCACHE_PATH", "elsewhere")
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = build_environment()
    assert "NBCACHE_PATH" not in environment
    assert environment["LANG"] == "C.UTF-8"
