"""Which distributions are installed in one environment, told from its site folders alone.

Owns how a distribution's name, version and files are found on the disk; nothing is
imported, and which interpreter the environment belongs to is not known here. What cannot
be read counts as not there: broken metadata must not end a build.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

_SEPARATORS = re.compile(r"[-_.]+")
_SUFFIXES = (".dist-info", ".egg-info")
# name-version, and what eggs append to it: Pillow-9.5-py3.11-linux-x86_64.egg-info
_PLAIN = re.compile(r"([^-]+)-(\d[^-]*?)(?:-py\d[^-]*(?:-.+)?)?\.(?:dist|egg)-info")
_REMAINS = "~"
"""What pip puts before the name of something that it could not remove."""


def normalise_name(name: str) -> str:
    """Return the one form of a distribution's name, after PEP 503."""
    return _SEPARATORS.sub("-", name).lower()


class Packages:
    """What is installed in one environment, as of the first question.

    :param site_folders: where distributions are installed, in the order of search.
    """

    def __init__(self, site_folders: Sequence[str]) -> None:
        paths = list(dict.fromkeys(os.path.normpath(folder) for folder in site_folders if folder))
        self._folders = [_Folder(path) for path in paths if not _is_inside(path, paths)]
        self._versions: dict[str, str | None] = {}

    def get_version(self, name: str) -> str | None:
        """Return the version of a distribution; None where it is not installed."""
        try:
            return self._versions[name]
        except KeyError:
            version = self._versions[name] = self._find_version(normalise_name(name))
            return version

    def find_owner(self, module: str, file: str) -> tuple[str, str] | None:
        """Return name and version of the distribution that brought a module.

        :param module: its dotted name.
        :param file: its file, in one of the site folders; empty where only the name is known.
        """
        if not file:
            found = (folder.find_owner(module, "") for folder in self._folders)
            owner = next((one for one in found if one is not None), None)
            return (owner.name, owner.version) if owner else None
        compared = os.path.normcase(file)
        for folder in self._folders:
            if compared.startswith(folder.start):
                name = file[len(folder.start) :].replace(os.sep, "/")
                owner = folder.find_owner(module, name)
                return (owner.name, owner.version) if owner else None
        return None

    def _find_version(self, name: str) -> str | None:
        for folder in self._folders:
            if name in folder.distributions:
                return folder.distributions[name].version
        return None


@dataclass(frozen=True)
class _Distribution:
    """One installed distribution."""

    info: str
    """Path of its .dist-info or .egg-info."""
    name: str
    version: str

    @cached_property
    def files(self) -> frozenset[str]:
        """Its files, relative to the site folder; empty where that was not recorded."""
        lines = self._read_record().split("\n")
        return frozenset(_read_first_field(line) for line in lines if line)

    def read_tops(self) -> set[str]:
        """Return the first parts of its files' names, up to a dot: what may be imported of it."""
        # Not by way of `files`: there are ten thousands of them, and few are ever asked for.
        lines = self._read_record().split("\n")
        tops = {line.partition("/")[0] for line in lines}
        if not any(tops):
            tops = set(_read_text(self.info, "top_level.txt").split())
        if not any(tops):
            tops = {self.name.replace("-", "_")}
        return {_take_stem(top.lstrip('"').partition(",")[0]) for top in tops} - {""}

    def find_likeness(self, module: str) -> int:
        """Return how many letters of a module's name, from its start, are this one's name."""
        is_like = f"{normalise_name(module)}-".startswith(f"{self.name}-")
        return len(self.name) if is_like else 0

    def _read_record(self) -> str:
        # What distributions made on Windows list has had either slash.
        return _read_text(self.info, "RECORD").replace("\r\n", "\n").replace("\\", "/")


class _Folder:
    """One site folder."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.start = os.path.normcase(os.path.join(path, ""))  # noqa: PTH118 - ends with a slash

    @cached_property
    def distributions(self) -> dict[str, _Distribution]:
        """What is installed here, by normalised name."""
        found: dict[str, list[_Distribution]] = defaultdict(list)
        for entry in sorted(_list_names(self._path)):
            if entry.endswith(_SUFFIXES) and not entry.startswith(_REMAINS):
                distribution = _read_distribution(f"{self.start}{entry}")
                if distribution:
                    found[distribution.name].append(distribution)
        return {name: _choose(rivals) for name, rivals in found.items()}

    @cached_property
    def _claims(self) -> dict[str, list[_Distribution]]:
        """Who may own what, by the first part of its name."""
        claims: dict[str, list[_Distribution]] = defaultdict(list)
        for distribution in self.distributions.values():
            for top in distribution.read_tops():
                claims[top].append(distribution)
        return dict(claims)

    def find_owner(self, module: str, file: str) -> _Distribution | None:
        """Return the distribution that a file belongs to; its path is relative and POSIX."""
        # The file's own name first: with path files a module need not lie under its name.
        for top in (_take_stem(file.partition("/")[0]), module.partition(".")[0]):
            rivals = self._claims.get(top, [])
            if len(rivals) == 1:
                return rivals[0]
            if rivals:
                return _settle(rivals, module, file)
        return None


def _settle(rivals: Iterable[_Distribution], module: str, file: str) -> _Distribution | None:
    """Return the one of several that a file belongs to, as in packages without a common owner."""
    unknown = []
    for rival in rivals:
        if file in rival.files:
            return rival
        if not rival.files:
            unknown.append(rival)
    return max(unknown, key=lambda rival: rival.find_likeness(module), default=None)


def _choose(rivals: Sequence[_Distribution]) -> _Distribution:
    """Return the one that is meant, where a name is there twice: after an upgrade that failed."""
    return rivals[0] if len(rivals) == 1 else max(rivals, key=_rate)


def _rate(distribution: _Distribution) -> tuple[bool, bool, int]:
    info = distribution.info
    try:
        changed = os.stat(info).st_mtime_ns  # noqa: PTH116 - all paths here are texts
    except OSError:
        changed = 0
    return _read_metadata(info) is not None, info.endswith(".dist-info"), changed


def _read_distribution(info: str) -> _Distribution | None:
    """Return a distribution by its name, or its metadata where the name does not tell all."""
    plain = _PLAIN.fullmatch(os.path.basename(info))  # noqa: PTH119
    found = (plain[1], plain[2]) if plain else _read_metadata(info)
    return _Distribution(info, normalise_name(found[0]), found[1]) if found else None


def _read_metadata(info: str) -> tuple[str, str] | None:
    """Return name and version from the headers of a metadata file; None where they lack."""
    text = _read_text(info, "METADATA") or _read_text(info, "PKG-INFO") or _read_text(info, "")
    headers: dict[str, str] = {}
    for line in text.splitlines():
        if not line:
            break
        key, _, value = line.partition(":")
        headers.setdefault(key.lower(), value.strip())
    name, version = headers.get("name"), headers.get("version")
    return (name, version) if name and version else None


def _read_text(info: str, name: str) -> str:
    """Return the text of a file of a distribution's metadata; empty where there is none.

    :param name: empty for old .egg-info, which are such a file themselves.
    """
    try:
        with open(f"{info}/{name}" if name else info, "rb") as file:  # noqa: PTH123
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _read_first_field(line: str) -> str:
    """Return the first field of a line of comma-separated values."""
    if not line.startswith('"'):
        return line.partition(",")[0]
    return line[1:].replace('""', "\0").partition('"')[0].replace("\0", '"')


def _take_stem(name: str) -> str:
    """Return a file's name without the suffixes of sources and libraries."""
    return name.partition(".")[0]


def _list_names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - a Path for each name would cost ten times as much
    except OSError:
        return []


def _is_inside(path: str, others: Iterable[str]) -> bool:
    """Return whether a folder lies in another one, like setuptools' own copies of libraries.

    They belong to the distribution that brings them.
    """
    return any(path.startswith(other + os.sep) for other in others)
