"""What a build stores is the same whether its kernels are forked or started."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.store import Store
from tests.e2e.build import copy_site, run_build
from tests.running.likeness import join_streams, replace_varying

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="kernels are forked on Linux only"
)

DOCS = Path(__file__).parents[2] / "docs"
STARTED = {"NBCACHE_KERNEL_START": "spawn"}
FORKED = {
    "forked": {"NBCACHE_KERNEL_START": "fork", "NBCACHE_PRELOAD": ""},
    "preloaded": {"NBCACHE_KERNEL_START": "fork", "NBCACHE_PRELOAD": "auto"},
    "all preloaded": {
        "NBCACHE_KERNEL_START": "fork",
        "NBCACHE_PRELOAD": "numpy,pandas,matplotlib.pyplot,matplotlib.backends.backend_agg",
    },
}


def build(source: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """Build a site with an empty cache; return key to what was stored for it."""
    for folder in ("cache", "out", "pages"):
        shutil.rmtree(source.parent / folder, ignore_errors=True)
    cache = source.parent / "cache"
    run_build(
        source,
        builder="dummy",
        variables={**variables, "NBCACHE_PATH": str(cache), "FEATURES_EXTENSION": "sphinx_nbcache"},
    )
    return read_store(Store(cache))


def read_store(store: Store) -> dict[str, Any]:
    found = {}
    for path in store.entries.list_paths():
        entry: Any = store.entries.read(path)
        outputs = store.load_outputs(entry.outputs)
        assert outputs is not None
        cells = [cell and [cell.execution_count, join_streams(cell.outputs)] for cell in outputs.cells]
        found[str(entry.key)] = replace_varying([cells, outputs.metadata], {})
    return found


def copy_docs(target: Path) -> Path:
    """Copy the pages of our own documentation and what they include."""
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml"):
        shutil.copy(DOCS.parent / name, target / name)
    return Path(shutil.copytree(DOCS, target / "docs", ignore=shutil.ignore_patterns("_build")))


@pytest.mark.parametrize("name", ["features", "docs"])
def test_a_build_with_forked_kernels_stores_what_one_with_started_kernels_does(
    name: str, tmp_path: Path
) -> None:
    source = copy_site("features", tmp_path) if name == "features" else copy_docs(tmp_path)
    started = build(source, STARTED)
    assert len(started) >= 15
    for way, variables in FORKED.items():
        assert build(source, variables) == started, way
