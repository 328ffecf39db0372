"""From what a kernel was seen to do to the inputs of an entry.

Decides what counts, under which name and with which digest. What was read and is not any
more as it was read gets a digest that nothing has: its entry is never fresh.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.model import (
    ABSENT,
    UNSTABLE,
    Input,
    InputKind,
    Inputs,
    Interpreter,
    Listing,
    Module,
    Observation,
    Read,
)
from sphinx_nbcache.observing.packages import Packages, normalise_name
from sphinx_nbcache.observing.places import Places
from sphinx_nbcache.observing.present import Present


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is to be recorded, and what is known beside it."""

    observation: Observation
    interpreter: Interpreter
    """The kernel's, as a look-up will know it."""
    packages: Packages
    static_imports: Collection[str] = ()
    """Top-level names that the code itself imports: what the kernel had imported for itself
    is not seen when a notebook imports it, too."""
    kept: Collection[str] = ()
    """Names of the files that it wrote and that are kept as artifacts."""
    folder: Path | None = None
    """Where its kernel looks for modules first; None for a folder that is gone by now."""


def record_inputs(run: Sighting, present: Present) -> Inputs:
    """Return all that a run read, in the form of an entry."""
    recorder = _Recorder(run, present)
    items = {
        *recorder.iterate_files(),
        *recorder.iterate_listings(),
        *recorder.iterate_modules(),
        *recorder.iterate_rivals(),
        *recorder.iterate_packages(),
    }
    interpreter = run.interpreter
    items.add(Input(InputKind.PYTHON, interpreter.implementation, interpreter.version))
    # A module that was imported and read as a file, too, is one input of each kind.
    return Inputs(tuple(sorted(items)))


def find_written(
    observation: Observation, places: Places, interpreter: Interpreter
) -> frozenset[str]:
    """Return the names of the files that a run wrote, below the root or not."""
    names = (places.find_name(path, interpreter) for path in observation.writes)
    return frozenset(name for name in names if name is not None)


class _Recorder:
    def __init__(self, run: Sighting, present: Present) -> None:
        self._run = run
        self._seen = run.observation
        self._present = present
        self._places = present.places
        self._interpreter = run.interpreter
        self._written = find_written(self._seen, self._places, run.interpreter)

    def _find_name(self, path: str) -> str | None:
        return self._places.find_name(path, self._interpreter)

    def iterate_files(self) -> Iterator[Input]:
        """Yield the files that were read, and the paths at which there was nothing."""
        for read in self._seen.reads:
            name = self._find_name(read.path)
            if name is None:
                continue
            if read.stamp is not None:
                yield Input(InputKind.FILE, name, self._digest(name, read))
            elif name not in self._written:  # else it looked whether it had to be made
                yield Input(InputKind.MISSING, name, ABSENT)

    def _digest(self, name: str, read: Read) -> str:
        """Return the digest of what was read, which may be gone."""
        if read.digest is not None:
            return read.digest
        digest = self._present.find_file(name)
        is_same = read.stamp == self._present.digests.find_stamp(read.path)
        return digest if digest is not None and is_same else UNSTABLE

    def iterate_listings(self) -> Iterator[Input]:
        """Yield the folders that were listed, without what the notebook wrote there."""
        for listing in self._seen.listings:
            name = self._find_name(listing.path)
            if name is not None and (digest := self._digest_listing(name, listing)) is not None:
                yield Input(InputKind.LISTING, name, digest)

    def _digest_listing(self, folder: str, listing: Listing) -> str | None:
        """Return the digest of what a folder held, without what the notebook put there.

        What it wrote and what is not kept stays in: it will be there the next time.
        """
        start = "" if folder == "." else f"{folder}/"
        if listing.names is None:
            is_made = any(name.startswith(start) for name in self._written)
            return None if is_made else ABSENT
        gone = {
            name
            for name in listing.names
            if start + name in self._written and not self._places.locate(start + name).exists()
        }
        names = [name for name in listing.names if name not in gone]
        return self._present.digest_listing(folder, names, self._run.kept)

    def iterate_modules(self) -> Iterator[Input]:
        """Yield the modules of no distribution: helpers of the project, editable ones."""
        for module in self._seen.modules:
            name = self._find_module(module)
            if name is None or name in self._written:
                continue
            digest = self._digest_module(name, module)
            if digest is not None:
                via = self._find_name(module.importer) if module.importer else None
                yield Input(InputKind.MODULE, name, digest, via or "")

    def iterate_rivals(self) -> Iterator[Input]:
        """Yield the paths at which a module would be found first, and there was none.

        That is: before one of the project, or where none was found. Of the search path only
        the notebook's own folder is looked at, which comes first.
        """
        paths = {path for module in self._seen.modules for path in self._list_rivals(module)}
        if folder := self._run.folder:
            paths |= {path for name in self._find_lost() for path in _list_places(folder, name)}
        for path in paths:
            name = self._find_name(str(path))
            if name is not None and name not in self._written and not os.path.lexists(path):
                yield Input(InputKind.MISSING, name, ABSENT)

    def _find_lost(self) -> set[str]:
        """Return the libraries that the code imports and that were not there."""
        seen = {module.name for module in self._seen.modules}
        lost = set(self._run.static_imports) - seen - sys.stdlib_module_names
        return {name for name in lost if self._run.packages.find_owner(name, "") is None}

    def _list_rivals(self, module: Module) -> Iterator[Path]:
        """Yield where a module of the project, or its package, would be found before it."""
        name = self._find_module(module)
        if name is None:
            return
        path, (package, _, last) = Path(module.file), module.name.rpartition(".")
        if path.stem == last:
            yield path.parent / last / "__init__.py"
        if package:
            yield (path.parent.parent if path.stem == "__init__" else path.parent) / "__init__.py"
        elif self._run.folder:
            yield from _list_places(self._run.folder, last)

    def _find_module(self, module: Module) -> str | None:
        """Return what the source of a module is called; None for what has none of its own."""
        if not module.file:
            return None
        if not self._is_in_site(module):
            return self._find_name(module.file)
        is_owned = self._run.packages.find_owner(module.name, module.file) is not None
        return None if is_owned else Path(module.file).as_posix()

    def _digest_module(self, name: str, module: Module) -> str | None:
        """Return the digest of a module as it was loaded; None for what is no file."""
        path = str(self._places.locate(name))
        if module.stamp is not None and module.stamp != self._present.digests.find_stamp(path):
            return UNSTABLE
        return self._present.find_file(name)

    def iterate_packages(self) -> Iterator[Input]:
        """Yield the distributions of which something was imported."""
        find = self._run.packages.find_owner
        seen = {module.name for module in self._seen.modules}
        # Where the package itself was there before, its kernel has loaded one more part of it.
        owners = {
            find(module.name, module.file)
            for module in self._seen.modules
            if module.file and module.name.partition(".")[0] in seen and self._is_in_site(module)
        }
        owners |= {find(top, "") for top in set(self._run.static_imports) - seen}
        for owner in owners:
            if owner is not None:
                yield Input(InputKind.PACKAGE, *owner)
        for name in self._find_lost():  # as far as the distribution has the package's name
            yield Input(InputKind.PACKAGE, normalise_name(name), ABSENT)

    def _is_in_site(self, module: Module) -> bool:
        folders = self._interpreter.site_folders
        return bool(module.file) and module.file.startswith(tuple(folders))


def _list_places(folder: Path, name: str) -> tuple[Path, Path]:
    """Return where in a folder a module of some name may lie."""
    return folder / name / "__init__.py", folder / f"{name}.py"
