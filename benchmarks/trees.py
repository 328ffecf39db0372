"""Documentation trees to build: an index, a conf.py and N notebooks of one kind.

Every notebook has its number in its code, so that no two share a cache entry, and
prints a checksum which its code does not spell: a page that shows the checksum was
made from an execution. A tree of executed copies holds the same notebooks with outputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.samples import Site

KINDS = ("tiny", "scientific")
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
_KERNEL_METADATA = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
_NO_OUTPUTS: Mapping[str, Any] = {"execution_count": None, "outputs": []}


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook of a tree; a new edition is the same notebook with one cell changed."""

    kind: str
    number: int
    edition: int = 0
    suffix: str = ".ipynb"

    @property
    def name(self) -> str:
        """The name of its document."""
        return f"notebook_{self.number:04d}"

    @property
    def file_name(self) -> str:
        """The name of its file."""
        return self.name + self.suffix

    @property
    def checksum(self) -> str:
        """The text that its execution prints."""
        return f"checksum-{7919 * self.number + self.edition}"

    def cells(self) -> tuple[str, ...]:
        """Return the code of its cells."""
        return _tiny_cells(self) if self.kind == "tiny" else _scientific_cells(self)

    def text(self) -> str:
        """Return the text of its file."""
        if self.suffix == ".md":
            return _markdown(self)
        return _ipynb(self, _KERNEL_METADATA, [_NO_OUTPUTS] * len(self.cells()))


@dataclass(frozen=True, slots=True)
class Tree:
    """A documentation tree on disk."""

    source: Path
    notebooks: tuple[Notebook, ...]


def site_notebooks(site: Site) -> tuple[Notebook, ...]:
    """Return the notebooks of a site as they are first written."""
    return tuple(
        Notebook(site.kind, number, suffix=_suffix(site, number))
        for number in range(1, site.notebooks + 1)
    )


def write_tree(source: Path, site: Site, conf_py: str) -> Tree:
    """Write the tree of a site into the new folder source."""
    texts = {notebook: notebook.text() for notebook in site_notebooks(site)}
    return _write_files(source, conf_py, texts)


def write_executed_tree(source: Path, executed: Mapping[Notebook, Path], conf_py: str) -> Tree:
    """Write a tree of .ipynb files that hold the outputs of executed notebooks.

    :param executed: each notebook and the .ipynb file of it that a build has executed.
    """
    texts = {
        replace(notebook, suffix=".ipynb"): _with_outputs(notebook, path)
        for notebook, path in executed.items()
    }
    return _write_files(source, conf_py, texts)


def code_cells(path: Path) -> list[dict[str, Any]]:
    """Return the code cells of an .ipynb file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def edit_one(tree: Tree) -> Tree:
    """Change one code cell of the first notebook and return the tree as it is now."""
    first, *others = tree.notebooks
    edited = replace(first, edition=first.edition + 1)
    _write(tree.source / edited.file_name, edited.text())
    return Tree(tree.source, (edited, *others))


def pages_without_output(tree: Tree, output: Path) -> tuple[str, ...]:
    """Return the names of the notebooks whose built page does not show their checksum."""
    pages = ((notebook, output / f"{notebook.name}.html") for notebook in tree.notebooks)
    return tuple(
        notebook.name
        for notebook, page in pages
        if not page.is_file() or notebook.checksum not in page.read_text(encoding="utf-8")
    )


def _tiny_cells(notebook: Notebook) -> tuple[str, ...]:
    number = notebook.number
    return (
        f"total = 7919 * {number} + {notebook.edition}\nsum(range(total))",
        'print(f"checksum-{total}")',
        f"steps = []\nfor step in range(10):\n    steps.append(step * {number})\nsteps",
    )


def _scientific_cells(notebook: Notebook) -> tuple[str, ...]:
    number = notebook.number
    return (
        "import matplotlib.pyplot as plt\nimport numpy as np\nimport pandas as pd",
        f"total = 7919 * {number} + {notebook.edition}\n"
        "walk = np.random.default_rng(total).normal(size=(2000, 3)).cumsum(axis=0)\n"
        'print(f"checksum-{total}", np.linalg.eigvalsh(walk.T @ walk).round(3))',
        'frame = pd.DataFrame(walk, columns=["east", "north", "up"])\nframe.describe()',
        "figure, axes = plt.subplots()\n"
        "axes.plot(frame, label=frame.columns)\n"
        f'axes.set_title("Walk {number}")\n'
        "axes.legend();",
    )


def _markdown(notebook: Notebook) -> str:
    cells = "\n".join(f"```{{code-cell}} ipython3\n{code}\n```\n" for code in notebook.cells())
    header = f"---\nfile_format: mystnb\nkernelspec:\n  name: {_KERNEL['name']}\n---\n\n"
    return f"{header}{_title(notebook)}\n\n{cells}"


def _ipynb(
    notebook: Notebook, metadata: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> str:
    title: dict[str, object] = {
        "id": "title",
        "cell_type": "markdown",
        "metadata": {},
        "source": _title(notebook),
    }
    codes: list[dict[str, object]] = [
        {
            "id": f"code-{index}",
            "cell_type": "code",
            "metadata": {},
            "source": code,
            "execution_count": result["execution_count"],
            "outputs": result["outputs"],
        }
        for index, (code, result) in enumerate(zip(notebook.cells(), results, strict=True))
    ]
    content = {"cells": [title, *codes], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1) + "\n"


def _with_outputs(notebook: Notebook, executed: Path) -> str:
    metadata = json.loads(executed.read_text(encoding="utf-8"))["metadata"]
    # What the kernel said of its language decides how the page colours the code.
    language = {"language_info": metadata["language_info"]}
    return _ipynb(notebook, {**_KERNEL_METADATA, **language}, code_cells(executed))


def _suffix(site: Site, number: int) -> str:
    return ".md" if site.formats == "mixed" and number % 2 else ".ipynb"


def _title(notebook: Notebook) -> str:
    return f"# Notebook {notebook.number}"


def _index(notebooks: tuple[Notebook, ...]) -> str:
    names = "\n".join(notebook.name for notebook in notebooks)
    return f"# Benchmark\n\n```{{toctree}}\n{names}\n```\n"


def _write_files(source: Path, conf_py: str, texts: Mapping[Notebook, str]) -> Tree:
    source.mkdir(parents=True)
    _write(source / "conf.py", conf_py)
    _write(source / "index.md", _index(tuple(texts)))
    for notebook, text in texts.items():
        _write(source / notebook.file_name, text)
    return Tree(source, tuple(texts))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
