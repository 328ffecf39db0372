"""The exception tree: drawn as it is, one sentence each, and able to travel."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from sphinx_nbcache import errors
from sphinx_nbcache.errors import (
    AlreadyCachedError,
    ConfigurationError,
    GitError,
    MissingExtraError,
    NbCacheError,
    NotCachedError,
    NotebookNotFoundError,
    NotebookReadError,
    NotebookWriteError,
    NotExecutedError,
    NotMemoizableError,
    RecordNotFoundError,
    RemoteError,
    StoreError,
)

PATH = Path("docs/a.ipynb")
ALL = [
    ConfigurationError("jobs", "x", "a whole number"),
    NotebookReadError(PATH, "it is empty"),
    NotebookNotFoundError(PATH),
    RecordNotFoundError("12", "the project has no notebook with this ID"),
    NotebookWriteError(PATH, "it is a folder"),
    NotCachedError(PATH),
    NotExecutedError(PATH, "cell 2 comes before cell 1"),
    AlreadyCachedError(PATH),
    NotMemoizableError("the argument x", "a generator is used up when it is read"),
    MissingExtraError("dask", "dask"),
    GitError(PATH, "this folder is in no git repository"),
    RemoteError("s3://bucket", "access is denied"),
    StoreError(PATH, "cannot be written"),
]


def test_the_tree_at_the_top_of_the_file_is_the_tree() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    assert drawn == {error.__name__ for error in NbCacheError.__subclasses__()}
    assert drawn == {type(error).__name__ for error in ALL}


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_an_error_says_what_and_where_in_one_line(error: NbCacheError) -> None:
    text = str(error)
    assert "\n" not in text
    places = (
        *("jobs = 'x': ", f"{PATH}: ", f"cache {PATH}: ", "12: ", "the argument x: ", "dask "),
        "remote s3://",
    )
    assert text.startswith(places)


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_an_error_comes_out_of_another_process_as_it_was(error: NbCacheError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
