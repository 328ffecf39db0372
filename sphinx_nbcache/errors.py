"""Every exception this package raises on purpose.

NbCacheError
├── ConfigurationError     an option has a value it cannot have: mend the configuration
├── NotebookReadError      a file is not a readable notebook: mend the file
├── NotebookNotFoundError  a path or pattern names no notebook: mend the call
├── NotebookWriteError     a file cannot be written, or must not: name another one
├── RecordNotFoundError    an ID or path is not in the project's list or the cache: mend the call
├── NotCachedError         the outputs asked for are not in the store: execute first
├── NotExecutedError       a notebook to be stored as executed was not: execute it first
├── AlreadyCachedError     what is to be stored is there already: allow to overwrite it
├── NotMemoizableError     a value cannot be part of a question: name others, or do without
├── MissingExtraError      a library for this is not installed: install the extra
├── GitError               git is not there or refuses: go into a repository, or install git
├── RemoteError            a remote cannot be used: mend address, credentials or network
└── StoreError             the store's folder cannot be used: mend rights or space

How a notebook ended is never an exception: see ``model.Outcome``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class NbCacheError(Exception):
    """Root of all errors of sphinx-nbcache; its text is a sentence for people."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes with text and fields, whatever ``__init__`` takes."""
        return _restore, (type(self), self.args, vars(self))


def _restore(kind: type[NbCacheError], args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *args)
    vars(error).update(fields)
    return error


class ConfigurationError(NbCacheError):
    """An option was given a value that it cannot have."""

    def __init__(self, option: str, value: object, expected: str) -> None:
        self.option = option
        self.value = value
        self.expected = expected
        super().__init__(f"{option} = {value!r}: expected {expected}")


class NotebookReadError(NbCacheError):
    """A file could not be read as a notebook."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: cannot be read as a notebook: {reason}")


class NotebookNotFoundError(NbCacheError):
    """A path given by the user names no notebook."""

    def __init__(self, path: Path, reason: str = "there is no such file") -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class NotebookWriteError(NbCacheError):
    """A notebook with its outputs cannot be written to a file."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: cannot be written: {reason}")


class RecordNotFoundError(NbCacheError):
    """An ID or a path names nothing that the project's list or the cache knows."""

    def __init__(self, given: str, reason: str) -> None:
        self.given = given
        self.reason = reason
        super().__init__(f"{given}: {reason}")


class NotCachedError(NbCacheError):
    """The outputs of a notebook were asked for, but the store has none for its key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: no outputs in the cache; run `nbcache execute {path}` first")


class NotExecutedError(NbCacheError):
    """A notebook that is to be stored with its outputs does not look executed."""

    def __init__(self, path: Path, reason: str, *, is_final: bool = False) -> None:
        self.path = path
        self.reason = reason
        self.is_final = is_final
        """Whether it cannot be stored without that check either."""
        looks = "is not to be executed" if is_final else "does not look executed from top to bottom"
        super().__init__(f"{path}: {looks}: {reason}")


class AlreadyCachedError(NbCacheError):
    """The cache holds outputs for what is to be stored, and may not replace them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: its code has outputs in the cache already, which are kept")


class NotMemoizableError(NbCacheError):
    """What a call depends on has no content that can be told, or is no function at all."""

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(f"{what}: {reason}")


class MissingExtraError(NbCacheError):
    """A library that only some users need is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        self.library = library
        self.extra = extra
        super().__init__(f'{library} is not installed: run `pip install "sphinx-nbcache[{extra}]"`')


class GitError(NbCacheError):
    """Git could not do what was asked of it."""

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        self.reason = reason
        super().__init__(f"{folder}: {reason}")


class RemoteError(NbCacheError):
    """A remote cannot be reached, or refuses what is asked of it."""

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        """Without what could be secret in it."""
        self.reason = reason
        super().__init__(f"remote {address}: {reason}")


class StoreError(NbCacheError):
    """The store's folder cannot be read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"cache {path}: {reason}")
