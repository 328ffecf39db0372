"""Which reader reads which file, outside Sphinx: the one chosen for it, else by its suffix.

Inside Sphinx MyST-NB's own configuration decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from sphinx_nbcache.errors import ConfigurationError, NotebookReadError
from sphinx_nbcache.model import Notebook
from sphinx_nbcache.reading.formats import ReadFunction, is_myst_notebook, read_with
from sphinx_nbcache.reading.plugins import MYST, Readers


class Reader(Protocol):
    """Reads sources of one project."""

    def read(self, path: Path, text: str) -> Notebook | None:
        """Return the notebook in a text, or None where the text is not a notebook.

        Raises NotebookReadError.
        """


class FileReader:
    """The reader for files that are named on a command line or through the Python API.

    :param chosen: file to name of its reader; the suffix decides for others.
    """

    def __init__(self, chosen: Mapping[Path, str] = MappingProxyType({})) -> None:
        self._chosen = chosen
        self._readers = Readers()

    def read(self, path: Path, text: str) -> Notebook | None:
        """Return the notebook in a text, or None where the text is not a notebook.

        Raises NotebookReadError, and ConfigurationError when a plug-in that might read it
        cannot be imported.
        """
        if path in self._chosen:
            return read_with(self._load_chosen(path), path, text)
        name = self._readers.find_name(path)
        if name is None or (name == MYST and not is_myst_notebook(text)):
            return None
        return read_with(self._readers.load(name), path, text)

    def describe(self, path: Path) -> list[str] | None:
        """Return who reads a file: nothing where nobody does.

        None where that cannot be told, as for a reader whose code may change any time.
        """
        name = self._chosen.get(path) or self._readers.find_name(path)
        return [] if name is None else self._readers.describe(name)

    def _load_chosen(self, path: Path) -> ReadFunction:
        """Return the reader that was chosen for a file, whose absence concerns this one only."""
        try:
            return self._readers.load(self._chosen[path])
        except ConfigurationError as error:
            raise NotebookReadError(path, str(error)) from error
