"""The documentation names every command, and every option in some page that people wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sphinx_nbcache.cli import main

DOCS = Path(__file__).parent.parent / "docs"
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md")))
UNIVERSAL = {"--help"}


def list_commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, with what is typed to call each."""
    yield name, command
    if isinstance(command, click.Group):
        for word, child in sorted(command.commands.items()):
            yield from list_commands(child, f"{name} {word}")


COMMANDS = dict(list_commands(main, "nbcache"))
OPTIONS = sorted(
    {
        flag
        for command in COMMANDS.values()
        for param in command.params
        for flag in (*param.opts, *param.secondary_opts)
        if flag.startswith("--")
    }
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_mentioned(name: str) -> None:
    words = " ".join(TEXT.split())
    # Pages that show a command with the directive leave out the program.
    assert name in words or f"{{nbcache-cli}} {name.removeprefix('nbcache ')}" in words


@pytest.mark.parametrize("flag", OPTIONS)
def test_every_option_is_mentioned(flag: str) -> None:
    assert flag in TEXT


@pytest.mark.parametrize("name", COMMANDS)
def test_no_flag_of_a_command_means_two_things(name: str) -> None:
    flags = [
        flag for param in COMMANDS[name].params for flag in (*param.opts, *param.secondary_opts)
    ]
    assert len(flags) == len(set(flags))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    options = (param for param in command.params if isinstance(param, click.Option))
    assert all(option.help for option in options)


LISTINGS = [
    "nbcache notebook list",
    "nbcache notebook info",
    "nbcache cache list",
    "nbcache cache info",
    "nbcache status",
    "nbcache plan",
    "nbcache why",
    "nbcache check",
    "nbcache verify",
    "nbcache stats",
    "nbcache prune",
    "nbcache doctor",
    "nbcache import-jupyter-cache",
    "nbcache remote status",
    "nbcache remote prune",
]


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_can_be_had_for_scripts(name: str) -> None:
    assert any("--json" in param.opts for param in COMMANDS[name].params)


DESTRUCTIVE = [
    "nbcache notebook remove",
    "nbcache notebook invalidate",
    "nbcache notebook clear",
    "nbcache cache remove",
    "nbcache cache clear",
    "nbcache project clear",
    "nbcache prune",
    "nbcache remote prune",
]


@pytest.mark.parametrize("name", DESTRUCTIVE)
def test_every_destructive_command_has_an_option_that_skips_its_question(name: str) -> None:
    assert any({"-f", "--force"} <= set(param.opts) for param in COMMANDS[name].params)
