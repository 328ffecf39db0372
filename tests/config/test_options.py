"""Options: their values, their order of precedence, and what is said of wrong ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.config import EXECUTORS, OPTIONS, Config, choose_options
from sphinx_nbcache.errors import ConfigurationError

BY_NAME = {option.name: option for option in OPTIONS}
GOOD: list[tuple[str, Any, Any]] = [
    ("path", None, None),
    ("path", "", None),
    ("path", "cache", Path("cache")),
    ("path", Path("/cache"), Path("/cache")),
    ("jobs", "auto", None),
    ("jobs", None, None),
    ("jobs", 1, 1),
    ("jobs", 64, 64),
    ("jobs", "3", 3),
    *(("executor", name, name) for name in EXECUTORS),
    ("on_error", "fail", "fail"),
    ("on_error", "warn", "warn"),
    ("executor_options", {}, ()),
    ("executor_options", "", ()),
    ("executor_options", {"a": 1, "b": [1, "x"]}, (("a", 1), ("b", (1, "x")))),
    ("executor_options", [["a", None], ["b", True]], (("a", None), ("b", True))),
    ("executor_options", "a=tcp://b:1, c = 2", (("a", "tcp://b:1"), ("c", 2))),
    ("executor_options", '{"a": "x,y", "b": 1.5}', (("a", "x,y"), ("b", 1.5))),
    ("frozen", True, True),
    ("frozen", False, False),
    ("frozen", "1", True),
    ("frozen", "True", True),
    ("frozen", "yes", True),
    ("frozen", "0", False),
    ("frozen", "NO", False),
    ("frozen", "false", False),
    ("frozen", "", False),
    ("rerun", (), ()),
    ("rerun", [], ()),
    ("rerun", ["a", " b "], ("a", "b")),
    ("rerun", "ch2/*,intro", ("ch2/*", "intro")),
    ("rerun", "", ()),
    ("rerun", " , ", ()),
]
WRONG: list[tuple[str, Any]] = [
    ("path", 1),
    ("path", ["a"]),
    ("jobs", 0),
    ("jobs", -1),
    ("jobs", "0"),
    ("jobs", "many"),
    ("jobs", "1.5"),
    ("jobs", 1.5),
    ("jobs", True),
    ("jobs", [2]),
    ("executor", None),
    ("executor", ["local-serial"]),
    ("executor_options", 1),
    ("executor_options", "address"),
    ("executor_options", "{"),
    ("executor_options", {1: 2}),
    ("executor_options", {"a b": 2}),
    ("executor_options", {"a": {}}),
    ("executor_options", {"a": object}),
    ("on_error", "ignore"),
    ("on_error", True),
    ("frozen", "maybe"),
    ("frozen", 1),
    ("frozen", None),
    ("rerun", 1),
    ("rerun", None),
    ("rerun", [1]),
    ("rerun", {"a": 1}),
]


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_a_right_value_is_taken_in_its_final_type(name: str, value: Any, expected: Any) -> None:
    config = Config.from_values({name: value}, {})
    assert getattr(config, name) == expected
    assert type(getattr(config, name)) is type(expected)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_an_error_that_names_option_value_and_what_is_expected(
    name: str, value: Any
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Config.from_values({name: value}, {}, prefix="nbcache_")
    expected = BY_NAME[name].expected
    assert str(caught.value) == f"nbcache_{name} = {value!r}: expected {expected}"


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=4,
)


@given(st.sampled_from(sorted(BY_NAME)), values)
def test_any_value_is_taken_or_a_configuration_error(name: str, value: Any) -> None:
    refused = None
    try:
        Config.from_values({name: value}, {})
    except ConfigurationError as error:
        refused = error.option
    assert refused in (None, name)


def test_defaults_are_right_values_and_what_the_config_has_by_itself() -> None:
    assert Config.from_values({}, {}) == Config()


def test_an_environment_variable_comes_before_the_value() -> None:
    config = Config.from_values({"jobs": 2, "path": "a"}, {"NBCACHE_JOBS": "5"})
    assert (config.jobs, config.path) == (5, Path("a"))


def test_an_empty_environment_variable_is_as_good_as_none() -> None:
    variables = {"NBCACHE_JOBS": "", "NBCACHE_FROZEN": "", "NBCACHE_PATH": ""}
    config = Config.from_values({"jobs": 2, "frozen": True}, variables)
    assert (config.jobs, config.frozen) == (2, True)


def test_what_a_command_line_says_comes_before_the_environment_variable() -> None:
    variables = {"NBCACHE_JOBS": "5", "NBCACHE_PATH": "b"}
    config = Config.from_values({"jobs": 2, "path": "a"}, variables, first=frozenset({"jobs"}))
    assert (config.jobs, config.path) == (2, Path("b"))


def test_a_wrong_environment_variable_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigurationError, match=r"^NBCACHE_JOBS = 'x': expected a whole number"):
        Config.from_values({"jobs": 2}, {"NBCACHE_JOBS": "x"})


def test_a_wrong_environment_variable_that_does_not_count_is_no_error() -> None:
    config = Config.from_values({"jobs": 2}, {"NBCACHE_JOBS": "x"}, first=frozenset({"jobs"}))
    assert config.jobs == 2


def test_other_variables_are_not_looked_at() -> None:
    assert Config.from_values({}, {"NBCACHE_ON_ERROR": "warn", "JOBS": "3"}) == Config()


@pytest.mark.parametrize("name", [*EXECUTORS, "temp-cluster", "cluster-serial"])
def test_the_name_of_a_built_in_executor_says_where_and_how_many_at_once(name: str) -> None:
    config = Config(executor=name)
    is_temporary = name in ("temp-serial", "temp-parallel")
    is_serial = name in ("local-serial", "temp-serial")
    assert (config.is_temporary, config.is_serial) == (is_temporary, is_serial)


OPTIONS_TEXT = "address=a"
BOTH = {"NBCACHE_EXECUTOR": "dask", "NBCACHE_EXECUTOR_OPTIONS": OPTIONS_TEXT}
CONF = {"executor": "dask", "executor_options": {"address": "a"}}


@pytest.mark.parametrize(
    ("values", "variables", "first", "is_kept"),
    [
        (CONF, {}, (), True),
        (CONF, {"NBCACHE_EXECUTOR": "dask"}, (), True),
        (CONF, {"NBCACHE_EXECUTOR": "local-serial"}, (), False),
        (CONF, {"NBCACHE_EXECUTOR": "local-serial"}, ("executor_options",), True),
        ({}, BOTH, (), True),
        ({"executor": "dask"}, {"NBCACHE_EXECUTOR_OPTIONS": OPTIONS_TEXT}, ("executor",), True),
        ({"executor": "local-serial"}, BOTH, ("executor",), False),
        ({"executor": "local-serial"}, BOTH, (), True),
    ],
)
def test_options_of_an_executor_go_with_the_executor_that_is_named_beside_them(
    values: dict[str, Any], variables: dict[str, str], first: tuple[str, ...], is_kept: bool
) -> None:
    config = Config.from_values(values, variables, first=frozenset(first))
    assert config.executor_options == ((("address", "a"),) if is_kept else ())


@pytest.mark.parametrize(
    ("stronger", "is_kept"),
    [({}, True), ({"executor": "dask"}, True), ({"executor": "x"}, False), ({"jobs": 2}, True)],
)
def test_another_executor_leaves_the_options_of_the_first(
    stronger: dict[str, Any], is_kept: bool
) -> None:
    assert ("executor_options" in choose_options(CONF, stronger)) is is_kept
    given = {**stronger, "executor_options": {"b": 1}}
    assert choose_options(CONF, given)["executor_options"] == {"b": 1}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
class TestDeclaration:
    """Each option."""

    def test_is_a_field_of_the_configuration(self, option: Any) -> None:
        assert hasattr(Config(), option.name)

    def test_has_a_help_text_of_whole_sentences(self, option: Any) -> None:
        assert re.search(r"\A[A-Z`].*[.]\Z", option.help, re.DOTALL)

    def test_says_what_is_expected_as_the_end_of_a_sentence(self, option: Any) -> None:
        assert option.expected
        assert not option.expected.endswith(".")

    def test_has_a_variable_named_like_itself_or_none(self, option: Any) -> None:
        assert option.variable in {None, f"NBCACHE_{option.name.upper()}"}
