"""Versions of what reads notebooks: another one may make something else of the same text."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

_READERS = (
    "sphinx-nbcache",
    "nbformat",
    "jupytext",
    "myst-nb",
    "myst-parser",
    "markdown-it-py",
    "mdit-py-plugins",
    "PyYAML",
)


def describe_versions() -> dict[str, str]:
    """Return distribution to version; empty for one that is not installed."""
    return {name: _find_version(name) for name in _READERS}


def _find_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
