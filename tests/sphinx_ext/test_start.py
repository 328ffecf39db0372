"""What setting up the extension does to the process it runs in."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.e2e.build import write_site

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

TWO_APPLICATIONS = """
import gc, sys
from sphinx.application import Sphinx
source, out = sys.argv[1:]
counts = [gc.get_freeze_count()]
for number in range(2):
    Sphinx(source, source, f"{out}/{number}", f"{out}/doctrees{number}", "html", status=None)
    counts.append(gc.get_freeze_count())
print(counts[0] < counts[1], counts[1] >= counts[2], gc.isenabled())
"""


def test_what_imports_made_is_kept_from_the_collector_once(
    tmp_path: Path, run_python: RunPython
) -> None:
    site = write_site(tmp_path / "project", {"page": ("1",)})
    result = run_python(TWO_APPLICATIONS, site, tmp_path / "out")
    assert result.stdout.split() == ["True", "True", "True"], result.stderr
