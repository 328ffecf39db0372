"""The project's list: whole or not there, and no ID is given twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.store import ProjectList, Store


def add(store: Store, path: str, *, reader: str = "", assets: tuple[str, ...] = ()) -> None:
    def work(found: ProjectList) -> tuple[ProjectList, None]:
        return found.add(path, reader=reader, assets=assets, now=1.0), None

    store.change_project(work)


def test_a_store_without_one_has_an_empty_list(tmp_path: Path) -> None:
    assert Store(tmp_path / "cache").project_file.read() == ProjectList()
    assert not (tmp_path / "cache").exists()


def test_who_is_added_again_keeps_the_id_and_has_what_is_said_now(tmp_path: Path) -> None:
    store = Store(tmp_path)
    add(store, "a.ipynb")
    add(store, "b.md")
    add(store, "a.ipynb", reader="jupytext", assets=("x.csv",))
    first, second = store.project_file.read().notebooks
    assert (first.id, first.path, first.reader, first.assets) == (
        1,
        "a.ipynb",
        "jupytext",
        ("x.csv",),
    )
    assert second.id == 2


def test_an_id_is_not_given_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    add(store, "a.ipynb")
    store.change_project(lambda found: (found.remove([1]), None))
    add(store, "a.ipynb")
    assert [record.id for record in store.project_file.read().notebooks] == [2]


def test_many_may_add_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(lambda n: add(Store(tmp_path), f"{n}.ipynb"), range(40)))
    records = Store(tmp_path).project_file.read().notebooks
    assert [record.id for record in records] == list(range(1, 41))


@pytest.mark.parametrize("data", ["{", "[]", '{"format": 1}', '{"format": 1, "notebooks": [1]}'])
def test_a_damaged_file_is_told_and_not_written_over(tmp_path: Path, data: str) -> None:
    store = Store(tmp_path)
    add(store, "a.ipynb")
    path = tmp_path / "project.json"
    path.write_text(data)
    with pytest.raises(StoreError, match="is damaged; remove it"):
        add(store, "b.ipynb")
    assert path.read_text() == data


def test_a_list_of_another_format_is_told(tmp_path: Path) -> None:
    (tmp_path / "project.json").write_text('{"format": 99}')
    with pytest.raises(StoreError, match="has format 99, this version has 1"):
        Store(tmp_path).project_file.read()
