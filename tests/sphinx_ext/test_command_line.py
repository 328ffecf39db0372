"""What a directive's argument and options mean."""

from __future__ import annotations

from collections.abc import Mapping

import click
import pytest

from sphinx_nbcache.cli import main
from sphinx_nbcache.sphinx_ext.command_line import CommandLine, read_line

HERE = f"{__name__}:shop"


@click.group("shop")
def shop() -> None:
    """Be a group."""


@click.command("bell")
def bell() -> None:
    """Be a command without a group."""


def read(
    argument: str, names: Mapping[str, str] | None = None, program: str = "jcache", **options: str
) -> CommandLine:
    return read_line(argument, options, program, names or {})


def test_a_group_is_shown_by_its_name_between_program_and_command() -> None:
    line = read(HERE, command="add", args="a 'b c'")
    assert line.shown == "jcache shop add a 'b c'"
    assert (line.command, line.words) == (shop, ("add", "a", "b c"))
    assert line.program == "jcache shop"


def test_a_command_without_a_group_is_shown_by_its_name() -> None:
    assert read(f"{__name__}:bell", args="-x").shown == "jcache bell -x"


def test_the_program_can_be_named_and_is_not_said_twice() -> None:
    assert read(HERE, prog="till", command="add").shown == "till shop add"
    assert read(HERE, prog="shop", command="add").shown == "shop add"


def test_a_program_that_is_installed_needs_no_other_name() -> None:
    assert read("sphinx_nbcache.cli:main", command="status").shown == "jcache status"


@pytest.mark.parametrize("argument", ["status -h", "nbcache status -h", "jcache status -h"])
def test_a_plain_command_line_is_one_of_ours(argument: str) -> None:
    line = read(argument)
    assert (line.command, line.words) == (main, ("status", "-h"))
    assert line.shown == "jcache status -h"


def test_a_name_on_a_page_means_what_the_configuration_says() -> None:
    line = read("elsewhere.cli:old", {"elsewhere.cli:old": HERE}, command="add")
    assert line.command is shop
    assert line.shown == "jcache shop add"
    assert line.is_renamed
    assert not read(HERE).is_renamed


def test_lines_of_an_option_are_one_command_line() -> None:
    line = read(HERE, command="add", args="a\n  b")
    assert line.words == ("add", "a", "b")
    assert "\n" not in line.shown


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("no_such_module:x", "No module named 'no_such_module'"),
        (f"{__name__}:nothing", "has no attribute 'nothing'"),
        (f"{__name__}:HERE", "is no click command or group, but of type str"),
        ("shop:", "cannot be imported"),
    ],
)
def test_what_cannot_be_used_is_said(argument: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(argument)


def test_a_quote_that_does_not_end_is_said() -> None:
    with pytest.raises(ValueError, match="cannot be split as a shell does: No closing quotation"):
        read(HERE, args="'a b")
