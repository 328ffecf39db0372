"""From files to notebooks, whatever their format."""

from sphinx_nbcache.reading.formats import (
    JUPYTEXT_SUFFIXES,
    FileReader,
    Reader,
    decode_text,
    read_bytes,
    read_text,
    read_with,
)
from sphinx_nbcache.reading.location import find_file_line
from sphinx_nbcache.reading.versions import describe_versions

__all__ = [
    "JUPYTEXT_SUFFIXES",
    "FileReader",
    "Reader",
    "decode_text",
    "describe_versions",
    "find_file_line",
    "read_bytes",
    "read_text",
    "read_with",
]
