"""Completion in shells, and the option that prints where the cache is.

Click completes; nothing here opens the cache before it is asked for.
"""

from __future__ import annotations

import os
from pathlib import PurePath

import click
from click.shell_completion import CompletionItem

from sphinx_nbcache.cli.opening import Command, open_cache
from sphinx_nbcache.cli.wrong_use import explain_errors

_SHELLS = {
    "bash": ("~/.bashrc", 'eval "$(_NBCACHE_COMPLETE=bash_source nbcache)"'),
    "zsh": (
        "~/.zshrc, below `autoload -Uz compinit && compinit`",
        'eval "$(_NBCACHE_COMPLETE=zsh_source nbcache)"',
    ),
    "fish": (
        "~/.config/fish/completions/nbcache.fish",
        "_NBCACHE_COMPLETE=fish_source nbcache | source",
    ),
}
"""Shell to its start-up file, and the line that belongs into it."""
_OWN = "auto"
"""Stands for the shell in ``$SHELL``."""


def take_completion(command: Command) -> Command:
    """Add ``--autocomplete`` and ``--print-path``, which print and end."""
    autocomplete = click.option(
        "-a",
        "--autocomplete",
        metavar="[SHELL]",
        type=click.Choice([*_SHELLS, _OWN]),
        is_flag=False,
        flag_value=_OWN,
        expose_value=False,
        is_eager=True,
        callback=_print_line,
        help="Print the line that turns completion on, for bash, zsh or fish, and exit.",
    )
    path = click.option(
        "-p",
        "--print-path",
        is_flag=True,
        expose_value=False,
        callback=_print_path,
        help="Print the folder of the cache and exit.",
    )
    return autocomplete(path(command))


def complete_files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete names of files."""
    return [CompletionItem(incomplete, type="file")]


def _print_line(context: click.Context, _: click.Parameter, shell: str | None) -> None:
    if shell is None or context.resilient_parsing:
        return
    shell = _find_own_shell() if shell == _OWN else shell
    file, line = _SHELLS[shell]
    click.echo(f"# For {shell}: put this line into {file}", err=True)
    click.echo(line)
    context.exit()


def _find_own_shell() -> str:
    name = PurePath(os.environ.get("SHELL", "")).name
    if name not in _SHELLS:
        known = ", ".join(_SHELLS)
        raise click.UsageError(
            f"the shell {name or '$SHELL'!r} has no completion here: name one of {known}"
        )
    return name


@explain_errors
def _print_path(context: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not context.resilient_parsing:
        click.echo(open_cache(context).path)
        context.exit()
