"""From MyST-NB with jupyter-cache to here: what it has executed shows, and no kernel starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache

from sphinx_nbcache.testing import write_notebook as write_ipynb
from tests.e2e.build import Result, run_build, run_stock, write_notebook, write_site
from tests.store.old_caches import take_picture

pytestmark = pytest.mark.slow  # each test builds a site with both tools

FROZEN = ("-D", "nbcache_frozen=1")
PAGES = {
    "one": ("import os, sys\nprint('first', len(os.urandom(4).hex()), os.urandom(8).hex())",),
    "deep/two": (
        ":tags: [hide-input]\n\nimport uuid\nuuid.uuid4()",
        ":tags: [raises-exception]\n\n1 / 0",
    ),
}


def make_site(root: Path) -> Path:
    """Write a site whose pages show something else each time they run."""
    source = write_site(root / "project", PAGES)
    index = source / "index.md"
    index.write_text(index.read_text().replace("one\n", "one\nthree\n"))
    write_ipynb(source / "three.ipynb", "import secrets\nprint('third', secrets.token_hex(8))")
    return source


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give the site as it is written."""
    return make_site(tmp_path)


@pytest.fixture(scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = make_site(tmp_path_factory.mktemp("stock"))
    build_stock(site)
    return site.parent


@pytest.fixture
def old_site(_built: Path, tmp_path: Path) -> Path:
    """Give the site in another folder than the one in which MyST-NB has executed it."""
    return Path(shutil.copytree(_built, tmp_path / "moved")) / "docs"


def build_stock(site: Path) -> None:
    """Build with MyST-NB alone, which fills a jupyter-cache."""
    conf = site / "conf.py"
    text = conf.read_text()
    stock = text.replace('["sphinx_nbcache"]', '["myst_nb"]')
    conf.write_text(f'{stock}\nnb_execution_mode = "cache"\n')
    result = run_stock(site)
    conf.write_text(text)
    assert result.status == 0, result.stderr
    shutil.rmtree(site.parent / "out")


def find_lines(result: Result) -> list[str]:
    """Return what a build says of a jupyter-cache."""
    return [line for line in result.stdout.splitlines() if "nbcache: jupyter-cache" in line]


def find_secrets(site: Path) -> set[str]:
    """Return the random texts of the outputs in a jupyter-cache."""
    found = set()
    for path in site.parent.glob("**/executed/*/base.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            for output in cell.outputs:
                text = output.get("text") or output.get("data", {}).get("text/plain", "")
                found |= {word.strip("()'") for word in text.split() if len(word) >= 16}
    assert len(found) >= 3
    return found


def read_all(result: Result) -> str:
    return "".join(result.read(name) for name in ("one", "deep/two", "three"))


def test_a_build_takes_over_what_mystnb_has_executed_once_and_says_so(old_site: Path) -> None:
    folder = old_site.parent / ".jupyter_cache"
    before = take_picture(folder)
    ours = run_build(old_site, *FROZEN)
    assert ours.status == 0, ours.stderr
    assert (ours.totals["hits"], ours.totals["ran"]) == (3, 0)
    assert find_lines(ours) == [
        "nbcache: jupyter-cache at .jupyter_cache: outputs of 3 notebooks taken over"
    ]
    page = read_all(ours)
    assert all(secret in page for secret in find_secrets(old_site))
    assert "ZeroDivisionError" in page
    assert ours.find("one")["notes"] == ["imported"]
    assert ours.find("one")["seconds"] > 0
    assert take_picture(folder) == before
    again = run_build(old_site, "-E", *FROZEN)
    assert (again.totals["hits"], find_lines(again)) == (3, [])


def test_pages_are_the_same_as_those_of_mystnb(site: Path) -> None:
    conf = site / "conf.py"
    text = conf.read_text()
    conf.write_text(text.replace('["sphinx_nbcache"]', '["myst_nb"]\nnb_execution_mode = "cache"'))
    stock = run_build(site, out="stock")
    conf.write_text(text)
    ours = run_build(site, out="ours")
    assert ours.totals["hits"] == 3
    for name in ("one", "deep/two", "three"):
        assert ours.read(name) == stock.read(name)


def test_where_nothing_fits_it_is_said_once(old_site: Path) -> None:
    for name in PAGES:
        write_notebook(old_site / f"{name}.md", "'other code'")
    write_ipynb(old_site / "three.ipynb", "'other code'")
    first = run_build(old_site, *FROZEN)
    assert first.status == 1
    (line,) = find_lines(first)
    assert line.endswith("nothing taken over; records left behind: 3 of code that has changed")
    assert find_lines(run_build(old_site, "-E", *FROZEN)) == []


def test_a_damaged_jupyter_cache_is_no_obstacle(old_site: Path) -> None:
    (old_site.parent / ".jupyter_cache/global.db").write_bytes(b"damaged" * 999)
    result = run_build(old_site)
    assert (result.status, result.totals["ran"]) == (0, 3)
    (line,) = find_lines(result)
    assert "not taken over: cache" in line
    assert "its global.db cannot be read" in line


def test_without_execution_nothing_is_taken_over(old_site: Path) -> None:
    result = run_build(old_site, "-D", "nb_execution_mode=off")
    assert find_lines(result) == []
    assert not (old_site.parent / ".nbcache").exists()


@pytest.mark.parametrize("name", ["nb_execution_cache_path", "jupyter_cache"])
def test_the_folder_that_mystnb_is_told_of_holds_both_caches(site: Path, name: str) -> None:
    conf = site / "conf.py"
    conf.write_text(f'{conf.read_text()}\n{name} = "kept/cache"\n')
    build_stock(site)
    folder = site.parent / "kept" / "cache"  # from the current folder, as MyST-NB has it
    before = take_picture(folder)
    ours = run_build(site, *FROZEN)
    assert ours.totals["hits"] == 3
    assert "at kept/cache: outputs of 3 notebooks taken over" in find_lines(ours)[0]
    assert (folder / "entries").is_dir()
    assert not (site.parent / ".nbcache").exists()
    after = take_picture(folder)
    assert {path: after[path] for path in before} == before
    assert find_lines(run_build(site, "-E", *FROZEN)) == []


def test_our_own_names_for_the_folder_come_first(site: Path) -> None:
    conf = site / "conf.py"
    conf.write_text(f'{conf.read_text()}\nnb_execution_cache_path = "theirs"\n')
    run_build(site, "-D", "nbcache_path=ours")
    assert (site / "ours" / "entries").is_dir()
    there = site.parent / "variable"
    run_build(site, "-E", variables={"NBCACHE_PATH": str(there)})
    assert (there / "entries").is_dir()
    assert not (site.parent / "theirs").exists()


def test_the_other_deprecated_names_of_mystnb_count(tmp_path: Path) -> None:
    conf = (
        "execution_allow_errors = True\nexecution_in_temp = True\n"
        'execution_excludepatterns = ["two.md"]\nexecution_timeout = 77\n'
        'jupyter_execute_notebooks = "force"\n'
    )
    pages = {"one": ("import os\nprint(os.getcwd())", "1 / 0", "'after it'"), "two": ("2",)}
    site = write_site(tmp_path / "project", pages, conf)
    result = run_build(site)
    assert result.status == 0, result.stderr
    assert result.find("two")["status"] == "skipped"
    assert result.find("one")["reason"] == "execution mode force"
    assert "after it" in result.read("one")
    assert str(site) not in result.read("one")


def test_files_of_an_old_run_are_put_back(old_site: Path) -> None:
    folder = old_site.parent / ".jupyter_cache"
    cache = get_cache(folder)
    (record,) = [record for record in cache.list_cache_records() if "three" in record.uri]
    executed = old_site / "three-executed.ipynb"
    nbformat.write(cache.get_cache_bundle(record.pk).nb, executed)
    figure = old_site / "figures" / "three.svg"
    figure.parent.mkdir()
    figure.write_text("<svg/>")
    cache.cache_notebook_file(
        str(executed), str(old_site / "three.ipynb"), artifacts=[str(figure)], overwrite=True
    )
    cache.db.dispose()
    executed.unlink()
    shutil.rmtree(figure.parent)
    ours = run_build(old_site, *FROZEN)
    assert ours.find("three")["artifacts"] == ["docs/figures/three.svg"]
    assert figure.read_text() == "<svg/>"


def test_a_cache_that_cannot_be_written_is_said_and_the_build_goes_on(old_site: Path) -> None:
    (old_site.parent / ".nbcache").write_text("in the way")
    result = run_build(old_site, *FROZEN)
    assert (result.status, result.totals["failed"]) == (1, 3)
    assert "not taken over: cache" in find_lines(result)[0]
