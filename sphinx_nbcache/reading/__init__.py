"""From files to notebooks, whatever their format."""

from sphinx_nbcache.reading.file_reader import FileReader, Reader
from sphinx_nbcache.reading.formats import (
    JUPYTEXT_SUFFIXES,
    ReadFunction,
    decode_text,
    find_errors,
    read_bytes,
    read_text,
    read_with,
)
from sphinx_nbcache.reading.location import find_file_line
from sphinx_nbcache.reading.plugins import (
    READER_GROUP,
    ReaderInfo,
    find_reader,
    find_suffixes,
    is_built_in,
    list_readers,
    load_reader,
)
from sphinx_nbcache.reading.stripping import StripRules, require_stripper, strip_bytes
from sphinx_nbcache.reading.versions import describe_versions

__all__ = [
    "JUPYTEXT_SUFFIXES",
    "READER_GROUP",
    "FileReader",
    "ReadFunction",
    "Reader",
    "ReaderInfo",
    "StripRules",
    "decode_text",
    "describe_versions",
    "find_errors",
    "find_file_line",
    "find_reader",
    "find_suffixes",
    "is_built_in",
    "list_readers",
    "load_reader",
    "read_bytes",
    "read_text",
    "read_with",
    "require_stripper",
    "strip_bytes",
]
