"""Which packages a benchmark needs, asked for before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from benchmarks.errors import MissingPackageError

BENCH_EXTRA = 'pip install "sphinx-nbcache[bench]"'
MODULES_OF_KIND = {
    "tiny": ("ipykernel",),
    "scientific": ("ipykernel", "numpy", "pandas", "matplotlib"),
}


def require_modules(names: Iterable[str]) -> None:
    """Raise MissingPackageError when one of the modules cannot be imported."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise MissingPackageError(missing, BENCH_EXTRA)


def require_distribution(name: str) -> None:
    """Raise MissingPackageError when the distribution is not installed.

    Looking for the module would not do: run from a checkout it is always found, but
    the builds run in folders of their own and only see what is installed.
    """
    if installed_version(name) is None:
        raise MissingPackageError([name], BENCH_EXTRA)


def require_all(kinds: Sequence[str], distributions: Iterable[str]) -> None:
    """Check everything that a benchmark of these kinds and distributions needs."""
    require_modules(dict.fromkeys(name for kind in kinds for name in MODULES_OF_KIND[kind]))
    for name in distributions:
        require_distribution(name)


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
