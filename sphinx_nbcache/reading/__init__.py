"""From files to notebooks, whatever their format."""

from sphinx_nbcache.reading.formats import (
    JUPYTEXT_SUFFIXES,
    FileReader,
    Reader,
    read_text,
    read_with,
)
from sphinx_nbcache.reading.location import find_file_line

__all__ = [
    "JUPYTEXT_SUFFIXES",
    "FileReader",
    "Reader",
    "find_file_line",
    "read_text",
    "read_with",
]
