"""Fill the cache of stock MyST-NB from notebooks that have been executed already.

jupyter-cache is asked through its own API, with notebooks read as MyST-NB reads them:
the same records as those of a cold build of stock, without running anything again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.trees import Tree, code_cells

# jupyter-cache throws the oldest records away above its limit, 1000 by default; every
# edited notebook adds one.
SPARE_RECORDS = 1000


def fill_stock_cache(tree: Tree, executed: Path, cache: Path) -> None:
    """Put the outputs of a tree's notebooks into a new cache of jupyter-cache.

    :param executed: a folder with an executed .ipynb file of each notebook.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    stock = get_cache(cache)
    stock.change_cache_limit(len(tree.notebooks) + SPARE_RECORDS)
    for notebook in tree.notebooks:
        path = tree.source / notebook.file_name
        filled = _read_as_stock(path)
        _take_results(filled, executed / f"{notebook.name}.ipynb")
        bundle = CacheBundleIn(filled, str(path), data={"execution_seconds": 1.0})
        stock.cache_notebook_bundle(bundle, check_validity=False)
    stock.db.dispose()


def count_stock_records(cache: Path) -> int:
    """Return how many executed notebooks a cache of jupyter-cache holds."""
    with closing(sqlite3.connect(cache / "global.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM nbcache").fetchone()
    return int(count)


def _read_as_stock(path: Path) -> Any:
    from myst_nb.core.config import NbParserConfig
    from myst_nb.core.read import create_nb_reader
    from myst_parser.config.main import MdParserConfig

    text = path.read_text(encoding="utf-8")
    reader = create_nb_reader(str(path), MdParserConfig(), NbParserConfig(), text)
    assert reader is not None, f"{path} is not a notebook to MyST-NB"
    return reader.read(text)


def _take_results(notebook: Any, executed: Path) -> None:
    from nbformat import from_dict

    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, result in zip(cells, code_cells(executed), strict=True):
        cell.outputs = from_dict(result["outputs"])
        cell.execution_count = result["execution_count"]
