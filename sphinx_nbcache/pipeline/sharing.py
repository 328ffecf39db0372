"""One build's dealings with a remote: what it takes from there, and what it puts there.

A remote only saves time. Whatever is wrong with it becomes a notice, and the build goes on
as it would without it; after the first failure that attempts did not mend, it is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import Any

from sphinx_nbcache.errors import ConfigurationError, MissingExtraError, RemoteError, StoreError
from sphinx_nbcache.model import IMPORTED, CellOutputs, Entry, Key, Memo
from sphinx_nbcache.pipeline.artifacts import Exclusions, is_safe
from sphinx_nbcache.pipeline.memo_handover import MemoHandover
from sphinx_nbcache.pipeline.project import Project
from sphinx_nbcache.store import Caution, Remote, Store

Wish = tuple[Key, Callable[[Entry], bool]]
"""What is asked for a notebook, and whether an entry of that key answers it now."""
_FAILURES = (RemoteError, MissingExtraError, StoreError)
_CODE = frozenset(
    (
        *(".py", ".pyw", ".pyi", ".pyx", ".pyc", ".pth", ".so", ".pyd", ".dll", ".dylib", ".exe"),
        *(".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".r", ".jl", ".pl", ".rb", ".mk"),
        *(".ipynb", ".md", ".rst", ".rmd", ".qmd", ".toml", ".cfg", ".ini", ".yml", ".yaml"),
        *(".pkl", ".pickle", ".joblib", ".dill", ".pt", ".ckpt"),
        *(".pyz", ".whl", ".egg", ".js", ".mjs", ".fish", ".cmake"),
    )
)
"""Endings of files that somebody may run, or load so that code in them runs."""


class Sharing:
    """The remote of one build.

    :param is_online: False for one that leaves the remote alone, as where none is configured.
    """

    def __init__(self, project: Project, *, is_online: bool) -> None:
        config = project.config
        self.brought: set[str] = set()
        """Names of the entries that were taken from the remote in this build."""
        self._project = project
        self._remote = open_remote(project) if is_online and config.remote else None
        self._may_write = config.remote_mode == "read-write"
        self._candidates: dict[Key, list[Entry]] = {}
        self._told = 0
        self._notices: list[str] = []
        self.handover = MemoHandover(project, is_online=self.is_online)
        """What kernels are told of the cache and its remote."""

    @property
    def is_online(self) -> bool:
        """Return whether there is a remote that has not failed yet."""
        return self._remote is not None

    def bring(self, wishes: Iterable[Wish]) -> bool:
        """Take into the store what answers now; return whether there was anything.

        Only entries that hold have their objects fetched. What was seen once is judged again,
        and not asked for again: what holds may depend on what others have put in its place.
        """
        remote = self._remote
        if remote is None:
            return False
        wishes, before = list(wishes), len(remote.taken)
        try:
            for entry in remote.find(key for key, _ in wishes):
                if self._is_harmless(entry, remote):
                    self._candidates.setdefault(entry.key, []).append(entry)
            remote.fetch(self._choose(wishes))
        except _FAILURES as error:
            self._fail(remote, error)
        brought = remote.taken[before:]
        self.brought |= {entry.name for entry in brought}
        return bool(brought)

    def offer(self, entry: Entry) -> None:
        """Have a new entry put there, if builds may; go on meanwhile."""
        if self._remote is not None and self._may_write:
            self._remote.send(entry)

    def finish(self, since: float | None) -> None:
        """Put there what kernels have memoized, and wait until all is there.

        :param since: POSIX timestamp of the build's beginning; None if no kernel was started.
        """
        if self._remote is None:
            return
        try:
            if self._may_write and since is not None:
                self._offer_memos(self._remote, since)
            self._remote.finish()
        except _FAILURES as error:
            self._may_write = False
            self._notices.append(f"new outputs are not all in the remote cache: {error}")

    def _offer_memos(self, remote: Remote, since: float) -> None:
        """Send the memos that are new here and lack there: kernels have no right to write.

        What was computed although there is an answer takes its place: that one is too old,
        damaged or not signed.
        """
        store = self._project.store
        found = (store.memos.read(path) for path in store.memos.list_paths_since(since))
        new = {memo.name: memo for memo in found if isinstance(memo, Memo)}
        made = [name for name, memo in new.items() if memo.executed_at >= since]
        for name in dict.fromkeys((*made, *remote.find_lacking(new.keys() - made))):
            if store.trust.is_trusted(new[name]):
                remote.send(new[name])

    def take_notices(self) -> list[str]:
        """Return what has to be told, each once."""
        if self._remote is not None:
            self._sum_up(self._remote)
        notices, self._notices = self._notices, []
        return notices

    def _choose(self, wishes: Iterable[Wish]) -> list[Entry]:
        """Return an entry that holds for each, where there is one; each entry once."""
        chosen: dict[str, Entry] = {}
        for key, holds in wishes:
            known = self._candidates.get(key, [])
            found = next((entry for entry in _sort(known) if holds(entry)), None)
            if found is not None:
                known.remove(found)
                chosen[found.name] = found
        return list(chosen.values())

    @cached_property
    def _exclusions(self) -> Exclusions:
        project = self._project
        return Exclusions(project.root, (project.store.path, *project.ignored))

    def _is_harmless(self, entry: Entry, remote: Remote) -> bool:
        """Return whether an entry names only files that it may put here."""
        paths = [artifact.path for artifact in entry.artifacts]
        for path in (*paths, *(artifact.path for artifact in entry.left)):
            if not is_safe(path) or (path in paths and self._exclusions.has(path)):
                reason = "is no file below the project root that notebooks may write"
            elif path in paths and not self._project.store.trust.keys and is_code(path):
                reason = "may be code, which only comes with a signature (NBCACHE_SIGNING_KEY)"
            else:
                continue
            remote.problems.append(f"entry {entry.name}: {path!r}, which it would write, {reason}")
            return False
        return True

    def _fail(self, remote: Remote, error: Exception) -> None:
        self._sum_up(remote)
        remote.close()
        self._remote = None
        self.handover.is_online = False
        self._notices.append(f"the build goes on without the remote cache: {error}")

    def _sum_up(self, remote: Remote) -> None:
        """Make one notice of all entries that are not used."""
        problems = remote.problems[self._told :]
        self._told += len(problems)
        if problems:
            more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
            text = f"some of the remote cache {remote.shown} is not used: {problems[0]}{more}"
            self._notices.append(text)
        if remote.refused:
            self._notices.append(
                f"{remote.refused} entries of the remote cache {remote.shown} are not signed with "
                "one of the keys of NBCACHE_SIGNING_KEY and are not used"
            )
            remote.refused = 0


def open_remote(project: Project) -> Remote:
    """Return the remote that a project is configured with; nothing is asked of it yet.

    Raises ConfigurationError where there is none.
    """
    config = project.config
    if not config.remote:
        raise ConfigurationError("remote", "", "an address such as s3://bucket/folder")
    return Remote(
        config.remote,
        project.store,
        silence_s=config.remote_timeout,
        limit=config.entries_per_key,
        caution=Caution(partial(find_flaw, project.store), may_unpickle=config.trust_remote),
    )


def find_flaw(store: Store, entry: Entry) -> str:
    """Return why the outputs of an entry could not be shown; empty if they can.

    What is signed is as it was stored. Anything else may be made to break a build: its outputs
    have to fit the code cells, and to be what a kernel can give.
    """
    if store.trust.keys:
        return ""
    import nbformat

    outputs, question = store.load_outputs(entry.outputs), store.objects.read(entry.key)
    if outputs is None:
        return "its outputs are none"
    if question is None:
        return "what it answers is not there"
    try:
        cells = zip(json.loads(question)["cells"], outputs.cells, strict=True)
        made = [_make_cell(source, found) for (source, _), found in cells]
        notebook = {"cells": made, "metadata": outputs.metadata, "nbformat": 4, "nbformat_minor": 4}
        nbformat.validate(nbformat.from_dict(notebook))
    except (nbformat.ValidationError, ValueError, TypeError, LookupError, AttributeError) as error:
        return f"its outputs cannot be shown: {str(error).partition(chr(10))[0]}"
    except RecursionError:
        return "its outputs are nested too deeply"
    return ""


def _make_cell(source: str, found: CellOutputs | None) -> dict[str, Any]:
    """Return a code cell as nbformat has it."""
    ran = found or CellOutputs(None, [])
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "execution_count": ran.execution_count,
        "outputs": ran.outputs,
    }


def is_code(path: str) -> bool:
    """Return whether a file may be one that somebody runs, by its name.

    What is hidden configures tools, and what has no ending may be a Makefile.
    """
    found = PurePosixPath(path)
    is_hidden = any(part.startswith(".") for part in found.parts)
    return is_hidden or not found.suffix or found.suffix.lower() in _CODE


def _sort(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries, the newest first, and those that nobody saw being made after all others."""
    return sorted(entries, key=lambda e: (IMPORTED not in e.notes, e.executed_at), reverse=True)
