"""``prune``, ``stats``, ``export``, ``import``: the cache stays in order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.samples import write_executed


@pytest.fixture
def cached(run: Run, project_folder: Path) -> Path:
    """Return a project with three entries."""
    for number in range(3):
        write_executed(project_folder / f"n{number}.ipynb", [(f"print({number})", f"{number}\n")])
        assert run("cache", "add", f"n{number}.ipynb").exit_code == 0
    return project_folder


def count_entries(run: Run) -> int:
    return len(json.loads(run("cache", "list", "--json").output))


def test_prune_tells_what_would_go_and_asks(run: Run, cached: Path) -> None:
    assert run("prune", "--max-count", "1", "--dry-run").output.startswith("would go: 2 entries")
    refused = run("prune", "--max-count", "1", input="n\n")
    assert (refused.exit_code, count_entries(run)) == (1, 3)
    done = run("prune", "--max-count", "1", input="y\n")
    assert "removed: 2 entries" in done.output
    assert count_entries(run) == 1
    assert run("verify").output.endswith(": sound\n")


def test_prune_by_size_and_age(run: Run, cached: Path) -> None:
    assert run("prune", "-f", "--max-age", "1d").output.startswith("removed: 0 entries")
    assert run("prune", "-f", "--max-size", "1 GB").output.startswith("removed: 0 entries")
    told = json.loads(run("prune", "-f", "--max-size", "1 kB", "--json").output)
    assert told["left_bytes"] <= 1000
    assert told["left_entries"] == count_entries(run)


@pytest.mark.parametrize(
    "arguments", [["--max-size", "big"], ["--max-age", "old"], ["--max-count", "-1"], ["--json"]]
)
def test_wrong_limits_are_refused(run: Run, cached: Path, arguments: list[str]) -> None:
    assert run("prune", *arguments).exit_code == 2
    assert count_entries(run) == 3


def test_stats_counts(run: Run, cached: Path) -> None:
    told = json.loads(run("stats", "--json").output)
    assert (told["entries"], told["notebooks"], told["artifacts"]) == (3, 3, 0)
    assert told["size_bytes"] > 0
    assert "Entries: 3\n" in run("stats").output


def test_stats_of_no_cache_are_zeros_and_make_none(run: Run, project_folder: Path) -> None:
    assert json.loads(run("stats", "--json").output)["entries"] == 0
    assert not (project_folder / ".nbcache").exists()


def test_an_archive_takes_entries_to_another_cache(run: Run, cached: Path) -> None:
    assert run("export", "all.tar").output == "all.tar: 3 entries\n"
    assert run("export", "some.tar", "1", "n1.ipynb").output == "some.tar: 2 entries\n"
    refused = run("export", "all.tar", input="n\n")
    assert refused.exit_code == 1
    imported = run("--cache-path", "other", "import", "all.tar")
    assert (imported.exit_code, imported.output) == (0, "3 new entries, 0 known already\n")
    assert run("--cache-path", "other", "import", "some.tar").output.startswith("0 new entries, 2")
    told = json.loads(run("--cache-path", "other", "status", "--json").output)
    assert {item["state"] for item in told} == {"fresh"}


def test_what_is_no_archive_is_refused(run: Run, cached: Path) -> None:
    result = run("import", "n0.ipynb")
    assert (result.exit_code, "is no archive of this tool" in result.stderr) == (2, True)
