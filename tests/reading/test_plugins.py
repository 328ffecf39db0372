"""Readers by name, and those that other packages bring."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from sphinx_nbcache.errors import ConfigurationError, NotebookReadError
from sphinx_nbcache.model import Notebook
from sphinx_nbcache.reading import (
    JUPYTEXT_SUFFIXES,
    FileReader,
    find_suffixes,
    list_readers,
    load_reader,
)

LINES = """
from sphinx_nbcache.testing import make_notebook
def read(path, text):
    return make_notebook(*text.splitlines()).content
"""
OF_JUPYTER_CACHE = """
import nbformat
def read(uri):
    assert isinstance(uri, str)
    with open(uri) as file:
        cells = [nbformat.v4.new_code_cell(line.strip()) for line in file]
    return nbformat.v4.new_notebook(cells=cells)
"""
Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a distribution with one reader, and returns its name."""

    def install_reader(
        code: str,
        *,
        name: str = "lines",
        group: str = "nbcache.readers",
        version: str = "1.0",
        target: str = "read",
    ) -> str:
        module = f"plugin_{uuid.uuid4().hex}"  # another one in each test, as modules stay
        folder = tmp_path / module
        folder.mkdir()
        (folder / f"{module}.py").write_text(code)
        about = folder / f"{module}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n"
        )
        (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{target}\n")
        monkeypatch.syspath_prepend(folder)
        return module

    return install_reader


def list_codes(notebook: Notebook | None) -> list[str]:
    """Return the code of a notebook's cells."""
    assert notebook is not None
    return [cell.source for cell in notebook.iterate_code_cells()]


class TestNames:
    """What readers there are."""

    def test_those_of_jupyter_cache_are_built_in(self) -> None:
        found = {info.name: (info.origin, info.suffixes) for info in list_readers()[:3]}
        assert found == {
            "nbformat": ("built in", (".ipynb",)),
            "jupytext": ("built in", JUPYTEXT_SUFFIXES),
            "myst_nb_md": ("built in", (".md",)),
        }

    def test_a_plugin_is_listed_with_its_origin_and_its_suffixes(self, install: Install) -> None:
        module = install(LINES + 'read.suffixes = (".lines",)')
        info = list_readers()[-1]
        origin = f"{module} 1.0 (nbcache.readers)"
        assert (info.name, info.origin, info.suffixes) == ("lines", origin, (".lines",))

    def test_a_broken_plugin_is_listed_with_its_problem(self, install: Install) -> None:
        install("import gone_for_good")
        assert "No module named 'gone_for_good'" in list_readers()[-1].problem

    @pytest.mark.parametrize("group", ["nbcache.readers", "jcache.readers"])
    def test_a_built_in_name_cannot_be_taken_over(self, install: Install, group: str) -> None:
        before = load_reader("jupytext")
        install("1 / 0", name="jupytext", group=group)
        assert load_reader("jupytext") is before

    def test_a_name_of_ours_comes_before_the_same_one_of_jupyter_cache(
        self, install: Install
    ) -> None:
        install("1 / 0", group="jcache.readers")
        install(LINES)
        assert load_reader("lines")(Path("a"), "x\ny")["cells"][1]["source"] == "y"

    def test_an_unknown_one_is_an_error_that_lists_what_there_is(self, install: Install) -> None:
        install("1 / 0")  # a name is enough: nothing is imported
        with pytest.raises(ConfigurationError, match="'line': expected one of") as caught:
            load_reader("line")
        assert "myst_nb_md" in str(caught.value)
        assert "lines" in str(caught.value)

    def test_one_that_cannot_be_imported_is_an_error_that_names_it(self, install: Install) -> None:
        module = install("import gone_for_good")
        with pytest.raises(ConfigurationError, match="ModuleNotFoundError: No module") as caught:
            load_reader("lines")
        assert f"{module}:read, entry point nbcache.readers of {module} 1.0" in str(caught.value)

    def test_one_that_is_no_function_is_an_error(self, install: Install) -> None:
        install("read = 1")
        with pytest.raises(ConfigurationError, match="expected a function"):
            load_reader("lines")


class TestSuffixes:
    """Which files a plug-in reads unasked."""

    def test_of_a_plugin_are_read_with_it(self, install: Install) -> None:
        install(LINES + 'read.suffixes = (".lines", ".lines.txt")')
        for name in ("a.lines", "a.lines.txt"):
            assert list_codes(FileReader().read(Path(name), "x\ny")) == ["x", "y"]
        assert FileReader().read(Path("a.txt"), "x") is None

    def test_the_longest_one_counts(self, install: Install) -> None:
        install(LINES + 'read.suffixes = (".txt",)')
        install("def read(path, text): 1 / 0\nread.suffixes = ('.a.txt',)", name="a")
        with pytest.raises(NotebookReadError, match="ZeroDivisionError"):
            FileReader().read(Path("b.a.txt"), "x")

    def test_that_are_built_in_cannot_be_taken_over(self, install: Install) -> None:
        install(LINES + 'read.suffixes = (".md", ".x.ipynb", ".lines")')
        assert find_suffixes() == (".lines",)
        assert FileReader().read(Path("a.md"), "x") is None

    def test_that_are_built_in_need_no_plugin(self, install: Install) -> None:
        install("1 / 0")
        assert list_codes(FileReader().read(Path("a.py"), "x = 1\n")) == ["x = 1"]

    @pytest.mark.parametrize("value", ["'.x'", "('x',)", "('.',)", "(1,)", "None"])
    def test_of_the_wrong_kind_are_an_error(self, install: Install, value: str) -> None:
        install(f"{LINES}\nread.suffixes = {value}")
        with pytest.raises(ConfigurationError, match="tuple of texts that begin with a dot"):
            find_suffixes()

    def test_of_readers_of_jupyter_cache_are_not_looked_for(self, install: Install) -> None:
        install("1 / 0", group="jcache.readers")
        assert find_suffixes() == ()


class TestChosen:
    """A file whose reader is said."""

    @pytest.mark.parametrize("name", ["a.txt", "a.md"])
    def test_is_read_with_it_whatever_its_suffix(self, install: Install, name: str) -> None:
        install(LINES)
        reader = FileReader({Path(name): "lines"})
        assert list_codes(reader.read(Path(name), "x\ny")) == ["x", "y"]

    def test_may_be_read_with_a_reader_of_jupyter_cache(
        self, install: Install, tmp_path: Path
    ) -> None:
        install(OF_JUPYTER_CACHE, group="jcache.readers")
        path = tmp_path / "a.txt"
        path.write_text("x\ny\n")
        assert list_codes(FileReader({path: "lines"}).read(path, "x\ny\n")) == ["x", "y"]

    def test_as_myst_needs_no_header(self) -> None:
        path = Path("a.md")
        reader = FileReader({path: "myst_nb_md"})
        assert list_codes(reader.read(path, "```{code-cell}\nx\n```\n")) == ["x"]

    def test_with_a_reader_that_is_not_installed_is_not_readable(self) -> None:
        with pytest.raises(NotebookReadError, match="reader = 'gone': expected one of"):
            FileReader({Path("a.txt"): "gone"}).read(Path("a.txt"), "x")


class TestDescription:
    """What tells who reads a file."""

    def test_changes_with_the_version_of_a_plugin(self, install: Install) -> None:
        install(LINES, version="1.0")
        reader = FileReader({Path("a.txt"): "lines"})
        found = reader.describe(Path("a.txt"))
        assert found is not None
        assert (found[0], found[-1]) == ("lines", "1.0")

    def test_is_not_known_of_a_plugin_whose_code_people_edit(
        self, install: Install, tmp_path: Path
    ) -> None:
        install(LINES)
        (about,) = tmp_path.glob("*/*.dist-info")
        origin = {"url": "file:///src", "dir_info": {"editable": True}}
        (about / "direct_url.json").write_text(json.dumps(origin))
        assert FileReader({Path("a.txt"): "lines"}).describe(Path("a.txt")) is None

    def test_is_another_one_where_another_built_in_reader_is_chosen(self) -> None:
        path = Path("a.md")
        chosen = FileReader({path: "jupytext"})
        assert (FileReader().describe(path), chosen.describe(path)) == (
            ["myst_nb_md"],
            ["jupytext"],
        )
