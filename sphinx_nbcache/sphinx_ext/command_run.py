"""Runs one click command in this process, and gives what a terminal would have shown."""

from __future__ import annotations

import copy
import signal
import sys
import traceback
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx_nbcache.sphinx_ext.command_line import CommandLine

if TYPE_CHECKING:
    import click

_TERMINATED = 128 + signal.SIGTERM
# The same page everywhere, whatever terminal the build runs in.
_TERMINAL = {"COLUMNS": "80", "NO_COLOR": None, "FORCE_COLOR": None}


@dataclass(frozen=True, slots=True)
class Ending:
    """What a command wrote, and how it ended."""

    output: str
    """Standard output and error in the order in which they were written, with ANSI codes."""
    status: int
    exception: str = ""
    """The last lines of the traceback, if it ended with one."""


def run_line(
    line: CommandLine, *, folder: Path, variables: Mapping[str, str | None], typed: str
) -> Ending:
    """Run a command in a folder, with some environment variables set or, if None, unset.

    :param typed: what is typed into it, or nothing.

    Ctrl-C and SIGTERM end the build, not only the command.
    """
    from click.testing import CliRunner

    came: list[KeyboardInterrupt] = []
    # Commands of any origin look at the current folder, and no other thread reads pages.
    with chdir(folder):
        result = CliRunner().invoke(
            _watch(line.command, came),
            line.words,
            input=typed if typed.endswith("\n") or not typed else f"{typed}\n",
            env={**_TERMINAL, **variables},
            color=True,
            prog_name=line.program,
        )
    if came:
        raise came[0]
    if result.exit_code == _TERMINATED:
        raise SystemExit(_TERMINATED)
    error = result.exception
    is_raised = error is not None and not isinstance(error, SystemExit)
    return Ending(result.output, result.exit_code, _describe(error) if is_raised else "")


def _watch(command: click.Command, came: list[KeyboardInterrupt]) -> click.Command:
    """Return a copy of a command that notes Ctrl-C, which click makes exit status 1 of."""

    def invoke(context: click.Context) -> Any:
        try:
            return command.invoke(context)
        except KeyboardInterrupt as interrupt:
            came.append(interrupt)
            raise
        finally:
            sys.stdout.flush()  # or a prompt would stand below what click writes of its end

    watched = copy.copy(command)
    vars(watched)["invoke"] = invoke
    return watched


def _describe(error: BaseException | None) -> str:
    """Return head and end of a traceback; the frames between are those of this build."""
    last = "".join(traceback.format_exception_only(error))
    return f"Traceback (most recent call last):\n  ...\n{last}"
