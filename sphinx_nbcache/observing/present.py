"""What inputs are now: the answers that decide whether an entry still holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping

from sphinx_nbcache.model import ABSENT, Input, InputKind, Interpreter, digest_bytes
from sphinx_nbcache.observing.digests import Digests
from sphinx_nbcache.observing.exclusions import is_excluded_name
from sphinx_nbcache.observing.listings import (
    digest_names,
    find_matches,
    is_match,
    list_names,
)
from sphinx_nbcache.observing.packages import Packages
from sphinx_nbcache.observing.places import Places

Environment = tuple[Interpreter, Packages]
FindEnvironment = Callable[[str], Environment | None]
"""Returns what a kernel of some name runs in; None where that cannot be told."""


class Present:
    """The state of one project now.

    :param variables: the environment.
    """

    def __init__(
        self,
        places: Places,
        digests: Digests,
        *,
        find_environment: FindEnvironment,
        variables: Mapping[str, str],
    ) -> None:
        self.places = places
        self.digests = digests
        self._find_environment = find_environment
        self._variables = variables
        self._environments: dict[str, Environment | None] = {}
        self._coming: dict[str, str] = {}
        self._listings: dict[str, Collection[str] | None] = {}
        self._matches: dict[str, list[str]] = {}

    def foresee(self, name: str, digest: str) -> None:
        """Take a file as it will be: for a look that puts nothing in its place itself."""
        self._coming[name] = digest
        self.renew()

    def find(self, item: Input, *, kernel: str, own: Mapping[str, str]) -> str | None:
        """Return the digest that an input has now; None where that cannot be told here.

        :param kernel: name of the kernel that runs the notebook.
        :param own: name and digest of the files that the notebook itself wrote. One that it
            read before holds as it was read, and as it was left.
        """
        match item.kind:
            case InputKind.FILE | InputKind.MODULE:
                now = self.find_file(item.name) or ABSENT
                return item.digest if now == own.get(item.name) else now
            case InputKind.MISSING:
                return "there" if self._is_there(item.name) else ABSENT
            case InputKind.LISTING:
                return self.find_listing(item.name, own)
            case InputKind.GLOB:
                return digest_names(self.find_matches(item.name, own))
            case InputKind.VARIABLE:
                return self.find_variable(item.name)
        return self._find_installed(item, kernel)

    def _find_installed(self, item: Input, kernel: str) -> str | None:
        """Return the version of a distribution or an interpreter of a kernel."""
        environment = self.find_environment(kernel)
        if environment is None:
            return None
        interpreter, packages = environment
        if item.kind == InputKind.PACKAGE:
            return packages.get_version(item.name) or ABSENT
        return interpreter.version if interpreter.implementation == item.name else ABSENT

    def find_file(self, name: str) -> str | None:
        """Return the digest of a file's content; None where there is no readable file."""
        path = os.path.join(self.places.root, name)  # noqa: PTH118
        return self._coming.get(name) or self.digests.find(name, path)

    def find_listing(self, name: str, own: Collection[str]) -> str:
        """Return the digest of the names in a folder, those of own files left out."""
        if name not in self._listings:
            folder = os.path.join(self.places.root, name)  # noqa: PTH118
            self._listings[name] = list_names(folder, self._find_coming(name))
        return self.digest_listing(name, self._listings[name], own)

    def digest_listing(
        self, folder: str, names: Collection[str] | None, own: Collection[str]
    ) -> str:
        """Return the digest of names in a folder, without what does not count there.

        :param names: None where there is no such folder.
        :param own: names of the files that the notebook itself wrote and that are kept.
        """
        if names is None:
            return ABSENT
        return digest_names(self.choose_names(folder, names, own))

    def choose_names(self, folder: str, names: Collection[str], own: Collection[str]) -> list[str]:
        """Return the names in a folder that count: made neither by builds nor by the notebook.

        :param own: names of the files that the notebook itself wrote and that are kept.
        """
        start = "" if folder == "." else f"{folder}/"
        below = [path.removeprefix(start) for path in own if path.startswith(start)]
        made = {path.partition("/")[0] for path in below}
        return [
            name
            for name in names
            if name not in made
            and not is_excluded_name(name)
            and not self._is_ignored(start + name)
        ]

    def _is_ignored(self, name: str) -> bool:
        return self.places.is_ignored(str(self.places.locate(name)))

    def find_matches(self, pattern: str, own: Collection[str] = ()) -> list[str]:
        """Return the files that match a declared pattern, own files left out."""
        if pattern not in self._matches:
            found = find_matches(pattern, str(self.places.root))
            coming = {name for name in self._coming if is_match(pattern, name)}
            self._matches[pattern] = sorted({*found, *coming}) if coming else found
        return [name for name in self._matches[pattern] if name not in own]

    def renew(self) -> None:
        """Forget what folders hold: something was written."""
        self._listings.clear()
        self._matches.clear()

    def _is_there(self, name: str) -> bool:
        return self.places.locate(name).exists() or bool(
            name in self._coming or self._find_coming(name)
        )

    def _find_coming(self, folder: str) -> set[str]:
        """Return the names in a folder that are foreseen."""
        start = "" if folder == "." else f"{folder}/"
        coming = (name for name in self._coming if name.startswith(start))
        return {name.removeprefix(start).partition("/")[0] for name in coming}

    def find_variable(self, name: str) -> str:
        """Return the digest of an environment variable's value; ABSENT if it is not set."""
        value = self._variables.get(name)
        return ABSENT if value is None else digest_bytes(value.encode("utf-8", "surrogateescape"))

    def find_environment(self, kernel: str) -> Environment | None:
        """Return the interpreter and the packages of a kernel; None if they cannot be told."""
        if kernel not in self._environments:
            self._environments[kernel] = self._find_environment(kernel)
        return self._environments[kernel]
