"""Which kernel a notebook is run with, beside what MyST-NB does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.keys import compute_key, make_question, resolve_kernel
from sphinx_nbcache.testing import make_notebook

NAMES = ("python3", "python", "my-env", "ir", "Python 3 (ipykernel)", "python3.11")
EXPRESSIONS = ("python3", "python.*", "my-.*", "p", "y", ".*", "py.*3", "PYTHON3", "", "ir|python3")


def replace_kernel(metadata: dict[str, Any], aliases: dict[str, str]) -> str | None:
    """Return the kernel name that MyST-NB 1.4 gives to nbclient (``myst_nb.sphinx_``)."""
    kernel_name: str | None = metadata.get("kernelspec", {}).get("name", None)
    if kernel_name is not None and aliases:
        for rgx, alias in aliases.items():
            if re.fullmatch(rgx, kernel_name):
                return alias
    return kernel_name


@given(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(EXPRESSIONS), st.sampled_from(NAMES), max_size=4),
)
def test_aliases_are_applied_as_in_mystnb(name: str, aliases: dict[str, str]) -> None:
    notebook = make_notebook("x", kernel=name)
    expected = replace_kernel(dict(notebook.metadata), aliases)
    assert resolve_kernel(notebook, aliases.items()) == expected


@given(st.dictionaries(st.sampled_from(EXPRESSIONS), st.sampled_from(NAMES), max_size=4))
def test_a_notebook_without_a_kernel_has_the_default_one_whatever_the_aliases(
    aliases: dict[str, str],
) -> None:
    assert resolve_kernel(make_notebook("x", kernel=None), aliases.items()) == "python3"


def test_the_first_alias_that_fits_wins() -> None:
    aliases = (("py.*", "first"), ("python3", "second"))
    assert resolve_kernel(make_notebook("x"), aliases) == "first"


def test_an_alias_must_fit_the_whole_name() -> None:
    assert resolve_kernel(make_notebook("x"), (("python", "other"),)) == "python3"


def test_aliases_are_not_applied_to_their_own_results() -> None:
    aliases = (("python3", "ir"), ("ir", "python3"))
    assert resolve_kernel(make_notebook("x"), aliases) == "ir"


@pytest.mark.parametrize("spec", [None, {}, {"name": None}, {"name": ""}, {"display_name": "P"}])
def test_a_kernelspec_without_a_name_is_the_default_kernel(spec: dict[str, Any] | None) -> None:
    notebook = make_notebook("x", kernel=None, metadata={"kernelspec": spec})
    assert resolve_kernel(notebook) == "python3"


def test_two_names_of_one_kernel_give_one_key() -> None:
    notebooks = [make_notebook("x", kernel=name) for name in ("my-env", "other-env")]
    keys = {
        compute_key(
            make_question(
                notebook,
                kernel=resolve_kernel(notebook, ((".*-env", "python3"),)),
                working_directory=".",
            )
        )
        for notebook in notebooks
    }
    assert len(keys) == 1
