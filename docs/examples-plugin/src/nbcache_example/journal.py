"""An executor that runs notebooks on this machine, and keeps a journal of them.

Option ``path``: the journal's file; by default ``nbcache-journal.jsonl`` in the current
folder. Each notebook that has ended gives a line of JSON.
"""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.model import Job, Run
from sphinx_nbcache.running import Executor, ExecutorRequest, create_executor

_OPTION = "executor_options"
_DEFAULT = "nbcache-journal.jsonl"


def create_journal(request: ExecutorRequest) -> Executor:
    """Return the executor for one build.

    Raises ConfigurationError for an option that it does not have.
    """
    options = dict(request.config.executor_options)
    path = options.pop("path", _DEFAULT)
    if options or not isinstance(path, str):
        raise ConfigurationError(_OPTION, options or path, 'only "path", the name of a file')
    local = replace(request.config, executor="local-parallel", executor_options=())
    return Journal(create_executor(replace(request, config=local)), Path(path))


class Journal:
    """Gives jobs to another executor, and writes down how they ended."""

    def __init__(self, inner: Executor, path: Path) -> None:
        self.capacity = inner.capacity
        self.notices = inner.notices
        self._inner = inner
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        """Open the journal; nothing is done before, as not every executor is used."""
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop what still runs, which ends its futures, then close the journal."""
        try:
            self._inner.__exit__(kind, error, traceback)
        finally:
            if self._file is not None:
                self._file.close()

    def submit(self, job: Job) -> Future[Run]:
        """Start a job."""
        future = self._inner.submit(job)
        future.add_done_callback(lambda done: self._note(job, done))
        return future

    def _note(self, job: Job, done: Future[Run]) -> None:
        if done.cancelled() or self._file is None or self._file.closed:
            return
        run = done.result()
        line = {"notebook": job.name, "status": str(run.status), "seconds": round(run.seconds, 3)}
        self._file.write(json.dumps(line) + "\n")
