"""Progress as people see it: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.build import clean_environment, command, run_build, write_site

PAGES = {"one": ("1",), "two": ("2",)}
ON_POSIX = pytest.mark.skipif(
    os.name == "nt", reason="Windows has no pseudo-terminals in the library"
)


def test_plain_line_for_each_notebook_where_there_is_no_terminal(tmp_path: Path) -> None:
    result = run_build(write_site(tmp_path / "project", PAGES))
    lines = [line for line in result.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == 2
    assert all(re.fullmatch(r"\[[12]/2\] ran  (one|two)  \d+\.\d s", line) for line in lines)
    assert "\r" not in result.stdout.split("reading sources")[0]


def test_quiet_builds_say_nothing(tmp_path: Path) -> None:
    result = run_build(write_site(tmp_path / "project", PAGES), "-q")
    assert result.stdout == ""
    assert result.totals["ran"] == 2


@ON_POSIX
def test_live_line_on_a_terminal(tmp_path: Path) -> None:
    text = build_on_terminal(write_site(tmp_path / "project", PAGES))
    assert "executing notebooks [--------------------] 0/2  2 running: one 0 s" in text
    assert "executing notebooks [####################] 2/2" in text
    assert "[1/2] ran" not in text


@ON_POSIX
def test_what_was_run_again_has_a_line_above_the_live_one(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "if not Path('../tried').exists():\n"
        "    Path('../tried').mkdir()\n"
        "    1 / 0"
    )
    pages = {"one": (code,), "two": ("2",)}
    text = build_on_terminal(write_site(tmp_path / "project", pages, "nbcache_retries = 1"))
    note = "attempt 2; the first failed: ZeroDivisionError in cell 1, line 4: division by zero"
    assert re.search(rf"\x1b\[2Kran  one  \d+\.\d s \({note}\)\r?\n", text)
    assert "ran  two" not in text


def build_on_terminal(site: Path) -> str:
    """Build a site without faults in a terminal; return what was shown there."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(site, site.parent / "out"), stdout=theirs, stderr=theirs, env=clean_environment()
    )
    os.close(theirs)
    shown = b""
    while chunk := read_chunk(ours):
        shown += chunk
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def read_chunk(terminal: int) -> bytes:
    """Return what was written to a terminal; nothing when its other side is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
