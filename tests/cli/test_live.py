"""A run as people see it on a terminal, and as logs have it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from sphinx_nbcache.testing import write_notebook
from tests.conftest import RunPython, wait_until

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no pseudo-terminals in the library"
)

# The first terminal that a leader of a session opens is the one whose Ctrl-C it gets.
COMMAND = """
import os, sys
os.open(os.ttyname(0), os.O_RDWR)
from sphinx_nbcache.cli import main
main(prog_name="nbcache")
"""
TOTALS = "notebooks: 2 (0 hits, 2 ran, 0 failed)"
SLOW = "open('started', 'w').close(); import time; time.sleep(1000)"
_CONTROL = re.compile(r"\x1b\[(?P<number>\??\d*)(?:;\d+)*(?P<kind>[A-Za-z])|\r|\n")


@dataclass
class Screen:
    """As much of a terminal as a live part uses."""

    lines: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0
    has_cursor: bool = True

    def show(self, text: str) -> None:
        """Take what a program writes."""
        position = 0
        for found in _CONTROL.finditer(text):
            self._put(text[position : found.start()])
            self._obey(found)
            position = found.end()
        self._put(text[position:])

    def _put(self, text: str) -> None:
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + text + line[self.column + len(text) :]
        self.column += len(text)

    def _obey(self, found: re.Match[str]) -> None:
        number, kind = found["number"], found["kind"]
        if found[0] == "\r":
            self.column = 0
        elif found[0] == "\n":
            self.row += 1
            self.lines += [""] * (self.row == len(self.lines))
        elif kind == "A":
            self.row -= int(number or 1)
        elif kind == "K":
            self.lines[self.row] = ""
        elif number == "?25":
            self.has_cursor = kind == "h"
        else:
            assert kind == "m", f"unknown to this terminal: {found[0]!r}"


class Terminal:
    """A terminal with the command in it."""

    def __init__(
        self, folder: Path, command: Sequence[str], variables: dict[str, str], **files: int
    ) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *command],
            cwd=folder,
            env={**kept, "TERM": "xterm", "COLUMNS": "60", "LINES": "20", **variables},
            start_new_session=True,
            **{"stdin": theirs, "stdout": theirs, "stderr": theirs, **files},  # type: ignore[call-overload]
        )
        os.close(theirs)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def read(self) -> str:
        """Return all that is shown until the command has ended."""
        shown = b""
        while chunk := self._read_chunk():
            shown += chunk
        os.close(self._ours)
        self.process.wait(30)
        return shown.decode()

    def _read_chunk(self) -> bytes:
        try:
            return os.read(self._ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            return b""


HIDDEN = ("CI", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLORTERM")
Start = Callable[..., Terminal]


@pytest.fixture
def start(project_folder: Path) -> Iterator[Start]:
    """Return a function that starts ``nbcache``, if not told else to execute all, in a terminal."""
    started: list[Terminal] = []

    def start_command(
        *command: str, files: dict[str, int] | None = None, **variables: str
    ) -> Terminal:
        words = command or ("execute", ".")
        started.append(Terminal(project_folder, words, variables, **(files or {})))
        return started[-1]

    yield start_command
    for terminal in started:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait()


@pytest.fixture
def notebooks(project_folder: Path) -> None:
    """Write two notebooks."""
    for name in ("one", "two"):
        write_notebook(project_folder / f"{name}.ipynb", f"import time; time.sleep(1); {name!r}")


def look(text: str) -> Screen:
    """Return the screen after some text."""
    screen = Screen()
    screen.show(text)
    return screen


@pytest.mark.usefixtures("notebooks")
class TestTerminal:
    """Two notebooks, on a terminal."""

    def test_what_runs_is_shown_below_what_has_ended(self, start: Start) -> None:
        shown = start().read()
        frames = [look(shown[: found.start()]).lines for found in re.finditer("\r", shown)]
        live = [frame[-3:] for frame in frames if len(frame) >= 3]
        head = r"executing notebooks ━{30} 0/2 \d s"
        names = [r" +\d s  (one|two)\.ipynb"] * 2
        assert any(_fits(frame, [head, *names]) for frame in live)
        later = [r"ran  (one|two)\.ipynb  \d\.\d s", r"executing notebooks [━╸╺]{30} 1/2 \d s"]
        assert any(_fits(frame, [*later, names[0]]) for frame in live)

    def test_only_the_lines_stay_and_the_cursor_is_back(self, start: Start) -> None:
        screen = look(start().read())
        lines = [r"ran  (one|two)\.ipynb  \d\.\d s"] * 2
        assert _fits(screen.lines, [*lines, re.escape(TOTALS), ""])
        assert screen.has_cursor

    @pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1)])
    def test_a_cache_is_made_after_asking(
        self, start: Start, project_folder: Path, answer: str, status: int
    ) -> None:
        terminal = start("notebook", "add", "one.ipynb")
        terminal.type(f"{answer}\n")
        shown = terminal.read()
        assert "The cache does not yet exist, do you want to create it? [y/N]" in shown
        assert terminal.process.returncode == status
        assert (project_folder / ".nbcache/FORMAT").exists() == (answer == "y")

    def test_no_color_is_respected(self, start: Start) -> None:
        shown = start(NO_COLOR="1").read()
        assert "2/2" in shown
        assert not re.search(r"\x1b\[[\d;]*3\d", shown)

    @pytest.mark.parametrize("variable", [{"TERM": "dumb"}, {"CI": "true"}, {"CI": "1"}], ids=str)
    def test_where_nobody_looks_there_are_plain_lines(
        self, start: Start, variable: dict[str, str]
    ) -> None:
        shown = start(**variable).read()
        assert "\x1b" not in shown
        lines = [r"ran  (one|two)\.ipynb  \d\.\d s"] * 2
        assert _fits(shown.splitlines(), [*lines, re.escape(TOTALS)])

    def test_of_the_input_alone_there_are_plain_lines(
        self, start: Start, project_folder: Path
    ) -> None:
        with (project_folder / "log").open("w") as log:
            assert start(files={"stdout": log.fileno()}).read() == ""
        text = (project_folder / "log").read_text()
        assert "\x1b" not in text
        assert TOTALS in text


def test_warnings_stand_above_what_runs(start: Start, project_folder: Path) -> None:
    options = {"nbcache": {"exclusiv": True}}
    write_notebook(project_folder / "a.ipynb", "1 / 0", metadata=options)
    terminal = start(COLUMNS="200")
    screen = look(terminal.read())
    assert terminal.process.returncode == 1
    assert screen.lines[0].startswith("warning: a.ipynb: nbcache: unknown key 'exclusiv'")
    assert re.fullmatch(r"failed  a\.ipynb  \d\.\d s", screen.lines[1])
    assert screen.lines[2].startswith("a.ipynb: ZeroDivisionError in cell 1")


@pytest.mark.usefixtures("notebooks")
def test_nothing_is_drawn_where_nothing_runs(start: Start) -> None:
    start().read()
    assert start().read() == "notebooks: 2 (2 hits, 0 ran, 0 failed)\r\n"


def test_rich_is_not_imported_where_there_is_no_terminal(run_python: RunPython) -> None:
    code = (
        "import sys; from sphinx_nbcache.cli.listener import choose_listener\n"
        "print(type(choose_listener()).__name__, 'rich' in sys.modules)"
    )
    assert run_python(code).stdout.strip() == "Lines False"


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM"])
def test_a_run_that_is_stopped_gives_the_terminal_back(
    start: Start,
    project_folder: Path,
    list_processes: Callable[[], list[psutil.Process]],
    way: str,
) -> None:
    write_notebook(project_folder / "a.ipynb", SLOW, metadata={"execution": {"timeout": -1}})
    terminal = start()
    assert wait_until((project_folder / "started").exists, 60)
    if way == "Ctrl-C":
        terminal.type("\x03")
    else:
        terminal.process.send_signal(signal.SIGTERM)
    screen = look(terminal.read())
    assert screen.has_cursor
    assert [line for line in screen.lines if line] == ["Aborted!"] * (way == "Ctrl-C")
    assert terminal.process.returncode == (1 if way == "Ctrl-C" else 128 + signal.SIGTERM)
    assert wait_until(lambda: not list_processes())


def _fits(lines: list[str], patterns: list[str]) -> bool:
    """Return whether each line matches the pattern at its place."""
    pairs = zip(patterns, lines, strict=False)
    return len(lines) == len(patterns) and all(re.fullmatch(*pair) for pair in pairs)
