"""The command line refuses what it does not know, in sentences."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks import prerequisites
from benchmarks.cli import cli
from benchmarks.errors import MissingPackageError


def test_unknown_tools_are_refused_with_the_known_ones() -> None:
    result = CliRunner().invoke(cli, ["--tools", "stock,fast"])
    assert result.exit_code == 2
    assert "fast is not known: choose from stock, stock-j2, nbcache, nbcache-j2" in result.output


def test_an_empty_list_is_refused() -> None:
    result = CliRunner().invoke(cli, ["--kinds", " , "])
    assert result.exit_code == 2
    assert "nothing is named: choose from tiny, scientific" in result.output


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


def test_missing_distributions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "installed_version", lambda name: None)
    monkeypatch.setattr("benchmarks.scenarios.measure", pytest.fail)
    result = CliRunner().invoke(cli, ["--tools", "nbcache"])
    assert result.exit_code == 1
    assert "sphinx-nbcache is not installed: run" in result.output
