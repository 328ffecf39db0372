"""``nbcache-cli`` and ``nbcache-clear`` on real pages, with commands of a project's own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.e2e.build import (
    Result,
    clean_environment,
    command,
    run_build,
    write_notebook,
    write_site,
)

pytestmark = pytest.mark.slow  # each test builds a site

SHOP = """
import os
import time
from pathlib import Path

import click


@click.group("shop")
def shop():
    pass


@shop.command()
@click.argument("names", nargs=-1)
def show(names):
    for name in names:
        click.echo(f"<{name}>")


@shop.command()
def where():
    click.echo(os.getcwd())
    click.echo(os.environ["NBCACHE_PATH"])
    click.echo(os.environ["JUPYTERCACHE"])


@shop.command()
def ask():
    click.confirm("Sure?", abort=True)
    click.echo("done")


@shop.command()
def both():
    click.secho("out", fg="green")
    click.echo("err", err=True)
    click.echo("out again")


@shop.command()
@click.option("--status", type=int)
def fail(status):
    click.echo("sold out", err=True)
    raise SystemExit(status)


@shop.command()
def boom():
    raise ValueError("no such thing")


@shop.command()
def wait():
    Path("waiting").touch()
    time.sleep(60)


@shop.command()
@click.argument("name")
def write(name):
    path = Path(name)
    path.write_text(path.read_text() + "x" if path.exists() else "x")
    click.echo("written")
"""
NAME = "shop:shop"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give a site with a module of commands, and a notebook that is no page of it."""
    conf = "import sys\nfrom pathlib import Path\nsys.path[:0] = [str(Path(__file__).parent)]\n"
    source = write_site(tmp_path / "project", {}, conf)
    write_notebook(tmp_path / "project/notebooks/nb.md", "6 * 7")
    (source / "shop.py").write_text(SHOP)
    return source


def write_page(site: Path, *directives: str, name: str = "index") -> None:
    """Write a page of directives, each given by its first line and its options."""
    blocks = "\n\n".join(f"```{{{text}\n```" for text in directives)
    (site / f"{name}.md").write_text(f"---\norphan: true\n---\n# Page\n\n{blocks}\n")


def show(site: Path, *directives: str, status: int = 0) -> str:
    """Return the page as the text builder writes it; directives may not give a warning."""
    write_page(site, *directives)
    result = run_build(site, "-W", "--keep-going", builder="text")
    assert (result.status, result.stderr) == (status, "")
    return read_text(result)


def read_text(result: Result, name: str = "index") -> str:
    text = (result.outdir / f"{name}.txt").read_text(encoding="utf-8")
    return re.sub("^   ", "", text, flags=re.MULTILINE)


def test_a_command_is_shown_with_what_it_writes(site: Path) -> None:
    text = show(site, f"jcache-cli}} {NAME}\n:command: show\n:args: a 'b c' $d *")
    assert "$ jcache shop show a 'b c' $d *\n<a>\n<b c>\n<$d>\n<*>\n" in text


def test_the_other_name_shows_the_other_program(site: Path) -> None:
    assert "$ nbcache shop show\n" in show(site, f"nbcache-cli}} {NAME}\n:command: show")


def test_input_is_typed_and_seen(site: Path) -> None:
    text = show(site, f"jcache-cli}} {NAME}\n:command: ask\n:input: y")
    assert "Sure? [y/N]: y\ndone\n" in text


def test_a_page_without_input_types_nothing(site: Path) -> None:
    text = show(site, f"jcache-cli}} {NAME}\n:command: ask\n:allow-exception:")
    assert "Sure? [y/N]: Aborted!" in text.replace("\n", "")


def test_output_and_error_come_in_order_and_plain_where_there_are_no_colours(site: Path) -> None:
    assert "both\nout\nerr\nout again\n" in show(site, f"jcache-cli}} {NAME}\n:command: both")


def test_colours_are_kept_in_html(site: Path) -> None:
    write_page(
        site, f"jcache-cli}} {NAME}\n:command: both", f"jcache-cli}} {NAME}\n:command: where"
    )
    page = run_build(site).read("index")
    assert '<span class=" -Color -Color-Green">out</span>' in page
    assert page.count('<div class="highlight-myst-ansi') == 1
    assert page.count('<div class="highlight-console') == 1


def test_commands_run_above_the_sources_with_a_cache_of_their_own(site: Path) -> None:
    text = show(site, f"jcache-cli}} {NAME}\n:command: where")
    assert "where\n..\n../.nbcache\n../.nbcache\n" in text
    assert str(site.parent) not in text


def test_folder_and_cache_can_be_chosen(site: Path) -> None:
    (site / "here").mkdir()
    with (site / "conf.py").open("a") as file:
        file.write('\nnbcache_cli_folder = "here"\nnbcache_cli_cache = "here/cache"\n')
    text = show(site, f"jcache-cli}} {NAME}\n:command: where")
    assert "where\n..\n../cache\n../cache\n" in text


def test_an_end_that_was_not_announced_is_a_warning_with_page_and_line(site: Path) -> None:
    write_page(
        site,
        f"jcache-cli}} {NAME}\n:command: fail\n:args: --status 3",
        f"jcache-cli}} {NAME}\n:command: boom",
    )
    result = run_build(site, builder="text")
    failed, raised = result.stderr.splitlines()
    assert failed.endswith(
        "index.md:6: WARNING: jcache-cli: `jcache shop fail --status 3`: exit status 3: sold out; "
        "mend it, or announce it with :allow-exception: [nbcache.cli]"
    )
    assert "index.md:11: WARNING: jcache-cli: `jcache shop boom`: raised an exception: " in raised
    assert "ValueError: no such thing; mend it" in raised
    assert "$ jcache shop fail --status 3\nsold out\n" in read_text(result)


def test_an_end_that_was_announced_is_shown(site: Path) -> None:
    text = show(
        site,
        f"jcache-cli}} {NAME}\n:command: fail\n:args: --status 3\n:allow-exception:",
        f"jcache-cli}} {NAME}\n:command: boom\n:allow-exception:",
        f"jcache-cli}} {NAME}\n:command: nonsense\n:allow-exception:",
    )
    assert "sold out" in text
    assert "Traceback (most recent call last):\n  ...\nValueError: no such thing\n" in text
    assert "Usage: jcache shop [OPTIONS]" in text
    assert "Error: No such command 'nonsense'." in text


def test_what_cannot_be_run_is_a_warning_and_the_page_shows_what_was_asked(site: Path) -> None:
    write_page(site, "jcache-cli} shop:bakery\n:command: bake", f"jcache-cli}} {NAME}\n:args: a 'b")
    result = run_build(site, builder="text")
    missing, unbalanced = result.stderr.splitlines()
    assert "index.md:6: WARNING: jcache-cli: 'shop:bakery' cannot be imported" in missing
    assert "No closing quotation" in unbalanced
    assert "$ shop:bakery bake" in read_text(result)


def test_notebooks_run_in_the_cache_of_the_page_and_not_in_that_of_the_build(site: Path) -> None:
    execute = "nbcache-cli} execute notebooks/nb.md"
    text = show(site, execute, execute, "nbcache-clear}", execute, "nbcache-cli} verify")
    found = re.findall(r"\d hits, \d ran", text)
    assert found == ["0 hits, 1 ran", "1 hits, 0 ran", "0 hits, 1 ran"]
    assert "../.nbcache: sound" in text
    assert not (site.parent / ".nbcache").exists()


def test_a_page_that_is_read_again_begins_with_an_empty_cache(site: Path) -> None:
    first = show(site, "nbcache-cli} execute notebooks/nb.md")
    second = show(site, "nbcache-cli} execute notebooks/nb.md", "nbcache-cli} verify")
    assert "(0 hits, 1 ran" in first
    assert "(0 hits, 1 ran" in second


def test_pages_that_are_read_in_parallel_do_not_influence_each_other(site: Path) -> None:
    names = [f"page{number}" for number in range(6)]
    for name in names:
        write_page(site, *["nbcache-cli} execute notebooks/nb.md"] * 2, name=name)
    result = run_build(site, "-j", "2", builder="text")
    assert result.stderr == ""
    for name in names:
        found = re.findall(r"\d hits, \d ran", read_text(result, name))
        assert found == ["0 hits, 1 ran", "1 hits, 0 ran"]


def test_a_frozen_build_starts_no_kernel_for_a_command(site: Path) -> None:
    write_page(site, "nbcache-cli} execute notebooks/nb.md")
    result = run_build(site, "-D", "nbcache_frozen=1", builder="text")
    assert "WARNING: nbcache-cli: `nbcache execute notebooks/nb.md`: exit status 1" in result.stderr
    assert "0 ran" in read_text(result)


def test_a_page_is_read_again_when_a_file_on_its_line_changes(site: Path) -> None:
    (site / "list.txt").touch()
    show(site, f"jcache-cli}} {NAME}\n:command: show\n:args: docs/list.txt")
    assert run_build(site, builder="text").pages_read == []
    (site / "list.txt").write_text("new")
    assert run_build(site, builder="text").pages_read == ["index"]


def test_a_file_that_the_command_writes_does_not_have_its_page_read_again(site: Path) -> None:
    page = f"jcache-cli}} {NAME}\n:command: write\n:args: docs/made.txt"
    show(site, page)
    for _ in range(2):
        assert run_build(site, builder="text").pages_read == []
    show(site, page, page)
    assert run_build(site, builder="text").pages_read == []


def test_directives_of_the_documentation_itself_are_kept(site: Path) -> None:
    with (site / "conf.py").open("a") as file:
        file.write(
            "\nfrom docutils import nodes\nfrom docutils.parsers.rst import Directive\n"
            "class Own(Directive):\n    required_arguments = 1\n"
            "    def run(self):\n        return [nodes.paragraph(text='own')]\n"
            "def setup(app):\n    app.add_directive('jcache-cli', Own)\n"
        )
    text = show(site, "jcache-cli} anything", f"nbcache-cli}} {NAME}\n:command: show")
    assert "own" in text
    assert "$ nbcache shop show" in text


def test_a_cache_of_others_is_not_cleared(site: Path) -> None:
    precious = site.parent.parent / "precious"
    precious.mkdir()
    (precious / "FORMAT").touch()
    write_page(site, "jcache-clear}")
    result = run_build(site, "-D", f"nbcache_cli_cache={precious}", builder="text")
    assert "index.md:6: WARNING: jcache-clear: " in result.stderr
    assert "lies outside the documentation's project" in result.stderr
    assert (precious / "FORMAT").exists()


def test_restructuredtext_has_the_same_directives(site: Path) -> None:
    (site / "page.rst").write_text(
        f":orphan:\n\nPage\n====\n\n.. jcache-cli:: {NAME}\n   :command: show\n   :args: a\n"
    )
    assert "$ jcache shop show a\n<a>" in read_text(run_build(site, builder="text"), "page")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interruption_ends_the_build_and_not_only_the_command(site: Path) -> None:
    write_page(site, f"jcache-cli}} {NAME}\n:command: wait\n:allow-exception:")
    build = subprocess.Popen(
        command(site, site.parent / "out", builder="text"),
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_until((site.parent / "waiting").exists, 60)
        build.send_signal(signal.SIGINT)
        assert build.wait(30) != 0
    finally:
        build.kill()
        build.wait()
    assert not (site.parent / "out/index.txt").exists()
