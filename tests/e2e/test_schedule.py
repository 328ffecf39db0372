"""What notebooks demand of the schedule, in real builds: they tell themselves when they ran."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sphinx_nbcache.testing import markdown_cell, write_notebook
from tests.e2e.build import run_build, write_site

pytestmark = pytest.mark.slow  # each test builds a site, most of them several times

TELL = """\
import time
from pathlib import Path

start = time.monotonic()
{body}
with open("../../times", "a") as file:
    print({name!r}, start, time.monotonic(), file=file)"""
MEET = """\
Path("../../{name}").touch()
end = time.monotonic() + 60
while not Path("../../{other}").exists() and time.monotonic() < end:
    time.sleep(0.01)"""
NAP = "time.sleep(0.3)"


class Span(NamedTuple):
    """When a notebook ran."""

    start: float
    end: float

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


def add_page(site: Path, name: str, *cells: str, suffix: str = ".md", **demands: Any) -> None:
    """Write a notebook with demands."""
    path = site / f"{name}{suffix}"
    write_notebook(path, markdown_cell(f"# {name}"), *cells, metadata={"nbcache": demands})


def make_site(tmp_path: Path, *names: str, conf: str = "") -> Path:
    """Write a site whose pages are still to be added."""
    site = write_site(tmp_path / "project", {}, f"nbcache_jobs = 4\n{conf}")
    listed = "\n".join(names)
    (site / "index.md").write_text(f"# Site\n\n```{{toctree}}\n{listed}\n```\n")
    return site


def read_times(site: Path) -> dict[str, Span]:
    """Return when each notebook ran."""
    lines = (site.parents[1] / "times").read_text().splitlines()
    return {name: Span(float(start), float(end)) for name, start, end in map(str.split, lines)}


def test_exclusive_and_resources_are_kept_while_others_run_at_once(tmp_path: Path) -> None:
    site = make_site(tmp_path, "one", "two", "alone", "gpu1", "gpu2", "gpu3")
    for name, other in (("one", "two"), ("two", "one")):  # each ends when the other has begun
        add_page(site, name, TELL.format(name=name, body=MEET.format(name=name, other=other)))
    add_page(site, "alone", TELL.format(name="alone", body=NAP), exclusive=True)
    for name in ("gpu1", "gpu2", "gpu3"):
        add_page(site, name, TELL.format(name=name, body=NAP), resource="gpu")
    result = run_build(site, "-W")
    assert result.status == 0, result.stderr
    times = read_times(site)
    assert times["one"].overlaps(times["two"])
    alone = times.pop("alone")
    assert not any(alone.overlaps(span) for span in times.values())
    gpu = sorted(span for name, span in times.items() if name.startswith("gpu"))
    assert all(not first.overlaps(second) for first, second in pairwise(gpu))


def test_a_resource_with_room_for_two_is_held_by_two(tmp_path: Path) -> None:
    site = make_site(tmp_path, "one", "two", conf='nbcache_resources = {"licence": 2}')
    for name, other in (("one", "two"), ("two", "one")):
        code = TELL.format(name=name, body=MEET.format(name=name, other=other))
        add_page(site, name, code, resource=["licence"])
    assert run_build(site, "-W").status == 0
    times = read_times(site)
    assert times["one"].overlaps(times["two"])


FLAKY = "from pathlib import Path\ntried = Path('../../tried')\nif not tried.exists():\n" \
        "    tried.touch()\n    raise OSError('no answer')\nprint('it answered')"  # fmt: skip


def test_a_page_that_passes_when_it_is_tried_again_is_clean(tmp_path: Path) -> None:
    site = make_site(tmp_path, "flaky", "good", conf="nbcache_retries = 1")
    add_page(site, "flaky", FLAKY)
    add_page(site, "good", "1")
    index = site / "index.md"
    index.write_text(
        index.read_text() + "\n```{nbcache-report}\n:columns: page attempts error\n```"
    )
    result = run_build(site, "-W")
    assert result.status == 0, result.stderr
    first = "OSError in cell 1, line 5: no answer"
    assert f"(attempt 2; the first failed: {first})" in result.stdout
    assert "nbcache: 2 notebooks: 0 hits, 2 ran (1 after a retry) in " in result.stdout
    assert "it answered" in result.read("flaky")
    assert "Traceback" not in result.read("flaky")
    assert "first attempt: OSError: no answer (cell 1, line 5)" in result.read("index")
    assert result.totals["retried"] == 1
    page, good = result.find("flaky"), result.find("good")
    assert (page["status"], page["attempts"], page["error"]) == ("ran", 2, None)
    assert (page["first_error"]["name"], page["first_error"]["line"]) == ("OSError", 5)
    assert (good["attempts"], good["first_error"]) == (1, None)

    again = run_build(site, "-W")
    page = again.find("flaky")
    assert (page["status"], page["attempts"], page["first_error"]) == ("hit", 1, None)


def test_a_page_that_fails_each_time_says_why_at_first_and_at_last(tmp_path: Path) -> None:
    site = make_site(tmp_path, "bad", conf="nbcache_retries = 2")
    add_page(site, "bad", "import os\n1 / 0")
    result = run_build(site)
    assert result.status == 1
    assert result.stderr.count("ZeroDivisionError in cell 1, line 2") == 1
    page = result.find("bad")
    assert (page["attempts"], page["error"]["name"]) == (3, "ZeroDivisionError")
    assert page["first_error"] == page["error"]


@pytest.mark.parametrize(
    ("conf", "demands"),
    [("nbcache_notebook_timeout = 1.5", {}), ("", {"timeout": 1.5})],
    ids=["by configuration", "by metadata"],
)
def test_a_page_whose_cells_take_too_long_together(
    tmp_path: Path, conf: str, demands: dict[str, Any]
) -> None:
    site = make_site(tmp_path, "slow", "good", conf=conf)
    add_page(site, "slow", "print('begun', flush=True)", "while True:\n    pass", "3", **demands)
    add_page(site, "good", "1")
    result = run_build(site)
    assert result.status == 1
    assert "NotebookTimeoutError in cell 2: the notebook took longer than 1.5 s" in result.stderr
    assert "nbcache_notebook_timeout" in result.stderr
    assert "Task was destroyed" not in result.stderr
    slow = result.find("slow")
    assert slow["status"] == "timed_out"
    assert [cell["status"] for cell in slow["cells"]] == ["ok", "timed_out", "not_run"]
    assert "begun" in result.read("slow")
    assert result.find("good")["status"] == "ran"


@pytest.mark.parametrize("suffix", [".md", ".ipynb"])
def test_demands_show_nowhere_on_the_page_and_give_no_warning(tmp_path: Path, suffix: str) -> None:
    site = make_site(tmp_path, "page", "plain")
    demands = {"fresh": True, "exclusive": True, "resource": ["gpu", "licence"], "timeout": 600}
    add_page(site, "page", "1", suffix=suffix, **demands)
    path = site / f"plain{suffix}"
    write_notebook(path, markdown_cell("# page"), "1")
    result = run_build(site, "-W", "-D", "html_copy_source=0")
    assert result.status == 0, result.stderr
    body = result.read("page").partition('role="main"')[2].partition("sphinxsidebar")[0]
    assert body == result.read("plain").partition('role="main"')[2].partition("sphinxsidebar")[0]
    assert "licence" not in result.read("page")


def test_demands_that_are_wrong_are_told_at_their_page_in_each_build_that_plans_it(
    tmp_path: Path,
) -> None:
    site = make_site(tmp_path, "page")
    add_page(site, "page", "1", exclusiv=True, timeout="long")
    for options in ((), ("-E",), ("-E", "-D", "nbcache_frozen=1")):
        result = run_build(site, *options)
        assert result.status == 0
        lines = [line for line in result.stderr.splitlines() if "[nbcache.metadata]" in line]
        assert [line.partition("WARNING: ")[0] for line in lines] == [f"{site / 'page.md'}: "] * 2
        assert "unknown key 'exclusiv' (did you mean 'exclusive'?)" in lines[0]
        assert "timeout = 'long': expected a number of seconds above 0" in lines[1]
    quiet = run_build(site, "-E", "-W", "-D", "suppress_warnings=nbcache.metadata")
    assert quiet.status == 0, quiet.stderr


CHANGE = """
def change(app, docname, source):
    source[0] = source[0].replace("SEEN", "CHANGED")

def setup(app):
    app.connect("source-read", change)
"""


@pytest.mark.parametrize("options", [(), ("-j", "2")], ids=["serial", "parallel"])
def test_demands_that_are_wrong_are_told_once_though_the_page_is_planned_twice(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Another extension changes its text while it is read, so that it is run then."""
    names = [f"page{number}" for number in range(6)]
    site = make_site(tmp_path, *names, conf=CHANGE)
    for name in names:
        add_page(site, name, f"print('SEEN', {name!r})", colour="red")
    result = run_build(site, *options)
    assert "CHANGED page0" in result.read("page0")
    assert result.stderr.count("unknown key 'colour'") == len(names)
