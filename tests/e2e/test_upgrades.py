"""A new version of an installed package runs the notebooks that import it, and no others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import write_notebook
from tests.e2e.build import run_build, write_site

MODULES = {
    "toy": "VALUE = 'toy'\n",
    "middle": "from toy import VALUE\n",
    "other": "VALUE = 'other'\n",
}
CODE = {
    "direct": "import toy\nprint(toy.VALUE)",
    "transitive": "import middle\nprint(middle.VALUE)",
    "local": "import helper\nprint(helper.VALUE)",
    "lazy": "def use():\n    import toy.part\n    return toy.part.PART\n\nprint(use())",
    "apart": "import other\nprint(other.VALUE)",
    "none": "print(1)",
    "failing": "try:\n    import coming\nexcept ImportError:\n    print('not there')",
}
OF_TOY = {"direct", "transitive", "local", "lazy"}


@dataclass(frozen=True)
class Environment:
    """A virtual environment with distributions made by hand, and a kernel in it."""

    folder: Path

    @property
    def site(self) -> Path:
        """Return its site folder."""
        return next(self.folder.rglob("site-packages"))

    def install(self, name: str, version: str, text: str) -> None:
        """Install a distribution with one package of its name, or another version of it."""
        for old in self.site.glob(f"{name}-*.dist-info"):
            old.rename(old.with_name(f"{name}-{version}.dist-info"))
        info = self.site / f"{name}-{version}.dist-info"
        package = self.site / name
        info.mkdir(exist_ok=True)
        package.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n{name}/part.py,,\n")
        (package / "__init__.py").write_text(text)
        (package / "part.py").write_text(f"PART = {name!r}\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment that sees what is installed here."""
    folder = tmp_path_factory.mktemp("env") / "venv"
    options = ["--system-site-packages", "--without-pip", str(folder)]
    subprocess.run([sys.executable, "-m", "venv", *options], check=True, timeout=60)
    return folder


@pytest.fixture
def environment(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Return an environment in version 1.0 of everything, with the kernel "toys"."""
    environment = Environment(folder)
    # What is installed here may itself be a virtual environment, which the new one does not see.
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (environment.site / "outer.pth").write_text("\n".join(paths))
    for name, text in MODULES.items():
        environment.install(name, "1.0", text)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "language": "python",
        "display_name": "Toys",
    }
    kernel = tmp_path / "jupyter" / "kernels" / "toys"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    return environment


def execute(root: Path) -> set[str]:
    """Execute what is stale in a project; return the names of those that ran."""
    report = NotebookCache(project=root).execute([root])
    assert report.failures == ()
    return {Path(outcome.name).stem for outcome in report.outcomes if outcome.status == "ran"}


@pytest.mark.parametrize(
    ("start", "preload"),
    [
        pytest.param("spawn", "", marks=pytest.mark.slow),
        ("fork", ""),
        pytest.param("fork", "toy,other", marks=pytest.mark.slow),
    ],
)
def test_an_upgrade_runs_those_that_import_it_and_a_downgrade_none(
    environment: Environment,
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: str,
    preload: str,
) -> None:
    if start == "fork" and sys.platform != "linux":
        pytest.skip("kernels are forked on Linux only")
    monkeypatch.setenv("NBCACHE_KERNEL_START", start)
    if preload:
        monkeypatch.setenv("NBCACHE_PRELOAD", preload)
    (project_folder / "helper.py").write_text("from toy import VALUE\n")
    for name, code in CODE.items():
        write_notebook(project_folder / f"{name}.ipynb", code, kernel="toys")
    assert execute(project_folder) == CODE.keys()
    environment.install("toy", "1.1", "VALUE = 'new toy'\n")
    assert execute(project_folder) == OF_TOY
    merged = NotebookCache(project=project_folder).merge(project_folder / "transitive.ipynb")
    assert merged.cells[0].outputs[0].text == "new toy\n"
    environment.install("toy", "1.0", MODULES["toy"])
    assert execute(project_folder) == set()
    environment.install("other", "2.0", MODULES["other"])
    assert execute(project_folder) == {"apart"}


FROZEN = {"NBCACHE_FROZEN": "1"}


@pytest.mark.slow
def test_packages_may_only_warn_or_not_count_and_never_count_where_no_kernel_may_start(
    environment: Environment, tmp_path: Path
) -> None:
    pages = {"direct": (CODE["direct"],), "none": ("1",)}
    site = write_site(tmp_path / "project", pages)
    for path in site.glob("*.md"):
        path.write_text(path.read_text().replace("name: python3", "name: toys"))
    assert run_build(site).totals["ran"] == 2
    environment.install("toy", "1.1", MODULES["toy"])
    frozen = run_build(site, out="frozen", variables=FROZEN)
    assert frozen.status == 0, frozen.stderr
    assert "not checked here: toy 1.0 -> 1.1" in frozen.find("direct")["reason"]
    warned = run_build(site, "-D", "nbcache_track.packages=warn")
    assert warned.totals["ran"] == 0
    assert "direct.md: WARNING: toy 1.0 -> 1.1: its outputs are kept" in warned.stderr
    assert "[nbcache.inputs]" in warned.stderr
    silent = run_build(site, "-D", "nbcache_track.packages=off")
    assert (silent.totals["ran"], silent.stderr) == (0, "")
    again = run_build(site)
    assert [n["docname"] for n in again.report["notebooks"] if n["status"] == "ran"] == ["direct"]


def test_a_library_that_is_installed_later_runs_those_that_looked_for_it(
    environment: Environment, project_folder: Path
) -> None:
    code = "try: import late; print('there')\nexcept ImportError: print('not there')"
    write_notebook(project_folder / "optional.ipynb", code, kernel="toys")
    write_notebook(project_folder / "plain.ipynb", "print(1)", kernel="toys")
    assert execute(project_folder) == {"optional", "plain"}
    assert execute(project_folder) == set()
    environment.install("late", "1.0", "")
    assert execute(project_folder) == {"optional"}
