"""The executor ``journal``, with real kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nbcache_example.journal import create_journal

from sphinx_nbcache.config import Config
from sphinx_nbcache.model import Job, Key, Status
from sphinx_nbcache.running import ExecutorRequest
from sphinx_nbcache.testing import make_notebook


def make_job(folder: Path, name: str, code: str) -> Job:
    """Return the job for one cell."""
    return Job(
        name=name,
        notebook=make_notebook(code),
        key=Key(name),
        kernel="python3",
        working_directory=folder,
        timeout_s=60,
        allow_errors=False,
    )


def test_each_notebook_gives_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    jobs = (make_job(tmp_path, "good", "1"), make_job(tmp_path, "bad", "1 / 0"))
    with create_journal(ExecutorRequest(config=Config(), jobs=jobs)) as executor:
        runs = [executor.submit(job).result(60) for job in jobs]
    assert [run.status for run in runs] == [Status.RAN, Status.FAILED]
    lines = (tmp_path / "nbcache-journal.jsonl").read_text(encoding="utf-8").splitlines()
    found = [(line["notebook"], line["status"]) for line in map(json.loads, lines)]
    assert found == [("good", "ran"), ("bad", "failed")]
