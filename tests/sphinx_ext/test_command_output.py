"""What commands write, made fit for a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from docutils import nodes
from sphinx import addnodes

from sphinx_nbcache.sphinx_ext.command_output import make_blocks, shorten_paths

FOLDER = Path("/srv/project")
CACHE = FOLDER / "docs/_build/.doctrees/nbcache-cli/page/.nbcache"
GREEN = "\x1b[32mfine\x1b[0m"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"Adding: {FOLDER}/a.ipynb", "Adding: ../a.ipynb"),
        (f"in {FOLDER}.", "in ..."),
        (f"'{FOLDER}'", "'..'"),
        (f"\x1b[32m{FOLDER}/a\x1b[0m", "\x1b[32m../a\x1b[0m"),
        (f"{CACHE}: sound", "../.nbcache: sound"),
        ("docs/_build/.doctrees/nbcache-cli/page/.nbcache/FORMAT", ".nbcache/FORMAT"),
        (f"{FOLDER}s/a", f"{FOLDER}s/a"),
        (f"{FOLDER}.old/a", f"{FOLDER}.old/a"),
        (f"/mnt{FOLDER}/a", f"/mnt{FOLDER}/a"),
        (f"{Path.home()}/a", "~/a"),
    ],
)
def test_absolute_paths_are_shortened_and_others_are_not(written: str, shown: str) -> None:
    assert shorten_paths(written, folder=FOLDER, cache=CACHE) == shown


def test_a_page_that_shares_a_cache_shows_where_it_lies() -> None:
    text = f"{FOLDER}/docs/shown"
    assert shorten_paths(text, folder=FOLDER, cache=None) == "../docs/shown"


def test_the_root_of_all_paths_is_not_replaced() -> None:
    assert shorten_paths("/srv/a", folder=Path("/"), cache=None) == "/srv/a"


def test_text_without_colours_is_one_console_block() -> None:
    (block,) = make_blocks("$ x\ny")
    assert isinstance(block, nodes.literal_block)
    assert (block["language"], block.astext()) == ("console", "$ x\ny")


def test_colours_are_for_builders_that_show_them_and_others_get_plain_text() -> None:
    coloured, plain = make_blocks(GREEN)
    assert isinstance(coloured, addnodes.only)
    assert isinstance(plain, addnodes.only)
    assert (coloured["expr"], coloured.astext()) == ("format_html or format_latex", GREEN)
    assert (plain["expr"], plain.astext()) == ("not (format_html or format_latex)", "fine")


def test_what_a_terminal_would_write_over_or_follow_is_left_out() -> None:
    link = "\x1b]8;;https://example.org\x1b\\here\x1b]8;;\x1b\\"
    (block,) = make_blocks(f"10 %\r90 %\rdone\r\n\x1b[2K{link}\x1b[?25h")
    assert block.astext() == "done\r\nhere"
