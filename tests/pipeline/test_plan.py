"""What is decided about a notebook, before anything is looked up or run."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from myst_nb.core.config import NbParserConfig
from myst_nb.core.execute import NotebookClientBase, create_client

from sphinx_nbcache.model import Mode, Notebook, Settings
from sphinx_nbcache.pipeline import Project, apply_execution_metadata, make_plan
from sphinx_nbcache.pipeline.plan import Plan, apply_mystnb_metadata, find_skip_reason
from sphinx_nbcache.testing import code_cell, make_notebook, markdown_cell
from tests.pipeline.conftest import open_project

OUTPUT = {"output_type": "stream", "name": "stdout", "text": "x"}
FULL = (code_cell("1", outputs=[OUTPUT]), markdown_cell("text"), code_cell("2", outputs=[OUTPUT]))
PARTLY = (code_cell("1", outputs=[OUTPUT]), code_cell("2"))


def plan_cells(project: Project, *cells: Any, name: str = "a.ipynb", **settings: Any) -> Plan:
    """Return the plan for a notebook in the project's root."""
    notebook = make_notebook(*cells, path=project.root / name)
    return make_plan(name, notebook, Settings(**settings), project=project)


@pytest.mark.parametrize(
    ("mode", "cells", "reason"),
    [
        (Mode.OFF, PARTLY, "execution mode off"),
        (Mode.INLINE, PARTLY, "execution mode inline: MyST-NB runs it while the page is read"),
        (Mode.AUTO, FULL, "execution mode auto: all outputs present"),
        (Mode.AUTO, PARTLY, ""),
        (Mode.CACHE, FULL, ""),
        (Mode.FORCE, FULL, ""),
    ],
)
def test_the_mode_says_whether_a_notebook_is_executed(
    project: Project, mode: Mode, cells: tuple[Any, ...], reason: str
) -> None:
    plan = plan_cells(project, *cells, mode=mode)
    assert plan.skip_reason == reason
    assert (plan.job is None) == bool(reason)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.FORCE])
def test_only_mode_force_is_a_reason_to_run_again(project: Project, mode: Mode) -> None:
    assert plan_cells(project, *PARTLY, mode=mode).run_reason == ""
    assert plan_cells(project, *PARTLY, mode=Mode.FORCE).run_reason == "execution mode force"


def test_what_the_user_wants_again_has_a_reason_to_run(project: Project) -> None:
    notebook = make_notebook("1", path=project.root / "a.ipynb")
    plan = make_plan("a", notebook, Settings(), project=project, rerun_reason="nbcache_rerun")
    assert plan.run_reason == "nbcache_rerun"


@pytest.mark.parametrize("cells", [(), (markdown_cell("text"),), ("", " \n")])
def test_a_notebook_without_code_has_no_job_and_is_not_skipped(
    project: Project, cells: tuple[Any, ...]
) -> None:
    plan = plan_cells(project, *cells)
    assert (plan.job, plan.skip_reason) == (None, "")


def test_the_job_has_what_the_settings_say(project: Project) -> None:
    job = plan_cells(
        project,
        "1",
        timeout_s=7,
        allow_errors=True,
        kernel_rgx_aliases=(("python.*", "other"),),
    ).job
    assert job is not None
    assert (job.name, job.kernel, job.timeout_s, job.allow_errors) == ("a.ipynb", "other", 7, True)
    assert job.working_directory == project.root


def test_the_timeout_does_not_change_the_key(project: Project) -> None:
    keys = {_key(plan_cells(project, "1", timeout_s=timeout)) for timeout in (1, 30, None)}
    assert len(keys) == 1


def test_the_same_code_in_two_folders_has_two_keys(project: Project) -> None:
    keys = {_key(plan_cells(project, "1", name=name)) for name in ("a.ipynb", "x/a.ipynb")}
    assert len(keys) == 2


def test_in_temporary_folders_it_has_one(project_folder: Path) -> None:
    plans = [
        plan_cells(open_project(project_folder, executor=executor), "1", name=name, in_temp=in_temp)
        for name in ("a.ipynb", "x/a.ipynb")
        for executor, in_temp in (("temp-serial", False), ("local-serial", True))
    ]
    assert len({_key(plan) for plan in plans}) == 1
    assert all(plan.job and plan.job.working_directory is None for plan in plans)


def test_the_key_is_the_same_in_every_checkout(tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        root = tmp_path / name
        (root / "docs").mkdir(parents=True)
        (root / "pyproject.toml").touch()
        keys.add(_key(plan_cells(open_project(root), "1", name="docs/a.ipynb")))
    assert len(keys) == 1


def _key(plan: Plan) -> str:
    assert plan.job is not None
    return plan.job.key


PATTERNS = (
    "*.ipynb", "a.ipynb", "docs/*", "docs/*.ipynb", "*/docs/*", "docs", "docs/", "**/a.ipynb", "a*",
    "/docs/a.ipynb", "b/*", "*", "docs/sub/a.ipynb", "A.ipynb", "sub/**", "project/docs/a.ipynb",
)  # fmt: skip


@pytest.mark.parametrize("name", ["a.ipynb", "docs/a.ipynb", "docs/sub/a.ipynb", "b/c.md"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_excludes_what_it_excludes_in_mystnb(
    project: Project, pattern: str, name: str
) -> None:
    notebook = make_notebook("1", path=project.root / name)
    notebook.path.parent.mkdir(parents=True, exist_ok=True)
    notebook.path.touch()
    excluded = find_skip_reason(notebook, Settings(excludepatterns=(pattern,)))
    assert bool(excluded) == _is_excluded_by_mystnb(notebook, pattern)
    assert excluded in {"", f"excluded by the pattern {pattern!r}"}


def _is_excluded_by_mystnb(notebook: Notebook, pattern: str) -> bool:
    content = nbformat.from_dict(dict(notebook.content))
    # In force mode MyST-NB makes a client that runs, unless the notebook is excluded.
    config = NbParserConfig(execution_mode="force", execution_excludepatterns=[pattern])
    client = create_client(content, str(notebook.path), config, logging.getLogger(__name__))
    return type(client) is NotebookClientBase


@pytest.mark.parametrize(
    ("execution", "timeout_s", "allow_errors"),
    [
        ({"timeout": 5}, 5.0, False),
        ({"timeout": 0.5}, 0.5, False),
        ({"timeout": -1}, -1.0, False),
        ({"timeout": "5"}, 30, False),
        ({"timeout": True}, 30, False),
        ({"timeout": None}, 30, False),
        ({"allow_errors": True}, 30, True),
        ({"allow_errors": "yes"}, 30, False),
        ({"allow_errors": 1}, 30, False),
        ({"timeout": 5, "allow_errors": True, "other": 1}, 5.0, True),
        ({}, 30, False),
        (None, 30, False),
        ([1], 30, False),
        ("x", 30, False),
    ],
)
def test_a_notebooks_own_execution_metadata_is_applied_where_it_is_right(
    execution: Any, timeout_s: float, allow_errors: bool
) -> None:
    settings = apply_execution_metadata(Settings(), {"execution": execution})
    assert settings == replace(Settings(), timeout_s=timeout_s, allow_errors=allow_errors)


values: st.SearchStrategy[Any] = st.sampled_from(
    ["off", "auto", "force", "cache", "inline", "never", "5", "no", "", 0, 1, 5, -1, 1.5, True,
     False, None, [], ["off"], {}],
)  # fmt: skip
NAMES = {
    "execution_mode": "mode",
    "execution_timeout": "timeout_s",
    "execution_allow_errors": "allow_errors",
    "execution_in_temp": "in_temp",
}


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, values)))
def test_a_notebooks_own_mystnb_metadata_is_applied_as_mystnb_does(own: dict[str, Any]) -> None:
    ours = apply_mystnb_metadata(Settings(), {"mystnb": own})
    theirs = NbParserConfig(execution_mode="cache")
    try:
        theirs = theirs.copy(**own)
    except Exception:  # noqa: BLE001 - as in MyST-NB, which then leaves its configuration as it is
        assert ours == Settings()
    for name, field in NAMES.items():
        assert getattr(ours, field) == getattr(theirs, name)


@pytest.mark.parametrize("own", [None, [], "x", 1])
def test_mystnb_metadata_of_another_kind_is_left_alone(own: Any) -> None:
    assert apply_mystnb_metadata(Settings(), {"mystnb": own}) == Settings()


def test_paths_are_stored_relative_to_the_root_in_posix_form(project: Project) -> None:
    assert project.relate(project.root / "docs" / "a.ipynb") == "docs/a.ipynb"
    assert project.relate(project.root) == "."
    assert project.relate(project.root.parent / "b.ipynb") == "../b.ipynb"


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_name_that_is_not_unicode_has_a_key(project: Project) -> None:
    assert _key(plan_cells(project, "1", name=os.fsdecode(b"caf\xe9/a.ipynb")))
