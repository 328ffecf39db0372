"""Modules that a fork server imported, which a forked kernel has once it imports them.

Part of the fork server: standard library only, in the syntax of Python 3.8. A library is put
away as a whole, under its top-level name, and comes back as a whole with all that it imports.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

_builtins: Any = builtins
# Where the import system looks up its own function; `importlib.util.find_spec` has another
# reference to it, so that asking for a library that is put away gives what it always does.
_import_system: Any = sys.modules["_frozen_importlib"]
_IMPORT_SYSTEM = "<frozen importlib"
_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120 - text
_STANDARD = getattr(sys, "stdlib_module_names", frozenset(sys.builtin_module_names))


class Shelf:
    """Notes what is imported while the context is open; later puts that away."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        """Top-level name to all modules of it that are put away."""
        self.needs: dict[str, set[str]] = {}
        """Top-level name to those that it imports."""
        self.on_return: dict[str, Callable[[], None]] = {}
        """What is to be done when a library comes back."""
        self._before: set[str] = set()
        self._find_spec: Any = None
        self._import: Any = None

    def __enter__(self) -> Shelf:  # noqa: PYI034 - no Self before Python 3.11
        """Begin to look at who imports what."""
        self._before = set(sys.modules)
        self._import = original = builtins.__import__

        def note(name: str, globals: Any = None, *others: Any, **named: Any) -> Any:  # noqa: A002
            level = others[2] if len(others) > 2 else named.get("level", 0)
            if globals is not None and not level:
                self._note(globals.get("__name__"), name)
            return original(name, globals, *others, **named)

        # A frame that warnings take for one of the import system, and do not count.
        code = note.__code__.replace(co_filename=f"{_IMPORT_SYSTEM}._bootstrap, noted>")
        note.__code__ = code
        _builtins.__import__ = note
        self._find_spec = _import_system._find_spec  # noqa: SLF001
        _import_system._find_spec = self._note_search  # noqa: SLF001
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the import system as it was, and take stock."""
        _builtins.__import__ = self._import
        _import_system._find_spec = self._find_spec  # noqa: SLF001
        own = {name.partition(".")[0] for name in self._before}
        for name, module in list(sys.modules.items()):
            top = name.partition(".")[0]
            if top not in own and not _is_standard(top):
                self.groups.setdefault(top, {})[name] = module
        for top, group in self.groups.items():
            for other in _list_held(group.values()):
                self._note(top, other)
        self._note_runtime()

    def put_away(self) -> None:
        """Take the modules out of this process's list, until they are imported."""
        for group in self.groups.values():
            for name in group:
                sys.modules.pop(name, None)
        if self.groups:
            self._find_spec = _import_system._find_spec  # noqa: SLF001
            _import_system._find_spec = self._find  # noqa: SLF001

    def give_back(self, top: str) -> None:
        """Put a library back, and what it needs; other modules of these names stay."""
        names = list(self._list_needed(top))
        for name in names:
            for each, module in self.groups.get(name, {}).items():
                sys.modules.setdefault(each, module)
        for name in names:
            self.groups.pop(name, None)
        if not self.groups and _import_system._find_spec == self._find:  # noqa: SLF001
            _import_system._find_spec = self._find_spec  # noqa: SLF001
        for name in names:
            self.on_return.pop(name, _do_nothing)()

    def _find(self, name: str, path: Any, target: Any = None) -> Any:
        """Find a module as ever; where it is one that is put away, have that loaded."""
        spec = self._find_spec(name, path, target)
        # Another thread may have put it back just now.
        module = self.groups.get(name, sys.modules).get(name)
        own = _get_names(module).get("__spec__")
        if spec is None or own is None or target is not None:
            return spec
        # Where the search path is another one now, what needs a module of another place has to
        # be imported anew, too.
        elsewhere = [each for each in self._list_needed(name) if self._is_elsewhere(each)]
        for each in elsewhere:
            self._forget(each)
        if not elsewhere:
            spec.loader = _Loader(self, module, own)
        return spec

    def _is_elsewhere(self, top: str) -> bool:
        """Return whether an import would find another library of that name."""
        own = _get_names(self.groups.get(top, {}).get(top)).get("__spec__")
        if own is None or own.name != top:  # nor could it be imported when it came
            return False
        found = self._find_spec(top, None)
        return found is None or _locate(found) != _locate(own)

    def _forget(self, top: str) -> None:
        """Leave a library, and what needs it, to the import system."""
        for name in [name for name in list(self.groups) if top in self._list_needed(name)]:
            self.groups.pop(name, None)

    def _list_needed(self, top: str) -> Iterator[str]:
        """Yield a library and all that it needs, of what is put away."""
        found, waiting = {top}, [top]
        while waiting:
            name = waiting.pop()
            if name in self.groups:
                yield name
            more = self.needs.get(name, set()) - found
            found |= more
            waiting += sorted(more)

    def _note(self, importer: Any, name: str) -> None:
        one, other = str(importer).partition(".")[0], name.partition(".")[0]
        # Python itself imports for others: what it brought is no need of all who use it.
        if one not in (other, "__main__") and not _is_standard(one):
            self.needs.setdefault(one, set()).add(other)

    def _note_search(self, name: str, path: Any, target: Any = None) -> Any:
        """Note who asks for a module in another way than by a statement."""
        frame: Any = sys._getframe(1)  # noqa: SLF001
        while frame is not None and frame.f_code.co_filename.startswith(
            (_IMPORT_SYSTEM, os.path.join(_LIBRARY, "importlib"))  # noqa: PTH118
        ):
            frame = frame.f_back
        if frame is not None:
            self._note(frame.f_globals.get("__name__"), name)
        return self._find_spec(name, path, target)

    def _note_runtime(self) -> None:
        """Have what Cython makes, and nobody imports, come back with what Cython compiled."""
        made = [
            top
            for top, group in self.groups.items()
            if _get_names(group.get(top)).get("__spec__") is None
        ]
        for top, group in self.groups.items():
            if any("__pyx_capi__" in _get_names(module) for module in group.values()):
                for name in made:
                    self._note(top, name)


class _Loader:
    """Loads a library that is there already."""

    def __init__(self, shelf: Shelf, module: Any, spec: Any) -> None:
        self._shelf, self._module, self._spec = shelf, module, spec

    def create_module(self, spec: Any) -> Any:
        """Return the module."""
        return self._module

    def exec_module(self, module: Any) -> None:
        """Put the modules back; the import system has given this one a new spec."""
        with contextlib.suppress(AttributeError):  # a module may be anything
            module.__spec__ = self._spec
        self._shelf.give_back(self._spec.name)


def _do_nothing() -> None:
    pass


def _locate(spec: Any) -> Any:
    if spec.origin is not None:
        return spec.origin
    return list(spec.submodule_search_locations or ())


def _get_names(module: Any) -> dict[str, Any]:
    """Return what a module holds, without waking what loads itself at its first use."""
    try:
        names = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return names if isinstance(names, dict) else {}


def _list_held(modules: Iterable[Any]) -> Iterator[str]:
    """Yield the names of modules of which others hold something: they were imported for that.

    Code that Cython compiled imports without asking ``__import__``.
    """
    for module in modules:
        for value in list(_get_names(module).values()):
            kind = type(value)
            name = None
            if issubclass(kind, ModuleType):
                name = _get_names(value).get("__name__")
            elif kind in (FunctionType, BuiltinFunctionType):
                name = value.__module__
            elif issubclass(kind, type):
                name = type.__dict__["__dict__"].__get__(value).get("__module__")
            if isinstance(name, str):
                yield name


def _is_standard(top: str) -> bool:
    """Return whether a module is part of Python, and so of every kernel in the end."""
    if top in _STANDARD:
        return True
    file = _get_names(sys.modules.get(top)).get("__file__")
    folder = os.path.dirname(file) if isinstance(file, str) else ""  # noqa: PTH120
    return folder in (_LIBRARY, os.path.join(_LIBRARY, "lib-dynload"))  # noqa: PTH118
