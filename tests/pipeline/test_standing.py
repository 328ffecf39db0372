"""How notebooks stand: a look that names the reasons, and neither runs nor writes anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sphinx_nbcache.errors import NotebookNotFoundError
from sphinx_nbcache.pipeline import NotebookCache, Standing, State
from sphinx_nbcache.testing import markdown_cell, write_notebook
from tests.e2e.build import run_build, write_site
from tests.e2e.build import write_notebook as write_page


def explain(folder: Path, *names: str | Path) -> dict[str, Standing]:
    """Return the notebooks of a project by name."""
    standings = NotebookCache(project=folder).explain([folder / n for n in names] or None)
    return {standing.name: standing for standing in standings}


def execute(folder: Path) -> None:
    NotebookCache(project=folder).execute([folder])


def take_picture(folder: Path) -> dict[str, tuple[int, int]]:
    """Return all files below a folder, with what changes when one is written."""
    found = ((path, path.stat()) for path in folder.rglob("*"))
    return {str(path): (stat.st_mtime_ns, stat.st_ino) for path, stat in found}


def test_a_new_notebook_was_never_run_and_a_look_makes_no_cache(project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "1")
    (item,) = explain(project_folder).values()
    assert (item.name, item.state, item.would_run) == ("a.ipynb", State.STALE, True)
    assert (item.reason, item.expected_seconds, item.executed_at) == ("never run", None, None)
    assert not (project_folder / ".nbcache").exists()


def test_a_changed_cell_is_shown_with_its_lines_and_the_seconds_to_expect(
    project_folder: Path,
) -> None:
    path = write_notebook(project_folder / "a.ipynb", "x = 1", "x + 1\nprint(x)")
    execute(project_folder)
    before = take_picture(project_folder)
    (fresh,) = explain(project_folder).values()
    assert (fresh.state, fresh.reason) == (State.FRESH, "outputs in the cache")
    assert take_picture(project_folder) == before
    write_notebook(path, "x = 1", "x + 2\nprint(x)")
    (stale,) = explain(project_folder).values()
    assert stale.reason == "cell 2 changed"
    ((text, diff),) = stale.differences
    assert text == "cell 2 changed"
    assert "-x + 1\n+x + 2" in diff
    assert stale.expected_seconds == stale.seconds == fresh.seconds
    assert stale.executed_at == fresh.executed_at


def test_what_was_read_and_is_different_now_is_named(project_folder: Path) -> None:
    (project_folder / "x.csv").write_text("1")
    (project_folder / "plot").mkdir()
    (project_folder / "plot" / "__init__.py").write_text("import plot.axes")
    (project_folder / "plot" / "axes.py").write_text("a = 1")
    write_notebook(project_folder / "a.ipynb", "import plot; open('x.csv').read()")
    execute(project_folder)
    (project_folder / "x.csv").write_text("2")
    (project_folder / "plot" / "axes.py").write_text("a = 2")
    (item,) = explain(project_folder).values()
    modules = "plot/axes.py changed (imported by plot/__init__.py)"
    assert set(item.changes) == {"x.csv changed", modules}


def test_a_failure_is_said_also_when_something_else_has_changed(project_folder: Path) -> None:
    data = project_folder / "x.txt"
    data.write_text("1")
    write_notebook(project_folder / "a.ipynb", "1 / int(open('x.txt').read())")
    execute(project_folder)
    data.write_text("0")
    execute(project_folder)
    (item,) = explain(project_folder).values()
    assert (item.state, item.would_run) == (State.FAILED, True)
    assert item.changes[0] == "x.txt changed"
    assert item.changes[1].startswith("failed last time: ZeroDivisionError in cell 1")
    data.write_text("1")
    (item,) = explain(project_folder).values()
    assert item.state is State.FRESH


def test_what_runs_in_every_build_or_in_none_says_why(project_folder: Path) -> None:
    marks: dict[str, dict[str, object]] = {
        "never": {"mystnb": {"execution_mode": "off"}},
        "always": {"nbcache": {"cache": False}},
        "forced": {"mystnb": {"execution_mode": "force"}},
        "slip": {"nbcache": {"exclusiv": True}},
    }
    for name, metadata in marks.items():
        write_notebook(project_folder / f"{name}.ipynb", "1", metadata=metadata)
    write_notebook(project_folder / "text.ipynb", markdown_cell("no code"))
    (project_folder / "broken.ipynb").write_text("{")
    found = explain(project_folder)
    assert {name.removesuffix(".ipynb"): str(item.state) for name, item in found.items()} == {
        "never": "skipped", "always": "stale", "forced": "stale",
        "slip": "stale", "text": "fresh", "broken": "failed",
    }  # fmt: skip
    assert found["never.ipynb"].skip_reason == "execution mode off"
    assert found["always.ipynb"].reason == "runs in every build: cache: false in its metadata"
    assert found["forced.ipynb"].reason == "runs in every build: execution mode force"
    assert "did you mean 'exclusive'?" in found["slip.ipynb"].problems[0]
    assert found["broken.ipynb"].reason.startswith("cannot be read as a notebook: ")
    assert not found["broken.ipynb"].would_run


def test_outputs_that_are_too_old_say_so(project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "1", metadata={"nbcache": {"max_age": "0.001s"}})
    execute(project_folder)
    (item,) = explain(project_folder).values()
    assert item.reason == "older than its max_age of 0.001s"


class TestFreshClone:
    """A cache that is full, in a project without what its notebooks wrote."""

    @pytest.fixture
    def clone(self, project_folder: Path, tmp_path: Path) -> Path:
        """Return a copy of a project, without artifacts and without an index."""
        write_notebook(project_folder / "a_write.ipynb", """
            from pathlib import Path
            Path('made').mkdir(exist_ok=True)
            for name in 'xy': Path('made', name).write_text(name)
        """.replace("\n            ", "\n").strip())  # fmt: skip
        write_notebook(project_folder / "b_read.ipynb", "open('made/x').read()")
        write_notebook(project_folder / "c_list.ipynb", "import os; sorted(os.listdir('made'))")
        metadata = {"nbcache": {"depends": ["**/y"], "after": "a_write"}}
        write_notebook(project_folder / "d_depend.ipynb", "1", metadata=metadata)
        execute(project_folder)
        ignore = shutil.ignore_patterns("made", "index.sqlite*")
        return Path(shutil.copytree(project_folder, tmp_path / "clone", ignore=ignore))

    def test_what_would_be_put_back_counts_as_there(self, clone: Path) -> None:
        found = explain(clone)
        assert {name: item.reason for name, item in found.items()} == dict.fromkeys(
            ["a_write.ipynb", "b_read.ipynb", "c_list.ipynb", "d_depend.ipynb"],
            "outputs in the cache",
        )
        assert not (clone / "made").exists()

    def test_what_the_user_has_put_there_counts_as_it_is(self, clone: Path) -> None:
        (clone / "made").mkdir()
        (clone / "made" / "x").write_text("the user's own")
        found = explain(clone)
        assert found["b_read.ipynb"].reason == "made/x changed"
        assert found["a_write.ipynb"].is_fresh


CONF = """
nb_execution_allow_errors = True
nb_kernel_rgx_aliases = {"other": "python3"}
nbcache_depends = ["common.dat"]
nbcache_env = ["SOME_VARIABLE_OF_OURS"]
nb_custom_formats = {
    ".txt": ["conf_reader.read", {}],
    ".py": ["jupytext.reads", {"fmt": "py:percent"}],
}
source_suffix = {".md": "myst-nb", ".txt": "myst-nb", ".py": "myst-nb"}
exclude_patterns = ["conf*.py"]
import sys; sys.path.insert(0, ".")
"""
READER = """
import nbformat
def read(text):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a project whose documentation is built."""
    root = tmp_path_factory.mktemp("built") / "project"
    source = write_site(root, {"raises": ("1 / 0",), "fine": ("2",)}, CONF)
    (root / "conf_reader.py").write_text(READER)
    (source / "common.dat").write_text("1")
    (source / "odd.txt").write_text("only conf.py knows this format")
    (source / "script.py").write_text("# %% [markdown]\n# # Script\n# %%\n3\n")
    write_page(source / "deep" / "page.md", "4")
    text = (source / "fine.md").read_text().replace("name: python3", "name: other")
    (source / "fine.md").write_text(text)
    result = run_build(source)
    assert result.totals["ran"] == 5, result.stderr
    return root


class TestDocumentation:
    """What a ``sphinx-build`` leaves for those who do not read ``conf.py``."""

    @pytest.fixture
    def root(self, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return a copy of it, which is the current folder."""
        root = Path(shutil.copytree(built, tmp_path / "copy"))
        monkeypatch.chdir(root)
        return root

    def test_all_pages_are_known_by_name_and_fresh_with_the_options_of_conf_py(
        self, root: Path
    ) -> None:
        standings = NotebookCache().explain()
        states = {standing.name: str(standing.state) for standing in standings}
        fresh = dict.fromkeys(["deep/page", "fine", "raises", "script"], "fresh")
        assert states == {**fresh, "odd": "failed"}
        (odd,) = (item for item in standings if item.name == "odd")
        assert "known to conf.py alone (nb_custom_formats)" in odd.reason

    def test_executing_finds_what_sphinx_build_has_made(self, root: Path) -> None:
        cache = NotebookCache()
        report = cache.execute(["docs", "docs/script.py"])
        assert {o.name: str(o.status) for o in report.outcomes} == dict.fromkeys(
            ["docs/deep/page.md", "docs/fine.md", "docs/raises.md", "docs/script.py"], "hit"
        )
        assert cache.find("docs/raises.md") is not None
        assert cache.merge("docs/fine.md").cells[-1].outputs

    def test_names_may_be_pages_files_and_folders(self, root: Path) -> None:
        write_page(root / "docs" / "deep" / "new.md", "5")
        (root / "docs" / "fine.md").unlink()
        cache = NotebookCache()

        def find(*names: str) -> list[str]:
            return [standing.name for standing in cache.explain(names)]

        assert find("deep/page") == find("docs/deep/page.md") == ["deep/page"]
        assert find("docs/deep") == ["deep/page", "docs/deep/new.md"]
        for gone in ("fine", "docs/fine.md", "nowhere"):
            with pytest.raises(NotebookNotFoundError, match=f"{gone}: no page of the docu"):
                find(gone)

    def test_what_conf_py_declares_makes_pages_stale(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / "docs" / "common.dat").write_text("2")
        monkeypatch.setenv("SOME_VARIABLE_OF_OURS", "1")
        (item,) = NotebookCache().explain(["raises"])
        changed = "the environment variable SOME_VARIABLE_OF_OURS changed"
        assert set(item.changes) == {"docs/common.dat changed", changed}
        monkeypatch.setenv("NBCACHE_ENV", "ANOTHER_ONE")
        (item,) = NotebookCache().explain(["raises"])
        assert set(item.changes) == {"docs/common.dat changed", "ANOTHER_ONE is declared now"}

    def test_builds_that_find_nothing_new_leave_the_cache_alone(self, root: Path) -> None:
        builds = {"out": "html", "other": "latex"}
        for out, builder in builds.items():
            run_build(root / "docs", out=out, builder=builder)
        before = take_picture(root / ".nbcache")
        for out, builder in builds.items():
            run_build(root / "docs", out=out, builder=builder)
        assert take_picture(root / ".nbcache") == before

    def test_folders_that_builds_make_hold_no_notebooks(self, root: Path) -> None:
        (root / "out" / "copy.ipynb").write_text("{}")
        (root / "copy.ipynb").write_text("{}")
        names = [standing.name for standing in NotebookCache().explain(["."])]
        assert "copy.ipynb" in names
        assert "out/copy.ipynb" not in names

    def test_metadata_counts_as_it_is_now_not_as_it_was_then(self, root: Path) -> None:
        path = root / "docs" / "raises.md"
        text = path.read_text()
        path.write_text(text.replace("kernelspec:", "mystnb: {execution_mode: 'off'}\nkernelspec:"))
        (item,) = NotebookCache().explain(["raises"])
        assert item.skip_reason == "execution mode off"
        assert not run_build(root / "docs").totals["ran"]
        path.write_text(text)
        (item,) = NotebookCache().explain(["raises"])
        assert item.is_fresh


def test_the_json_form_has_the_names_that_the_documentation_promises(project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "1")
    (item,) = explain(project_folder).values()
    value = json.loads(json.dumps(item.to_json(project_folder)))
    page = Path(__file__).parents[2] / "docs" / "guide" / "command-line.md"
    text = page.read_text(encoding="utf-8")
    assert [name for name in value if f"`{name}`" not in text] == []
    assert (value["path"], value["state"], value["changes"]) == ("a.ipynb", "stale", ["never run"])
