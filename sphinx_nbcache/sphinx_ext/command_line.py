"""What a directive asks for: which click command, with which words, and how it is shown.

Runs nothing; a page may name what cannot be imported.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click

OURS = "sphinx_nbcache.cli:main"
_OUR_PROGRAM = "nbcache"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command and its words."""

    command: click.Command
    words: tuple[str, ...]
    program: str
    """What comes before the words, such as ``nbcache notebook``."""
    shown: str
    """The whole line as a user would type it."""
    is_renamed: bool
    """Whether the page has another name for the command, which the configuration explains."""

    @property
    def module(self) -> str:
        """Return the name of the module that the command was defined in."""
        return str(getattr(self.command.callback, "__module__", ""))


def read_line(
    argument: str, options: Mapping[str, Any], program: str, names: Mapping[str, str]
) -> CommandLine:
    """Return the line that a directive describes.

    :param argument: ``module:attribute`` of a click command, or a command line of ours.
    :param options: those of the directive: ``prog``, ``command``, ``args``.
    :param program: the name of the program when ``prog`` is not given.
    :param names: ``module:attribute`` on a page to the one that is meant.

    Raises ValueError with a sentence that says what is wrong.
    """
    program = options.get("prog", program)
    first, rest = [*argument.split(maxsplit=1), ""][:2]
    if ":" in first:
        target = names.get(first, first)
        command = _load(target)
        if command.name and command.name != program and not _is_program(target):
            program = f"{program} {command.name}"
    else:
        target = OURS
        command = _load(target)
        rest = rest if first in {program, _OUR_PROGRAM} else argument
    typed = [rest, options.get("command", ""), options.get("args", "")]
    texts = [" ".join(text.splitlines()).strip() for text in typed]
    return CommandLine(
        command=command,
        words=tuple(word for text in texts for word in _split(text)),
        program=program,
        shown=" ".join([program, *filter(None, texts)]),
        is_renamed=target != first and ":" in first,
    )


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be split as a shell does: {error}") from error


def _load(target: str) -> click.Command:
    """Import a command; the module's own code may raise whatever it likes."""
    import click

    try:
        command = resolve_name(target)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{target!r} cannot be imported: {reason}") from error
    if not isinstance(command, click.Command):
        message = f"{target!r} is no click command or group, but of type {type(command).__name__}"
        raise ValueError(message)  # noqa: TRY004 - every sentence about a page is of this type
    return command


def _is_program(target: str) -> bool:
    """Return whether a command is a program by itself, whose own name nobody types."""
    return any(script.value == target for script in entry_points(group="console_scripts"))
