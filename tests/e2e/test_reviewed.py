"""Cases in which something stale was shown, or a build never came to an end."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sphinx_nbcache.model import Report
from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import write_notebook

pytestmark = pytest.mark.slow  # each test builds a site


def run(root: Path) -> Report:
    """Execute all notebooks of a project."""
    return NotebookCache(project=root).execute([root])


def list_ran(root: Path) -> set[str]:
    """Execute all notebooks of a project; return which ran."""
    report = run(root)
    assert not report.failures, report.failures
    return {outcome.name for outcome in report.outcomes if outcome.status == "ran"}


def show(root: Path, name: str) -> str:
    """Return what the only cell of a notebook printed."""
    merged = NotebookCache(project=root).merge(root / name)
    return "".join(output["text"] for output in merged["cells"][0]["outputs"])


def test_a_hit_is_looked_at_again_when_files_come_back(project_folder: Path) -> None:
    root = project_folder
    look = "import glob; print(sorted(glob.glob('results/*.csv')))"
    make = "import os; os.makedirs('results', exist_ok=True); open('results/r.csv', 'w').close()"
    write_notebook(root / "a.ipynb", look)
    write_notebook(root / "z.ipynb", make)
    run(root)
    assert show(root, "a.ipynb") == "['results/r.csv']\n"
    fresh = root.with_name("fresh")
    shutil.copytree(root, fresh, ignore=shutil.ignore_patterns("results"))
    assert list_ran(fresh) == set()
    assert show(fresh, "a.ipynb") == "['results/r.csv']\n"


def test_notebooks_of_the_same_code_that_wait_for_each_other_by_way_of_a_third_run(
    project_folder: Path,
) -> None:
    write_notebook(project_folder / "a.ipynb", "print(1)", metadata={"nbcache": {"after": ["c"]}})
    write_notebook(project_folder / "b.ipynb", "print(1)")
    write_notebook(project_folder / "c.ipynb", "print(2)", metadata={"nbcache": {"after": ["b"]}})
    assert len(run(project_folder).outcomes) == 3


def test_a_notebook_that_was_renamed_gets_its_files_back(project_folder: Path) -> None:
    root = project_folder
    write_notebook(root / "a.ipynb", "open('f.txt', 'w').write('1')")
    run(root)
    (root / "a.ipynb").rename(root / "b.ipynb")
    run(root)
    write_notebook(root / "b.ipynb", "open('f.txt', 'w').write('2')")
    run(root)
    write_notebook(root / "b.ipynb", "open('f.txt', 'w').write('1')")
    assert list_ran(root) == set()
    assert (root / "f.txt").read_text() == "1"


@pytest.mark.parametrize("place", ["outside", "inside"])
def test_a_folder_behind_a_link_that_is_written_and_listed_settles(
    project_folder: Path, place: str
) -> None:
    root = project_folder
    real = root.with_name("real") if place == "outside" else root / "real"
    real.mkdir()
    (root / "data").symlink_to(real, target_is_directory=True)
    code = "open('data/out.csv', 'w').close(); import os; print(os.listdir('data'))"
    write_notebook(root / "a.ipynb", code)
    run(root)
    run(root)
    assert list_ran(root) == set()


def test_links_that_a_notebook_makes_and_lists_settle(project_folder: Path) -> None:
    code = (
        "import os; os.makedirs('runs/run1', exist_ok=True)\n"
        "if not os.path.islink('runs/latest'): os.symlink('run1', 'runs/latest')\n"
        "print(sorted(os.listdir('runs')))"
    )
    write_notebook(project_folder / "a.ipynb", code)
    run(project_folder)
    run(project_folder)
    assert list_ran(project_folder) == set()


def test_modules_of_another_clock_of_an_archive_and_of_a_child_process_settle(
    project_folder: Path,
) -> None:
    root = project_folder
    (root / "later.py").write_text("x = 1")
    os.utime(root / "later.py", (4_000_000_000, 4_000_000_000))
    (root / "packed.py").write_text("x = 1")
    shutil.make_archive(str(root / "lib"), "zip", root, "packed.py")
    (root / "packed.py").unlink()
    write_notebook(root / "clock.ipynb", "import later")
    archive = "import sys; sys.path.insert(0, 'lib.zip'); import packed"
    write_notebook(root / "archive.ipynb", archive)
    made = "!echo 'x = 1' > made_here.py\nimport importlib; importlib.invalidate_caches()"
    write_notebook(root / "child.ipynb", made, "import made_here")
    run(root)
    run(root)
    assert list_ran(root) == set()


def test_own_files_that_match_a_declared_pattern_make_no_notebook_stale(
    project_folder: Path,
) -> None:
    root = project_folder
    (root / "data").mkdir()
    (root / "data" / "x.csv").write_text("1")
    declared = {"nbcache": {"depends": ["data/*.csv"]}}
    write_notebook(root / "a.ipynb", "open('data/own.csv', 'w').close()", metadata=declared)
    run(root)
    (root / "data" / "own.csv").unlink()
    assert list_ran(root) == set()
    assert (root / "data" / "own.csv").exists()
    (root / "data" / "x.csv").write_text("2")
    assert list_ran(root) == {"a.ipynb"}


def test_a_link_that_leads_nowhere_is_missing_as_long_as_it_does(project_folder: Path) -> None:
    root = project_folder
    (root / "link").symlink_to(root / "target")
    code = "try: print(open('link').read())\nexcept OSError: print('nothing')"
    write_notebook(root / "a.ipynb", code)
    run(root)
    assert list_ran(root) == set()
    (root / "target").write_text("there")
    assert list_ran(root) == {"a.ipynb"}
    assert show(root, "a.ipynb") == "there\n"


def test_a_file_that_a_notebook_could_not_write_stays_the_users(project_folder: Path) -> None:
    root = project_folder
    code = (
        "try: open('cfg.txt', 'x').write('default')\nexcept FileExistsError: pass\n"
        "print(open('cfg.txt').read())"
    )
    (root / "cfg.txt").write_text("v1")
    write_notebook(root / "a.ipynb", code)
    run(root)
    (root / "cfg.txt").write_text("v2")
    assert list_ran(root) == {"a.ipynb"}
    assert show(root, "a.ipynb") == "v2\n"
    assert (root / "cfg.txt").read_text() == "v2"


def test_a_notebook_whose_folder_is_gone_is_observed_all_the_same(project_folder: Path) -> None:
    root = project_folder
    code = (
        "print(open('d.txt').read())\nimport os, tempfile\n"
        "with tempfile.TemporaryDirectory() as folder: os.chdir(folder)"
    )
    (root / "d.txt").write_text("1")
    write_notebook(root / "a.ipynb", code)
    run(root)
    assert list_ran(root) == set()
    (root / "d.txt").write_text("2")
    assert list_ran(root) == {"a.ipynb"}
