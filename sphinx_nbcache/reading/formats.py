"""The formats that are read without plug-ins, and what is asked of every reader.

A reader is a function from path and text to nbformat 4 content; an error of any kind
becomes a ``NotebookReadError``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sphinx_nbcache.errors import NotebookReadError
from sphinx_nbcache.model import Notebook

JUPYTEXT_SUFFIXES = (".py", ".R", ".r", ".jl", ".Rmd", ".qmd", ".sh", ".q", ".cpp")
"""Suffixes that are read with jupytext when a file is named; others are not notebooks."""

ReadFunction = Callable[[Path, str], Mapping[str, Any]]
"""Takes a file's path and its text, which has Unix line ends; returns nbformat 4 content."""


def read_ipynb(path: Path, text: str) -> Mapping[str, Any]:
    """Read Jupyter's own format, versions 3 and 4."""
    import nbformat

    notebook: Mapping[str, Any] = nbformat.reads(text, as_version=4)
    return notebook


def read_myst_markdown(path: Path, text: str) -> Mapping[str, Any]:
    """Read a MyST Markdown notebook with MyST-NB's reader."""
    from myst_nb.core.read import read_myst_markdown_notebook

    notebook: Mapping[str, Any] = read_myst_markdown_notebook(text, add_source_map=True, path=path)
    return notebook


def read_jupytext(path: Path, text: str) -> Mapping[str, Any]:
    """Read any of jupytext's text formats; the header or the suffix says which."""
    import jupytext

    notebook: Mapping[str, Any] = jupytext.reads(text, fmt={"extension": path.suffix})
    return notebook


def is_myst_notebook(text: str) -> bool:
    """Return whether Markdown has the header of a MyST notebook."""
    if not text.startswith("---"):  # before the import, which is not free
        return False
    from myst_nb.core.read import is_myst_markdown_notebook

    try:
        return bool(is_myst_markdown_notebook(text))
    except AttributeError:  # its header has a "jupytext" of another kind
        return False


def read_with(function: ReadFunction, path: Path, text: str) -> Notebook:
    """Read a text with a function of any origin.

    Raises NotebookReadError for whatever the function raises, or when what it returns
    is not a notebook.
    """
    try:
        content = function(path, text)
    except Exception as error:
        raise NotebookReadError(path, _describe(error)) from error
    if flaw := _find_flaw(content):
        raise NotebookReadError(path, flaw)
    return Notebook(path, content)


def find_errors(content: Mapping[str, Any]) -> list[str]:
    """Return in what some content is not valid nbformat 4, as its schema says."""
    import nbformat
    from nbformat import validator

    notebook = nbformat.from_dict(dict(content))
    version, minor = notebook.get("nbformat"), notebook.get("nbformat_minor")
    if version != 4 or not isinstance(minor, int):
        return [f"nbformat {version!r}, nbformat_minor {minor!r} is not a version 4"]
    # Unlike ``validate`` this neither mends what it finds nor warns.
    found = validator.iter_validate(notebook, version=4, version_minor=minor)
    return [f"{'/'.join(map(str, error.path)) or 'notebook'}: {error.message}" for error in found]


def _find_flaw(content: Any) -> str | None:
    """Return what keeps content from being a notebook that the package can work with."""
    if not isinstance(content, Mapping) or not isinstance(content.get("cells"), list):
        return "it has no list of cells"
    metadata = content.get("metadata") or {}
    spec = isinstance(metadata, Mapping) and (metadata.get("kernelspec") or {})
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name") or "", str):
        return "its metadata or kernelspec is not that of a notebook"
    flaws = (
        f"cell {number} has no {field} of the right kind"
        for number, cell in enumerate(content["cells"], 1)
        for field in _find_wrong_fields(cell)
    )
    return next(flaws, None)


def _find_wrong_fields(cell: Any) -> Iterator[str]:
    if not isinstance(cell, Mapping):
        yield "content"
        return
    kinds = {"cell_type": str, "source": str, "metadata": Mapping}
    yield from (field for field, kind in kinds.items() if not isinstance(cell.get(field), kind))
    if not isinstance(cell.get("outputs", []), list):
        yield "outputs"
    metadata = cell.get("metadata")
    tags = (metadata.get("tags") if isinstance(metadata, Mapping) else None) or []
    if not isinstance(tags, list | str) or not all(isinstance(tag, str) for tag in tags):
        yield "tags"


def read_text(path: Path) -> str:
    """Return a source file's text.

    Raises NotebookReadError when it cannot be read or is not UTF-8.
    """
    return decode_text(path, read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """Return a source file's bytes.

    Raises NotebookReadError.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotebookReadError(path, error.strerror or str(error)) from error


def decode_text(path: Path, data: bytes) -> str:
    """Return the text in a source file's bytes, with Unix line ends.

    Raises NotebookReadError when it is not UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotebookReadError(path, f"it is not UTF-8 text ({error.reason})") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _describe(error: Exception) -> str:
    """Return the first line of an error with its class, which often says more."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
