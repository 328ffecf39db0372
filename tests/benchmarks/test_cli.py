"""The command line refuses what it does not know, in sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import prerequisites
from benchmarks.cli import cli
from benchmarks.errors import MissingPackageError


def test_unknown_tools_are_refused_with_the_known_ones() -> None:
    result = CliRunner().invoke(cli, ["--tools", "stock,fast"])
    assert result.exit_code == 2
    assert "fast is not known: choose from stock, stock-off, nbcache-spawn" in result.output
    assert "each also with -jN behind it" in result.output


def test_an_empty_list_is_refused() -> None:
    result = CliRunner().invoke(cli, ["--kinds", " , "])
    assert result.exit_code == 2
    assert "nothing is named" in result.output


@pytest.mark.parametrize("text", ["0", "4,many", "-3"])
def test_wrong_numbers_of_notebooks_are_refused(text: str) -> None:
    result = CliRunner().invoke(cli, [f"--notebooks={text}"])
    assert result.exit_code == 2
    assert "is not a number of notebooks" in result.output


def test_notebooks_with_outputs_are_not_compared_with_markdown() -> None:
    result = CliRunner().invoke(cli, ["--tools", "stock-off,nbcache"])
    assert result.exit_code == 2
    assert "add --formats ipynb" in result.output


@pytest.mark.slow
def test_a_real_run_leaves_samples_and_tables(tmp_path: Path) -> None:
    path = tmp_path / "results" / "first.json"
    options = ["--kinds=tiny", "--notebooks=1", "--tools=nbcache", "--scenarios=cold"]
    result = CliRunner().invoke(cli, [*options, "--rounds=1", f"--json={path}"])
    assert result.exit_code == 0, result.output
    content = json.loads(path.read_text(encoding="utf-8"))
    (sample,) = content["samples"]
    assert sample["case"]["site"] == {"kind": "tiny", "notebooks": 1, "formats": "mixed"}
    assert [run["name"] for run in sample["runs"]] == ["notebook_0001"]
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "## 1 tiny notebooks" in text
    assert text in result.output


def test_missing_packages_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "find_spec", lambda name: None if name[0] == "p" else True)
    with pytest.raises(MissingPackageError) as caught:
        prerequisites.require_all(["scientific"], [])
    sentence = 'pandas is not installed: run `pip install "sphinx-nbcache[bench]"`.'
    assert str(caught.value) == sentence


def test_tiny_notebooks_need_no_scientific_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"ipykernel"}
    monkeypatch.setattr(prerequisites, "find_spec", lambda name: name in wanted or None)
    prerequisites.require_all(["tiny"], [])
    with pytest.raises(MissingPackageError):
        prerequisites.require_all(["scientific"], [])


def test_missing_distributions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "installed_version", lambda name: None)
    result = CliRunner().invoke(cli, ["--tools", "nbcache"])
    assert result.exit_code == 1
    assert "sphinx-nbcache is not installed: run" in result.output
