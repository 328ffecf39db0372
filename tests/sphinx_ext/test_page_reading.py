"""What decides what is asked of a kernel, beside the text: told apart, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from myst_nb.core.config import NbParserConfig
from myst_parser.config.main import MdParserConfig

from sphinx_nbcache.pipeline import Source
from sphinx_nbcache.sphinx_ext.pages import PageReading
from tests.e2e.build import run_build, write_notebook, write_site
from tests.store.samples import find_outputs

pytestmark = pytest.mark.slow  # each test builds a site

JUPYTEXT = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}


def describe(name: str = "page.md", markdown: dict[str, Any] | None = None, **options: Any) -> Any:
    """Return the description of a page under some options of MyST and MyST-NB."""
    reading = PageReading(
        MdParserConfig(**(markdown or {})), NbParserConfig(**options), lambda name, config: None
    )
    return reading.describe(Source("page", Path("/project") / name))


@pytest.mark.parametrize(
    "options",
    [
        {"execution_mode": "force"},
        {"execution_allow_errors": True},
        {"execution_in_temp": True},
        {"execution_excludepatterns": ["*.md"]},
        {"kernel_rgx_aliases": {"a": "b"}},
        {"metadata_key": "own"},
        {"custom_formats": {".md": ["jupytext.reads", {"fmt": "md"}]}},
        {"markdown": {"enable_extensions": {"colon_fence"}}},
        {"markdown": {"commonmark_only": True}},
    ],
    ids=str,
)
def test_what_changes_the_answer_changes_the_description(options: dict[str, Any]) -> None:
    assert describe(**options) != describe()


@pytest.mark.parametrize(
    "options",
    [
        {"execution_timeout": 99},
        {"execution_cache_path": "elsewhere"},
        {"execution_show_tb": True},
        {"execution_raise_on_error": True},
        {"execution_excludepatterns": ["other/*"]},
        {"merge_streams": True},
        {"render_image_options": {"width": "1px"}},
        {"output_folder": "elsewhere"},
        {"custom_formats": JUPYTEXT},
        {"custom_formats": {".py": "own.reader"}},
    ],
    ids=str,
)
def test_what_only_changes_how_it_is_shown_does_not(options: dict[str, Any]) -> None:
    assert describe(**options) == describe()


def test_aliases_are_told_apart_by_their_order() -> None:
    there, back = {"p.*": "a", ".*": "b"}, {".*": "b", "p.*": "a"}
    assert describe(kernel_rgx_aliases=there) != describe(kernel_rgx_aliases=back)


def test_the_longest_ending_says_who_reads() -> None:
    formats = {".own.py": "own.reader", **JUPYTEXT}
    assert describe("page.py", custom_formats=formats) is not None
    assert describe("page.own.py", custom_formats=formats) is None


def test_a_reader_of_the_users_own_has_no_description() -> None:
    assert describe("page.py", custom_formats={".py": "own.reader"}) is None
    assert describe("page.py", custom_formats={".py": ["own.reader", {"a": 1}]}) is None


def test_a_value_without_a_stable_form_has_no_description() -> None:
    formats = {".py": ["jupytext.reads", {"fmt": object()}]}
    assert describe("page.py", custom_formats=formats) is None


def test_functions_among_the_options_are_known_by_name() -> None:
    assert describe(markdown={"heading_slug_func": print}) is not None


def test_an_alias_given_later_is_followed_although_the_page_is_known(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {"page": ("print('same')",)})
    write_notebook(site / "page.md", "print('same')")
    assert run_build(site).totals["ran"] == 1
    assert run_build(site, "-E").totals["hits"] == 1
    other = run_build(site, "-E", "-D", "nb_kernel_rgx_aliases.python.*=nowhere")
    assert "there is no kernel 'nowhere'" in other.stderr
    assert run_build(site, "-E", "-D", "nb_execution_mode=off").find("page")["status"] == "skipped"
    assert run_build(site, "-E").totals["hits"] == 1


def test_builds_into_fresh_folders_leave_the_cache_alone(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {"page": ("print(1)",)})
    cache = site.parent / ".nbcache"
    for number in range(2):
        run_build(site, out=f"out{number}")
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    result = run_build(site, out="out2")
    assert result.totals["hits"] == 1
    assert "1\n" in result.read("page")
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_outputs_that_turn_out_damaged_while_the_page_is_read_are_made_again(
    tmp_path: Path,
) -> None:
    site = write_site(tmp_path / "project", {"page": ("print('shown')",)})
    run_build(site)
    find_outputs(site.parent / ".nbcache").write_bytes(b"")
    result = run_build(site, "-E")
    assert "is missing or damaged" in result.stderr
    assert result.totals["ran"] == 1
    assert "shown" in result.read("page")
