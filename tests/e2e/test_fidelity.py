"""What a build stores is the same whether its kernels are forked or started."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.model import Entry
from sphinx_nbcache.store import Store
from tests.e2e.build import copy_site, run_build
from tests.running.likeness import join_streams, replace_varying

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

DOCS = Path(__file__).parents[2] / "docs"
STARTED = {"NBCACHE_KERNEL_START": "spawn"}
FORKED = {
    "forked": {"NBCACHE_KERNEL_START": "fork", "NBCACHE_PRELOAD": ""},
    "preloaded": {
        "NBCACHE_KERNEL_START": "fork",
        "NBCACHE_PRELOAD": "numpy,pandas,matplotlib.pyplot,matplotlib.backends.backend_agg",
    },
}
_CHILDREN = re.compile(r"tiny_project|subprocess")
"""Pages that show what other programs print: those are not told how this build starts kernels."""
_MEASURED = (
    (re.compile(r"\b\d+(?:\.\d+)? s\b"), "SECONDS"),
    (re.compile(r"(?<=seconds=)[\d.]+"), "SECONDS"),
    (re.compile(r"^(\[\d+\] +(?:ran|hit) +)\d+\.\d+", re.MULTILINE), r"\1SECONDS"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b"), "DATE"),
    (re.compile(r'"(seconds|saved_seconds|executed_at)": [\d.]+'), r'"\1": SECONDS'),
    (re.compile(r'"(start|ready|cells|shutdown|save)": [\d.]+'), r'"\1": SECONDS'),
    (re.compile(r'"ok",\s+[\d.]+,\s+[\d.]+'), '"ok", TIME, SECONDS'),
    (re.compile(r'"(seal|state)": "[0-9a-f]{64}"'), r'"\1": "DIGEST"'),
    (re.compile(r"\bT_[0-9a-f]{5}(?=_|\b)"), "T_ID"),  # pandas' name for a styled table
)


def build(source: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """Build a site with an empty cache; return key to what was stored for it."""
    for folder in ("cache", "out"):
        shutil.rmtree(source.parent / folder, ignore_errors=True)
    cache = source.parent / "cache"
    settings = {"NBCACHE_PATH": str(cache), "FEATURES_EXTENSION": "sphinx_nbcache"}
    run_build(source, builder="dummy", variables={**settings, **variables})
    return read_store(Store(cache))


def read_store(store: Store) -> dict[str, Any]:
    """Return key to outputs and metadata, without what varies."""
    found = {}
    for path in store.entries.list_paths():
        entry = store.entries.read(path)
        assert isinstance(entry, Entry)
        outputs = store.load_outputs(entry.outputs)
        assert outputs is not None
        cells = [
            cell and [cell.execution_count, join_streams(cell.outputs)] for cell in outputs.cells
        ]
        found[str(entry.key)] = replace_measured(replace_varying([cells, outputs.metadata], {}))
    return found


def replace_measured(value: Any) -> Any:
    """Take out what a page tells of the time that builds took."""
    if isinstance(value, dict):
        return {key: replace_measured(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replace_measured(item) for item in value]
    if not isinstance(value, str):
        return value
    for pattern, word in _MEASURED:
        value = pattern.sub(word, value)
    return value


def copy_docs(target: Path) -> Path:
    """Copy the pages of our own documentation whose notebooks run no other programs."""
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "pyproject.toml"):
        shutil.copy(DOCS.parent / name, target / name)
    source = shutil.copytree(DOCS, target / "docs", ignore=shutil.ignore_patterns("_build"))
    for page in source.rglob("*.md"):
        if _CHILDREN.search(page.read_text(encoding="utf-8")):
            page.unlink()
    return source


@pytest.mark.slow
@pytest.mark.parametrize("name", ["features", "docs"])
def test_a_build_with_forked_kernels_stores_what_one_with_started_kernels_does(
    name: str, tmp_path: Path
) -> None:
    source = copy_docs(tmp_path) if name == "docs" else copy_site(name, tmp_path)
    started = build(source, STARTED)
    assert len(started) >= 15
    for way, variables in FORKED.items():
        found = build(source, variables)
        assert found.keys() == started.keys(), way
        for key, outputs in found.items():  # one by one: else the message shows nothing of them
            assert outputs == started[key], way
