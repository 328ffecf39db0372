"""An import that costs seconds and is hardly ever needed: it is made when it is."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_GRAMMAR = "rfc3987_syntax"


def postpone_iri_grammar() -> None:
    """Let the grammar of IRIs be compiled when one is checked, not by each import of nbformat.

    nbformat imports jsonschema, and this imports ``rfc3987_syntax`` where it is installed, as it is
    with JupyterLab. That package compiles its grammar as it is imported, for 1 to 3 s, in every
    process; and the schemas of notebooks have no IRI. Of a process that has it already, nothing
    is changed. Known as https://github.com/python-jsonschema/jsonschema/issues/1428.
    """
    if _GRAMMAR not in sys.modules and (spec := find_spec(_GRAMMAR)) is not None:
        sys.modules[_GRAMMAR] = _Postponed(spec)


class _Postponed(ModuleType):
    """The module ``rfc3987_syntax``, which is executed when something of it is used."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(_GRAMMAR)
        self._is_there = False
        vars(self).update(vars(module_from_spec(spec)))
        # jsonschema imports this name, so looking it up must not execute the module.
        self.is_valid_syntax = self._check

    def _check(self, *args: Any, **kwargs: Any) -> Any:
        self._load()
        return self.is_valid_syntax(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if self._is_there or name.startswith("__"):
            raise AttributeError(f"module {_GRAMMAR!r} has no attribute {name!r}")
        self._load()
        return getattr(self, name)

    def _load(self) -> None:
        if not self._is_there:
            spec = self.__spec__
            assert spec is not None and spec.loader is not None  # noqa: PT018 - found with one
            spec.loader.exec_module(self)
            self._is_there = True
