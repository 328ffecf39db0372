"""Real ``sphinx-build`` runs in a folder of their own, and what can be asked of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SITES = Path(__file__).parent / "sites"
NOTEBOOK = """\
---
file_format: mystnb
kernelspec:
  name: python3
---
# {title}

{prose}

"""
_PORT_TAKEN = "Address already in use"
_STOCK_TRIES = 5
_HIDDEN = ("PYTEST_", "NBCACHE_", "FEATURES_", "FORCE_COLOR", "CLICOLOR")


@dataclass(frozen=True)
class Result:
    """How one build ended."""

    status: int
    stdout: str
    stderr: str
    outdir: Path

    @property
    def report(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.outdir / "_nbcache/report.json").read_text())
        return value

    @property
    def totals(self) -> dict[str, Any]:
        totals: dict[str, Any] = self.report["totals"]
        return totals

    def find(self, docname: str) -> dict[str, Any]:
        """Return what the report says of one page."""
        (found,) = (item for item in self.report["notebooks"] if item["docname"] == docname)
        return dict(found)

    def read(self, docname: str) -> str:
        return (self.outdir / f"{docname}.html").read_text(encoding="utf-8")

    @property
    def pages_read(self) -> list[str]:
        plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.stdout)
        return re.findall(r"reading sources\.\.\. \[ *\d+%\] (\S+)", plain)


def write_notebook(path: Path, *cells: str, prose: str = "", title: str = "") -> Path:
    """Write a MyST Markdown notebook; a cell may begin with ``:tags: [...]``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = NOTEBOOK.format(title=title or path.stem, prose=prose)
    text += "".join(f"```{{code-cell}}\n{cell}\n```\n\n" for cell in cells)
    path.write_text(text, encoding="utf-8")
    return path


def write_site(root: Path, pages: Mapping[str, tuple[str, ...]], conf: str = "") -> Path:
    """Write a site with one notebook for each page (name to its cells); return its folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").touch()  # the project's root, whatever stands above
    source = root / "docs"
    source.mkdir()
    lines = ['extensions = ["sphinx_nbcache"]', 'html_theme = "basic"', conf]
    (source / "conf.py").write_text("\n".join(lines), encoding="utf-8")
    names = "\n".join(pages)
    (source / "index.md").write_text(f"# Site\n\n```{{toctree}}\n{names}\n```\n", encoding="utf-8")
    for name, cells in pages.items():
        write_notebook(source / f"{name}.md", *cells)
    return source


def copy_site(name: str, target: Path) -> Path:
    """Copy one of the sites that belong to the tests; return its folder."""
    target.mkdir(parents=True, exist_ok=True)
    (target / "pyproject.toml").touch()
    return Path(shutil.copytree(SITES / name, target / "docs"))


def clean_environment(**variables: str) -> dict[str, str]:
    """Return the environment without what would make a build behave as in a test."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_HIDDEN)}
    return {**kept, "NO_COLOR": "1", **variables}


def command(source: Path, outdir: Path, *options: str, builder: str = "html") -> list[str]:
    """Return the command line of a build."""
    start = [sys.executable, "-m", "sphinx", "-b", builder]
    return [*start, *options, str(source), str(outdir)]


def run_build(
    source: Path,
    *options: str,
    out: str = "out",
    builder: str = "html",
    variables: dict[str, str] | None = None,
) -> Result:
    """Run ``sphinx-build``; output and doctrees go beside the sources."""
    outdir = source.parent / out
    done = subprocess.run(
        command(source, outdir, *options, builder=builder),
        env=clean_environment(**(variables or {})),
        cwd=source.parent,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr, outdir)


def run_stock(source: Path, *options: str, variables: dict[str, str] | None = None) -> Result:
    """Run ``sphinx-build`` where MyST-NB starts kernels, from the start again if one got no port.

    Jupyter looks for free ports before the kernel takes them; another build at the same
    time may take them first, and MyST-NB then ends: as stock, and with us on inline pages.
    """
    for _ in range(_STOCK_TRIES):
        result = run_build(source, *options, variables=variables)
        if result.status == 0 or _PORT_TAKEN not in result.stderr:
            break
        shutil.rmtree(result.outdir)
        shutil.rmtree(source.parent / ".nbcache", ignore_errors=True)
    return result
