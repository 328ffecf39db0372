"""A tiny Sphinx project in a temporary folder, for pages that show what is printed.

Commands are run for real. What Sphinx and MyST-NB say about themselves is left out of
what is shown, and the name of the temporary folder, too.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory

_PROGRAMS = {
    "sphinx-build": ["-m", "sphinx", "--no-color"],
    "nbcache": ["-c", "from sphinx_nbcache.cli import main; main(prog_name='nbcache')"],
}
_SHOWN = re.compile(
    r"\[\d+/\d+\] "  # one notebook is finished
    r"|updating environment: [\[\d]|waiting for|nbcache: |build |.*WARNING:| {4}\S"
)
_CONFIGURATION = """\
extensions = ["sphinx_nbcache"]
exclude_patterns = ["_build"]
"""
_HEADER = """\
---
file_format: mystnb
kernelspec:
  name: python3
---
"""


class TinyProject:
    """A project with a ``pyproject.toml`` and a folder ``docs``."""

    def __init__(self) -> None:
        self._temporary = TemporaryDirectory(prefix="nbcache-docs-")
        self.folder = Path(self._temporary.name).resolve()
        self.write("pyproject.toml", "")
        self.write("docs/conf.py", _CONFIGURATION)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_notebook(self, name: str, text: str) -> None:
        """Write a MyST Markdown notebook; the header is put before the text."""
        self.write(name, _HEADER + text)

    def write_executed(self, name: str, code: str, result: str) -> None:
        """Write an ``.ipynb`` file with one cell, as Jupyter saves it after a run."""
        data = {"text/plain": [result]}
        output = {"output_type": "execute_result", "data": data, "metadata": {}}
        cell = {"cell_type": "code", "id": "one", "metadata": {}, "source": [code]}
        cell |= {"execution_count": 1, "outputs": [output | {"execution_count": 1}]}
        content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        self.write(name, json.dumps(content, indent=1) + "\n")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file that has it, and show the lines that changed."""
        before = (self.folder / name).read_text(encoding="utf-8")
        after = before.replace(old, new)
        assert after != before, f"{name} has no {old!r}"
        self.write(name, after)
        lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
        changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
        sys.stdout.write("\n".join([f"edit {name}", *changed, "", ""]))

    def touch(self, name: str) -> None:
        """Make a file look as if it had just been written, and show that."""
        (self.folder / name).touch()
        sys.stdout.write(f"$ touch {name}\n\n")

    def remove(self, name: str) -> None:
        """Remove a file, and show that."""
        (self.folder / name).unlink()
        sys.stdout.write(f"$ rm {name}\n\n")

    def cat(self, *names: str) -> None:
        """Show files as ``cat`` would, each after its name."""
        for name in names:
            text = (self.folder / name).read_text(encoding="utf-8").strip("\n")
            sys.stdout.write(f"$ cat {name}\n{text}\n\n")

    def run(self, command: str, *, is_trimmed: bool = True) -> None:
        """Run a command in the project's folder and show it with what it prints."""
        program, *arguments = shlex.split(command)
        done = subprocess.run(  # noqa: S603 - our own programs, named in _PROGRAMS
            [sys.executable, *_PROGRAMS[program], *arguments],
            cwd=self.folder,
            env=_make_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        lines = done.stdout.replace(f"{self.folder}{os.sep}", "").splitlines()
        if is_trimmed and done.returncode in (0, 1):
            lines = [line for line in lines if _SHOWN.match(line)]
        text = "\n".join([f"$ {command}", *lines, f"(exit status {done.returncode})"])
        sys.stdout.write(f"{text}\n\n")


def _make_environment() -> dict[str, str]:
    """Return the environment without the settings of the build that shows this page."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NBCACHE_")}
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
