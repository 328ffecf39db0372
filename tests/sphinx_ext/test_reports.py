"""The report tables, ``report.json`` and the closing line, on real pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sphinx_nbcache.model import Outcome, Report, Status
from sphinx_nbcache.sphinx_ext.report_file import close, format_seconds
from tests.e2e.build import Result, run_build, write_notebook, write_site

pytestmark = pytest.mark.slow  # each test builds a site

REPORT_PAGE = """\
# Report

```{{nbcache-report}}
{options}
```
"""


def write_report_page(site: Path, options: str = "", name: str = "report") -> None:
    """Add a page with the report directive to a site."""
    (site / f"{name}.md").write_text(REPORT_PAGE.format(options=options))
    index = site / "index.md"
    index.write_text(index.read_text().replace("{toctree}\n", f"{{toctree}}\n{name}\n"))


def read_rows(result: Result, docname: str) -> list[list[str]]:
    """Return the texts of a page's first table, head first."""
    table = result.read(docname).split("<table", 1)[1].split("</table>", 1)[0]
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    return [
        [
            re.sub(r"<[^>]+>", "", cell).strip()
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give a site with a good, a slow and a failing notebook."""
    pages = {
        "good": ("1 + 1", ":tags: [skip-execution]\n\n1 / 0"),
        "ch/slow": ("import time\ntime.sleep(0.6)", "2"),
        "bad": ("1", "nope", "3"),
    }
    return write_site(tmp_path / "project", pages)


def test_table_links_pages_and_names_status_slowest_cell_and_error(site: Path) -> None:
    write_report_page(site)
    result = run_build(site)
    head, *rows = read_rows(result, "report")
    assert head == ["Page", "Status", "When", "Seconds", "Cells", "Slowest cell", "Error"]
    by_page = {row[0]: row for row in rows}
    assert list(by_page) == ["bad", "ch/slow", "good"]
    assert by_page["bad"][1] == "failed"
    assert by_page["bad"][6] == "NameError: name 'nope' is not defined (cell 2, line 1)"
    assert by_page["ch/slow"][1] == "ran"
    slowest = re.fullmatch(r"1 \((\d+\.\d+) s\)", by_page["ch/slow"][5])
    assert slowest is not None
    assert float(slowest[1]) >= 0.6
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", by_page["good"][2])
    assert 'href="ch/slow.html"' in result.read("report")


def test_columns_order_and_pages_can_be_chosen(site: Path) -> None:
    write_report_page(site, ":columns: page, seconds\n:sort: -seconds\n:filter: ch/* good")
    head, *rows = read_rows(run_build(site), "report")
    assert head == ["Page", "Seconds"]
    assert [row[0] for row in rows] == ["ch/slow", "good"]


def test_unknown_column_is_an_error_that_lists_the_known(site: Path) -> None:
    write_report_page(site, ":columns: page colour")
    result = run_build(site)
    assert "unknown column 'colour'; there are: page, status, when" in result.stderr


def test_table_follows_when_another_page_changes_and_only_then(site: Path) -> None:
    write_report_page(site)
    run_build(site)
    write_notebook(site / "good.md", "1 + 2")
    result = run_build(site)
    statuses = {row[0]: row[1] for row in read_rows(result, "report")[1:]}
    assert statuses == {"bad": "failed", "ch/slow": "hit", "good": "ran"}
    assert result.pages_read == ["good"]
    page = result.outdir / "report.html"
    before = page.stat().st_mtime_ns
    run_build(site)
    assert page.stat().st_mtime_ns == before


def test_tables_are_right_when_pages_are_read_in_parallel(site: Path) -> None:
    write_report_page(site)
    result = run_build(site, "-j", "4")
    statuses = {row[0]: row[1] for row in read_rows(result, "report")[1:]}
    assert statuses == {"bad": "failed", "ch/slow": "ran", "good": "ran"}


def test_cells_of_the_own_and_of_another_page(site: Path) -> None:
    slow = site / "ch/slow.md"
    slow.write_text(
        slow.read_text() + "\n```{nbcache-cells}\n```\n\n```{nbcache-cells} /good\n```\n"
    )
    result = run_build(site)
    head, first, second = read_rows(result, "ch/slow")
    assert head == ["Cell", "Status", "Started", "Seconds", "Share"]
    assert (first[0], first[1]) == ("1", "ok")
    assert float(first[3]) >= 0.6
    assert second[0] == "2"
    assert "skipped" in result.read("ch/slow")


def test_mystnb_exec_table_still_works(site: Path) -> None:
    (site / "table.md").write_text("# Table\n\n```{nb-exec-table}\n```\n")
    result = run_build(site)
    rows = {row[0]: row for row in read_rows(result, "table")[1:]}
    assert rows.keys() == {"bad", "ch/slow", "good"}
    assert (rows["good"][2], rows["good"][4]) == ("cache", "✅")
    assert rows["bad"][4] == "❌"


def test_report_file_is_left_alone_when_nothing_has_changed(site: Path) -> None:
    write_notebook(site / "bad.md", "'mended'")
    for _ in range(2):
        path = run_build(site).outdir / "_nbcache/report.json"
    before = path.stat()
    again = run_build(site)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert "nbcache: 3 notebooks: 3 hits" in again.stdout
    path.write_text(path.read_text()[:50])
    assert len(run_build(site).report["notebooks"]) == 3


def test_report_file_has_the_documented_form(site: Path) -> None:
    report = run_build(site).report
    assert report["format"] == 1
    assert report["totals"].keys() == {
        "notebooks", "hits", "ran", "retried", "failed", "skipped", "seconds", "saved_seconds",
    }  # fmt: skip
    bad = report["notebooks"][0]
    assert bad.keys() == {
        "docname", "path", "status", "reason", "key", "seconds", "kernel", "cells", "error",
        "attempts", "first_error", "changes", "notes", "artifacts", "phases",
    }  # fmt: skip
    assert (bad["docname"], bad["path"], bad["status"]) == ("bad", "docs/bad.md", "failed")
    assert [(cell["index"], cell["status"]) for cell in bad["cells"]] == [
        (1, "ok"), (2, "error"), (3, "not_run"),
    ]  # fmt: skip
    assert bad["error"].keys() == {"cell", "line", "name", "message", "traceback"}
    good = report["notebooks"][2]
    assert good["error"] is None
    assert [cell["status"] for cell in good["cells"]] == ["ok", "skipped"]


def test_report_of_a_build_that_reads_nothing_is_complete(site: Path) -> None:
    run_build(site)
    result = run_build(site)
    assert [(n["docname"], n["status"]) for n in result.report["notebooks"]] == [
        ("bad", "failed"), ("ch/slow", "hit"), ("good", "hit"),
    ]  # fmt: skip
    assert result.totals["saved_seconds"] > 1
    assert json.dumps(result.report)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5.12, "5.1 s"), (252, "4 min 12 s"), (7380, "2 h 3 min"), (59.99, "1 min 0 s")],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_closing_line_counts_and_tells_what_was_saved() -> None:
    def make(number: int, status: Status, seconds: float) -> Outcome:
        path = Path(f"{number}.md")
        return Outcome(name=str(number), path=path, status=status, reason="", seconds=seconds)

    outcomes = [make(n, Status.HIT, 7) for n in range(36)]
    outcomes += [make(n, Status.RAN, 2) for n in range(36, 39)]
    outcomes.append(make(39, Status.TIMED_OUT, 30))
    assert close(Report(tuple(outcomes), 5.1).totals) == (
        "nbcache: 40 notebooks: 36 hits, 3 ran in 5.1 s, 1 failed; saved 4 min 12 s"
    )


def test_closing_line_tells_what_ran_after_a_retry() -> None:
    outcomes = [
        Outcome(
            name=str(attempts),
            path=Path("a.md"),
            status=status,
            reason="",
            seconds=1.0,
            attempts=attempts,
        )
        for status in (Status.RAN, Status.FAILED)
        for attempts in (1, 2, 3)
    ]
    assert close(Report(tuple(outcomes), 5.1).totals) == (
        "nbcache: 6 notebooks: 0 hits, 3 ran (2 after a retry) in 5.1 s, 3 failed"
    )


def test_cells_of_a_page_that_is_no_notebook_give_a_warning(site: Path) -> None:
    index = site / "index.md"
    index.write_text(index.read_text() + "\n```{nbcache-cells} nowhere\n```\n")
    result = run_build(site)
    assert "nbcache-cells: nowhere is not a notebook [nbcache.directive]" in result.stderr


def test_closing_line_of_one_notebook_has_no_plural() -> None:
    outcome = Outcome(name="a", path=Path("a.md"), status=Status.HIT, reason="", seconds=0.5)
    assert close(Report((outcome,)).totals) == "nbcache: 1 notebook: 1 hit, 0 ran, 0 failed"
