"""The generated trees are what the benchmark says they are."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from benchmarks.samples import Site
from benchmarks.trees import (
    KINDS,
    Notebook,
    edit_one,
    pages_without_output,
    site_notebooks,
    write_executed_tree,
    write_tree,
)

COUNT = 6


def _codes(notebooks: tuple[Notebook, ...]) -> set[tuple[str, ...]]:
    return {notebook.cells() for notebook in notebooks}


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_the_notebooks_are_valid_ipynb(tmp_path: Path, kind: str) -> None:
    tree = write_tree(tmp_path / "source", Site(kind, COUNT), "")
    files = sorted(tree.source.glob("*.ipynb"))
    assert len(files) == COUNT // 2
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        nbformat.validate(content)
        code_cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
        assert code_cells
        assert not any(cell["outputs"] for cell in code_cells)


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_half_is_myst_markdown_with_the_same_cells(tmp_path: Path, kind: str) -> None:
    tree = write_tree(tmp_path / "source", Site(kind, COUNT), "")
    markdown = [notebook for notebook in tree.notebooks if notebook.file_name.endswith(".md")]
    assert len(markdown) == COUNT // 2
    for notebook in markdown:
        text = (tree.source / notebook.file_name).read_text(encoding="utf-8")
        assert text.startswith("---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n")
        fences = [block.split("\n```")[0] for block in text.split("```{code-cell} ipython3\n")[1:]]
        assert tuple(fences) == notebook.cells()


def test_all_files_are_ipynb_when_asked_for(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "source", Site("tiny", COUNT, "ipynb"), "")
    assert len(list(tree.source.glob("*.ipynb"))) == COUNT


def test_executed_copies_are_the_same_notebooks_with_outputs(tmp_path: Path) -> None:
    plain = write_tree(tmp_path / "plain", Site("tiny", 2, "ipynb"), "")
    output = {"output_type": "stream", "name": "stdout", "text": ["a result\n"]}
    executed = {notebook: tmp_path / f"{notebook.name}.ipynb" for notebook in plain.notebooks}
    for notebook, path in executed.items():
        cells = [
            {"cell_type": "code", "execution_count": 1, "outputs": [output]}
            for _ in notebook.cells()
        ]
        path.write_text(json.dumps({"cells": cells, "metadata": {"language_info": {}}}))
    copies = write_executed_tree(tmp_path / "copies", executed, "")
    for notebook in copies.notebooks:
        copy = json.loads((copies.source / notebook.file_name).read_text())
        assert [cell["outputs"] for cell in copy["cells"][1:]] == [[output]] * 3
        for cell in copy["cells"][1:]:
            cell.update(outputs=[], execution_count=None)
        original = json.loads((plain.source / notebook.file_name).read_text())
        assert copy["cells"] == original["cells"]


def test_a_tree_has_the_notebooks_of_its_site(tmp_path: Path) -> None:
    site = Site("tiny", COUNT)
    assert write_tree(tmp_path / "source", site, "").notebooks == site_notebooks(site)


@pytest.mark.parametrize("kind", KINDS)
def test_all_code_differs_and_compiles(tmp_path: Path, kind: str) -> None:
    tree = write_tree(tmp_path / "source", Site(kind, COUNT), "")
    assert len(_codes(tree.notebooks)) == COUNT
    for notebook in tree.notebooks:
        for code in notebook.cells():
            compile(code, notebook.file_name, "exec")


def test_tiny_notebooks_have_three_cells() -> None:
    assert len(Notebook("tiny", 1).cells()) == 3


def test_a_tiny_notebook_prints_its_checksum(capsys: pytest.CaptureFixture[str]) -> None:
    notebook = Notebook("tiny", 5, edition=1)
    exec("\n".join(notebook.cells()), {})
    assert capsys.readouterr().out.strip() == notebook.checksum


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_does_not_spell_the_checksum(kind: str) -> None:
    notebook = Notebook(kind, 3)
    assert notebook.checksum not in notebook.text()


def test_index_lists_every_notebook_once(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "source", Site("tiny", COUNT), "")
    lines = (tree.source / "index.md").read_text(encoding="utf-8").splitlines()
    listed = lines[lines.index("```{toctree}") + 1 : -1]
    assert listed == [notebook.name for notebook in tree.notebooks]


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_changes_one_cell_of_one_file(tmp_path: Path, kind: str) -> None:
    tree = write_tree(tmp_path / "source", Site(kind, COUNT), "")
    before = {file.name: file.read_bytes() for file in tree.source.iterdir()}
    edited = edit_one(tree)
    after = {file.name: file.read_bytes() for file in tree.source.iterdir()}
    assert [name for name in before if before[name] != after[name]] == ["notebook_0001.md"]
    pairs = zip(tree.notebooks[0].cells(), edited.notebooks[0].cells(), strict=True)
    assert sum(old != new for old, new in pairs) == 1
    assert len(_codes(tree.notebooks) | _codes(edited.notebooks)) == COUNT + 1


def test_pages_without_output_names_missing_and_stale_pages(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "source", Site("tiny", 3), "")
    first, second, third = tree.notebooks
    (tmp_path / f"{first.name}.html").write_text(f"<pre>{first.checksum}\n</pre>")
    (tmp_path / f"{second.name}.html").write_text("<pre>checksum-0</pre>")
    assert pages_without_output(tree, tmp_path) == (second.name, third.name)
