"""The command ``doctor``: lines, JSON and exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_all_is_well_and_nothing_in_the_project_is_changed(run: Run, project_folder: Path) -> None:
    result = run("doctor")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert any(line.startswith("ok       started kernel: python3 was started") for line in lines)
    assert lines[-1].endswith("0 problem)")
    assert [path.name for path in project_folder.iterdir()] == ["pyproject.toml"]


def test_a_problem_is_told_with_advice_and_the_exit_status_is_1(
    run: Run, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBCACHE_JOBS", "many")
    result = run("--cache-path", "there", "doctor", "--json")
    assert result.exit_code == 1
    found = {remark["check"]: remark for remark in json.loads(result.output)}
    assert set(found["options"]) == {"check", "health", "text", "advice", "details"}
    assert found["options"]["health"] == "problem"
    assert found["started kernel"]["health"] == "ok"
