"""Documentation trees to build: an index, a conf.py and N notebooks of one kind.

Every notebook has its number in its code, so that no two share a cache entry, and
prints a checksum which its code does not spell: a page that shows the checksum was
made from an execution.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

KINDS = ("tiny", "scientific")
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook of a tree; a new edition is the same notebook with one cell changed."""

    kind: str
    number: int
    edition: int = 0

    @property
    def name(self) -> str:
        """The name of its document."""
        return f"notebook_{self.number:04d}"

    @property
    def file_name(self) -> str:
        """The name of its file: odd numbers are MyST Markdown, even ones .ipynb."""
        return self.name + (".md" if self.number % 2 else ".ipynb")

    @property
    def checksum(self) -> str:
        """The text that its execution prints."""
        return f"checksum-{7919 * self.number + self.edition}"

    def cells(self) -> tuple[str, ...]:
        """Return the code of its cells."""
        return _tiny_cells(self) if self.kind == "tiny" else _scientific_cells(self)

    def text(self) -> str:
        """Return the text of its file."""
        return _markdown(self) if self.file_name.endswith(".md") else _ipynb(self)


@dataclass(frozen=True, slots=True)
class Tree:
    """A documentation tree on disk."""

    source: Path
    notebooks: tuple[Notebook, ...]


def write_tree(source: Path, kind: str, count: int, conf_py: str) -> Tree:
    """Write a tree of count notebooks into the new folder source."""
    notebooks = tuple(Notebook(kind, number) for number in range(1, count + 1))
    source.mkdir(parents=True)
    _write(source / "conf.py", conf_py)
    _write(source / "index.md", _index(notebooks))
    for notebook in notebooks:
        _write(source / notebook.file_name, notebook.text())
    return Tree(source, notebooks)


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


def _ipynb(notebook: Notebook) -> str:
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
            "execution_count": None,
            "outputs": [],
        }
        for index, code in enumerate(notebook.cells())
    ]
    metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    content = {"cells": [title, *codes], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1) + "\n"


def _title(notebook: Notebook) -> str:
    return f"# Notebook {notebook.number}"


def _index(notebooks: tuple[Notebook, ...]) -> str:
    names = "\n".join(notebook.name for notebook in notebooks)
    return f"# Benchmark\n\n```{{toctree}}\n{names}\n```\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
