"""A page that shows jupyter-cache's commands, with nothing in it changed, shows ours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.build import Result, run_build, write_site

_COMMANDS = "jupyter_cache.cli.commands"
NOTEBOOK = f"jcache-cli}} {_COMMANDS}.cmd_notebook:cmnd_notebook"
CACHE = f"jcache-cli}} {_COMMANDS}.cmd_cache:cmnd_cache"
PROJECT = f"jcache-cli}} {_COMMANDS}.cmd_project:cmnd_project"
PAIR = "tests/notebooks/basic_unrun.ipynb tests/notebooks/basic_failing.ipynb"
DIRECTIVES = (
    "jcache-clear}",
    f"{NOTEBOOK}\n:command: add\n:args: {PAIR}\n:input: y",
    f"{NOTEBOOK}\n:command: list",
    f"{PROJECT}\n:command: execute",
    f"{NOTEBOOK}\n:command: list",
    f"{CACHE}\n:command: info\n:args: 1",
    f"{PROJECT}\n:command: execute",
    f"{NOTEBOOK}\n:command: merge\n:args: 1 final_notebook.ipynb",
    f"{NOTEBOOK}\n:command: add\n:args: --reader jupytext tests/notebooks/basic.md",
    f"{NOTEBOOK}\n:command: list",
)
TEXT_NOTEBOOK = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
# Text

```{code-cell} ipython3
print(1)
```
"""


def write_ipynb(path: Path, code: str) -> None:
    """Write a notebook with one cell that was never run."""
    cell: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "cell",
        "metadata": {},
        "outputs": [],
        "source": code,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": [cell],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give a documentation beside a folder of notebooks, as jupyter-cache's own is."""
    source = write_site(tmp_path / "project", {})
    notebooks = source.parent / "tests/notebooks"
    notebooks.mkdir(parents=True)
    write_ipynb(notebooks / "basic_unrun.ipynb", "a = 1\nprint(a)")
    write_ipynb(notebooks / "basic_failing.ipynb", "raise Exception('oopsie!')")
    (notebooks / "basic.md").write_text(TEXT_NOTEBOOK)
    blocks = "\n\n".join(f"```{{{text}\n```" for text in DIRECTIVES)
    (source / "index.md").write_text(f"# Jupyter Cache\n\n{blocks}\n")
    return source


def read_blocks(result: Result) -> list[str]:
    """Return what the page shows, one text for each command."""
    text = (result.outdir / "index.txt").read_text(encoding="utf-8")
    page = re.sub("^   ", "", text, flags=re.MULTILINE)
    return [f"$ {block}" for block in page.split("$ ")[1:]]


def read_statuses(block: str) -> dict[str, str]:
    """Return name of a notebook to its status in a list."""
    rows = re.findall(r"notebooks/(\S+).*\d\d:\d\d +(.*)", block)
    return {name: status.strip() for name, status in rows}


def test_every_block_shows_what_the_command_does(site: Path) -> None:
    result = run_build(site, "-W", "--keep-going", builder="text")
    assert (result.status, result.stderr) == (0, "")
    add, listed, execute, ran, info, again, merge, add_text, final = read_blocks(result)
    assert add.startswith(f"$ jcache notebook add {PAIR}\n")
    assert "Success!" in add
    assert read_statuses(listed) == {"basic_unrun.ipynb": "-", "basic_failing.ipynb": "-"}
    assert "succeeded:\n- tests/notebooks/basic_unrun.ipynb" in execute
    assert "excepted:\n- tests/notebooks/basic_failing.ipynb" in execute
    assert read_statuses(ran) == {"basic_unrun.ipynb": "✅ [1]", "basic_failing.ipynb": "❌"}
    assert info.startswith("$ jcache cache info 1\n")
    assert "execution_seconds" in info
    assert "basic_unrun" not in again
    assert "basic_failing" in again
    assert merge.startswith("$ jcache notebook merge 1 final_notebook.ipynb\n")
    assert "--reader jupytext" in add_text
    assert read_statuses(final)["basic.md"] == "-"
    merged = json.loads((site.parent / "final_notebook.ipynb").read_text())
    assert merged["cells"][0]["outputs"][0]["text"] in ("1\n", ["1\n"])


@pytest.mark.slow
def test_the_page_can_be_read_again_and_is_not_read_again_by_itself(site: Path) -> None:
    first = run_build(site, "-W", builder="text")
    assert run_build(site, "-W", builder="text").pages_read == []
    second = run_build(site, "-W", "-E", builder="text")
    assert second.status == 0

    def list_statuses(result: Result) -> list[dict[str, str]]:
        return [read_statuses(block) for block in read_blocks(result)]

    assert list_statuses(first) == list_statuses(second)


def test_colours_of_the_commands_are_in_the_page(site: Path) -> None:
    page = run_build(site, "-W").read("index")
    assert '<span class=" -Color -Color-Green">Success!</span>' in page
