"""A notebook's own ``nbcache`` metadata: what it asks for, and what is not understood."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.model import Declared, Demands, Settings, Topic
from sphinx_nbcache.pipeline import NotebookCache, make_plan
from sphinx_nbcache.pipeline.demands import Wishes, read_wishes, unite_demands
from sphinx_nbcache.testing import RecordingProgress, make_notebook, write_notebook
from tests.pipeline.conftest import open_project

KNOWN = "known are depends, env, after, cache, max_age, fresh, exclusive, resource, timeout"


def read(own: Any, timeout_s: float | None = None) -> tuple[Demands, tuple[str, ...]]:
    """Return the demands and the problems of a notebook with this metadata."""
    wishes = read_all(own, timeout_s)
    return wishes.demands, wishes.problems


def read_all(own: Any, timeout_s: float | None = None) -> Wishes:
    """Return all that a notebook with this metadata asks for."""
    return read_wishes(make_notebook("1", metadata={"nbcache": own}), timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("own", "demands"),
    [
        (None, Demands()),
        ({}, Demands()),
        ({"fresh": True}, Demands(is_fresh=True)),
        ({"fresh": False, "exclusive": True}, Demands(is_exclusive=True)),
        ({"resource": "gpu"}, Demands(resources=("gpu",))),
        ({"resource": ["gpu", "licence", "gpu"]}, Demands(resources=("gpu", "licence"))),
        ({"resource": []}, Demands()),
        ({"timeout": 600}, Demands(timeout_s=600.0)),
        ({"timeout": 0.5}, Demands(timeout_s=0.5)),
    ],
)
def test_what_is_right_is_understood(own: Any, demands: Demands) -> None:
    assert read(own) == (demands, ())


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ("yes", "nbcache = 'yes': expected keys and values, such as {exclusive: true}"),
        ([1], "nbcache = [1]: expected keys and values, such as {exclusive: true}"),
        ({"exclusive": "yes"}, "nbcache: exclusive = 'yes': expected true or false"),
        ({"fresh": 1}, "nbcache: fresh = 1: expected true or false"),
        (
            {"timeout": 0},
            "nbcache: timeout = 0: expected a number of seconds above 0, or null for no limit",
        ),
        (
            {"resource": "a gpu"},
            "nbcache: resource = 'a gpu': expected a name, or a list of names, without spaces, "
            "commas and equals signs",
        ),
        (
            {"exclusiv": True},
            f"nbcache: unknown key 'exclusiv' (did you mean 'exclusive'?); {KNOWN}",
        ),
        (
            {"Resources": "gpu"},
            f"nbcache: unknown key 'Resources' (did you mean 'resource'?); {KNOWN}",
        ),
        ({"colour": "red"}, f"nbcache: unknown key 'colour'; {KNOWN}"),
        ({1: 2}, f"nbcache: unknown key 1; {KNOWN}"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(own: Any, problem: str) -> None:
    assert read(own) == (Demands(), (problem,))


@pytest.mark.parametrize(
    ("own", "declared"),
    [
        ({"depends": "data.nc"}, Declared(depends=("data.nc",))),
        ({"depends": ["data/*.nc", "uv.lock"]}, Declared(depends=("data/*.nc", "uv.lock"))),
        ({"env": ["API_STAGE"]}, Declared(env=("API_STAGE",))),
        ({"cache": False}, Declared(is_cached=False)),
        ({"max_age": "7d"}, Declared(max_age_s=7 * 24 * 3600.0)),
        ({"max_age": "90min"}, Declared(max_age_s=5400.0)),
        ({"max_age": 60}, Declared(max_age_s=60.0)),
        ({"max_age": None}, Declared()),
    ],
)
def test_what_is_declared_is_understood(own: Any, declared: Declared) -> None:
    wishes = read_all(own)
    assert (wishes.declared, wishes.problems) == (declared, ())


def test_the_notebooks_before_are_named_by_one_name_or_several() -> None:
    assert read_all({"after": "prepare"}).after == ("prepare",)
    assert read_all({"after": ["prepare", "/b/c"]}).after == ("prepare", "/b/c")


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        (
            {"max_age": "soon"},
            'nbcache: max_age = \'soon\': expected a time such as "90min", "12h", "7d" or "2w"',
        ),
        (
            {"max_age": -1},
            'nbcache: max_age = -1: expected a time such as "90min", "12h", "7d" or "2w"',
        ),
        (
            {"depends": 3},
            "nbcache: depends = 3: expected a pattern of files, or a list of them, such as "
            '["data/*.nc"]',
        ),
        (
            {"after": [""]},
            "nbcache: after = ['']: expected the name of a notebook, or a list of names",
        ),
    ],
)
def test_what_is_declared_wrongly_is_told_and_does_not_hold(own: Any, problem: str) -> None:
    wishes = read_all(own)
    assert (wishes.declared, wishes.after, wishes.problems) == (Declared(), (), (problem,))


@pytest.mark.parametrize("value", [-1, True, "600", float("inf"), float("nan"), [5], {}, 10**400])
def test_a_time_that_is_none_is_told(value: Any) -> None:
    demands, (problem,) = read({"timeout": value}, timeout_s=9.0)
    assert demands.timeout_s == 9.0
    assert problem.startswith("nbcache: timeout = ")


def test_the_rest_of_the_metadata_holds() -> None:
    demands, problems = read({"exclusive": True, "cash": False, "fresh": 3, "timeout": 5})
    assert demands == Demands(is_exclusive=True, timeout_s=5.0)
    assert len(problems) == 2


def test_the_configured_time_applies_where_the_notebook_does_not_say() -> None:
    assert read(None, timeout_s=60.0)[0].timeout_s == 60.0
    assert read({"timeout": 5}, timeout_s=60.0)[0].timeout_s == 5.0
    assert read({"timeout": None}, timeout_s=60.0)[0].timeout_s is None


KEYS = ["fresh", "exclusive", "resource", "timeout", "after", "depends", "env", "cache", "max_age"]
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(json_values | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=9), json_values))
def test_no_metadata_is_an_exception(own: Any) -> None:
    demands, problems = read(own)
    assert demands.timeout_s is None or demands.timeout_s > 0
    assert len(problems) <= (len(own) if isinstance(own, dict) else own is not None)


class TestUnion:
    """One run that answers two notebooks."""

    def test_meets_the_demands_of_both(self) -> None:
        first = Demands(is_fresh=True, resources=("a", "b"), timeout_s=5)
        second = Demands(is_exclusive=True, resources=("c", "a"), timeout_s=7)
        assert unite_demands(first, second) == Demands(
            is_fresh=True, is_exclusive=True, resources=("a", "b", "c"), timeout_s=7
        )

    def test_has_no_limit_where_one_has_none(self) -> None:
        assert unite_demands(Demands(timeout_s=5), Demands()).timeout_s is None


@given(st.dictionaries(st.sampled_from(KEYS), json_values))
def test_demands_do_not_change_the_key(own: dict[str, Any]) -> None:
    project = open_project(Path("/site"))
    with_demands = make_notebook("1", metadata={"nbcache": own}, path=Path("/site/a.ipynb"))
    without = make_notebook("1", path=Path("/site/a.ipynb"))
    first, second = (
        make_plan("a", notebook, Settings(), project=project).job
        for notebook in (with_demands, without)
    )
    assert first is not None
    assert second is not None
    assert first.key == second.key


def test_a_job_has_the_demands_and_the_limits_of_the_configuration(project_folder: Path) -> None:
    project = open_project(
        project_folder, notebook_timeout=60.0, retries=2, memory_limit=512 * 2**20
    )
    notebook = make_notebook("1", metadata={"nbcache": {"resource": "gpu"}})
    job = make_plan("a", notebook, Settings(), project=project).job
    assert job is not None
    assert job.demands == Demands(resources=("gpu",), timeout_s=60.0)
    assert (job.retries, job.memory_limit_bytes) == (2, 512 * 2**20)


@pytest.mark.parametrize("name", ["a.ipynb", "a.md"])
def test_what_is_wrong_is_told_in_every_build_once(project_folder: Path, name: str) -> None:
    """In the one that runs the notebook, in the next, and where no kernel may start."""
    write_notebook(project_folder / name, "1", metadata={"nbcache": {"exclusiv": True}})
    cache = NotebookCache(project=project_folder)
    for frozen in (False, False, True):
        progress = RecordingProgress()
        report = cache.execute([project_folder], frozen=frozen, progress=progress)
        assert not report.failures
        assert progress.topics == [(Topic.METADATA, name)]
        assert "did you mean 'exclusive'?" in progress.warnings[0]


def test_a_program_without_a_listener_finds_it_in_its_log(
    project_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_notebook(project_folder / "a.ipynb", "1", metadata={"nbcache": {"colour": 1}})
    NotebookCache(project=project_folder).execute([project_folder])
    assert caplog.messages == [f"a.ipynb: nbcache: unknown key 'colour'; {KNOWN}"]
