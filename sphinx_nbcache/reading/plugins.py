"""Readers by name: those that are built in, and those that installed plug-ins bring.

What is installed is looked at only when a name or a suffix is not built in, as that reads
the metadata of every distribution; a plug-in is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.reading.formats import (
    JUPYTEXT_SUFFIXES,
    ReadFunction,
    read_ipynb,
    read_jupytext,
    read_myst_markdown,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

READER_GROUP = "nbcache.readers"
"""The group of entry points by which plug-ins bring readers."""
_JUPYTER_CACHE_GROUP = "jcache.readers"
MYST = "myst_nb_md"
_BUILT_IN: dict[str, tuple[ReadFunction, tuple[str, ...]]] = {
    "nbformat": (read_ipynb, (".ipynb",)),
    "jupytext": (read_jupytext, JUPYTEXT_SUFFIXES),
    MYST: (read_myst_markdown, (".md",)),
}
"""Name to reader and its suffixes; the names are those of jupyter-cache."""
_BY_SUFFIX = {suffix: name for name, (_, suffixes) in _BUILT_IN.items() for suffix in suffixes}
_SUFFIXES = 'a reader whose attribute "suffixes" is a tuple of texts that begin with a dot'


@dataclass(frozen=True, slots=True)
class ReaderInfo:
    """A reader, as people choose it."""

    name: str
    origin: str
    """``built in``, or the distribution, its version and the group of entry points."""
    suffixes: tuple[str, ...] = ()
    """Files whose names end so are read with it, where nobody says otherwise."""
    problem: str = ""
    """Why it cannot be used, if so."""


def list_readers() -> tuple[ReaderInfo, ...]:
    """Return all readers: the built-in ones, then those of plug-ins, which are imported."""
    return Readers().list_all()


def load_reader(name: str) -> ReadFunction:
    """Return the reader of a name.

    Raises ConfigurationError when there is none, or when it cannot be imported.
    """
    return Readers().load(name)


def find_reader(path: Path) -> str:
    """Return the name of the reader that a file's suffix asks for; empty where there is none."""
    try:
        return Readers().find_name(path) or ""
    except ConfigurationError:  # told of where a file is read with it
        return ""


def find_suffixes() -> tuple[str, ...]:
    """Return the suffixes of the notebooks that plug-ins read.

    Raises ConfigurationError when a plug-in cannot be imported.
    """
    return tuple(Readers().suffixes)


def is_built_in(path: Path) -> bool:
    """Return whether a file's suffix is that of a built-in reader, which no plug-in can take."""
    return path.suffix in _BY_SUFFIX


class Readers:
    """All readers that there are; what is installed is looked at once."""

    def __init__(self) -> None:
        self._loaded: dict[str, ReadFunction] = {}

    @cached_property
    def _plugins(self) -> Mapping[str, EntryPoint]:
        """Return name to entry point; those of our own group come first.

        Of several distributions with the same name the one counts that Python finds first.
        """
        from importlib.metadata import entry_points  # costs more than all the rest here

        found: dict[str, EntryPoint] = {}
        for group in (READER_GROUP, _JUPYTER_CACHE_GROUP):
            for point in sorted(entry_points(group=group), key=lambda point: point.name):
                if point.name not in _BUILT_IN:
                    found.setdefault(point.name, point)
        return found

    @cached_property
    def suffixes(self) -> Mapping[str, str]:
        """Return suffix to name of the plug-in's reader; the first name has it.

        Raises ConfigurationError when a plug-in cannot be imported.
        """
        found: dict[str, str] = {}
        for name, point in self._plugins.items():
            if point.group == READER_GROUP:
                found.update({s: name for s in self._list_suffixes(name) if s not in found})
        return found

    def find_name(self, path: Path) -> str | None:
        """Return the name of the reader for a file's suffix; the longest one counts.

        Raises ConfigurationError when a plug-in cannot be imported.
        """
        if is_built_in(path):
            return _BY_SUFFIX[path.suffix]
        endings = [suffix for suffix in self.suffixes if path.name.endswith(suffix)]
        return self.suffixes[max(endings, key=len)] if endings else None

    def load(self, name: str) -> ReadFunction:
        """Return the reader of a name.

        Raises ConfigurationError when there is none, or when it cannot be imported.
        """
        if name in _BUILT_IN:
            return _BUILT_IN[name][0]
        if name not in self._plugins:
            known = ", ".join([*_BUILT_IN, *self._plugins])
            raise ConfigurationError("reader", name, f"one of {known}, or one of a plug-in that "
                                     f"is installed (entry points {READER_GROUP})")  # fmt: skip
        if name not in self._loaded:
            self._loaded[name] = _load(self._plugins[name])
        return self._loaded[name]

    def describe(self, name: str) -> list[str] | None:
        """Return what tells a reader from others, and from its other versions.

        None where that cannot be told: its code may change while its version stays, or it
        is not installed.
        """
        if name in _BUILT_IN:
            return [name]
        point = self._plugins.get(name)
        if point is None or point.dist is None or _is_editable(point):
            return None
        return [name, point.group, point.value, point.dist.name, point.dist.version]

    def list_all(self) -> tuple[ReaderInfo, ...]:
        """Return all readers, those that cannot be used with the reason."""
        built_in = [ReaderInfo(name, "built in", item[1]) for name, item in _BUILT_IN.items()]
        return (*built_in, *map(self._inspect, self._plugins))

    def _inspect(self, name: str) -> ReaderInfo:
        point = self._plugins[name]
        origin = f"{_describe_origin(point)} ({point.group})"
        try:
            self.load(name)
            is_ours = point.group == READER_GROUP
            return ReaderInfo(name, origin, self._list_suffixes(name) if is_ours else ())
        except ConfigurationError as error:
            return ReaderInfo(name, origin, problem=str(error))

    def _list_suffixes(self, name: str) -> tuple[str, ...]:
        """Return the suffixes that a plug-in's reader asks for and can have."""
        suffixes: Any = getattr(self.load(name), "suffixes", ())
        if not isinstance(suffixes, tuple | list) or not all(map(_is_suffix, suffixes)):
            raise ConfigurationError("reader", name, f"{_SUFFIXES}; it is {suffixes!r}")
        return tuple(suffix for suffix in suffixes if not is_built_in(Path(f"a{suffix}")))


def _is_suffix(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(".") and len(value) > 1


def _load(point: EntryPoint) -> ReadFunction:
    """Import a plug-in's reader.

    Raises ConfigurationError.
    """
    where = f"{point.value}, entry point {point.group} of {_describe_origin(point)}"
    try:
        read = point.load()
    except Exception as error:  # whatever a module of somebody else raises
        expected = (
            f"a reader that can be imported; {where}, gives {type(error).__name__}: {error}. "
            "Mend or uninstall it"
        )
        raise ConfigurationError("reader", point.name, expected) from error
    if not callable(read):
        raise ConfigurationError("reader", point.name, f"a function; {where}, is {read!r}")
    return _adapt(read) if point.group == _JUPYTER_CACHE_GROUP else read


def _adapt(read: Callable[[str], Mapping[str, Any]]) -> ReadFunction:
    """Return a reader of jupyter-cache as one of ours: it opens the file itself."""

    def read_path(path: Path, text: str) -> Mapping[str, Any]:
        return read(str(path))

    return read_path


def _describe_origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


def _is_editable(point: EntryPoint) -> bool:
    """Return whether a plug-in is installed from a folder whose files people change."""
    import json

    assert point.dist is not None
    try:
        origin = json.loads(point.dist.read_text("direct_url.json") or "{}")
        return bool(origin.get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):  # not what PEP 610 says: nothing is known of it
        return True
