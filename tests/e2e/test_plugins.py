"""The example of a plug-in package, built and installed, and used as any other one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.build import clean_environment, run_build, write_site

pytestmark = pytest.mark.slow  # each test builds a site, most of them several times

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples-plugin"
SESSION = EXAMPLE / "tests" / "gcd.doctest"
RUN_COMMAND = "from sphinx_nbcache.cli import main; main(prog_name='nbcache')"
IN_SPHINX = 'nb_custom_formats = {".doctest": ["nbcache_example.sessions.read_page", {}]}'


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package as its wheel installs it: pip is not asked.

    pip would look for the build backend on the network.
    """
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("plugin") / "source")
    code = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, source.parent], cwd=source, check=True)
    (wheel,) = source.parent.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(source.parent / "installed")
    return source.parent / "installed"


@pytest.fixture
def installed(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the package for all programs that the test starts; return its folder."""
    folder = Path(shutil.copytree(built, tmp_path / "installed"))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def run_nbcache(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [sys.executable, "-c", RUN_COMMAND, *arguments],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def sum_up(result: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of what the command said."""
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


@pytest.mark.usefixtures("installed")
def test_its_own_tests_pass(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", ["gcd.doctest", "."])
def test_files_of_its_reader_are_executed(project_folder: Path, name: str) -> None:
    shutil.copy(SESSION, project_folder)
    cold, warm = run_nbcache(project_folder, "execute", name), run_nbcache(project_folder, "plan")
    assert cold.stdout.startswith("ran  gcd.doctest  ")
    assert sum_up(cold) == "notebooks: 1 (0 hits, 1 ran, 0 failed)"
    assert "gcd.doctest" not in warm.stdout


@pytest.mark.usefixtures("installed")
def test_notebooks_run_in_its_executor_which_has_options_of_its_own(project_folder: Path) -> None:
    shutil.copy(SESSION, project_folder)
    options = ("-e", "journal", "--executor-options", "path=done.jsonl")
    result = run_nbcache(project_folder, "execute", *options, ".")
    assert sum_up(result) == "notebooks: 1 (0 hits, 1 ran, 0 failed)"
    assert '"notebook": "gcd.doctest"' in (project_folder / "done.jsonl").read_text()
    wrong = run_nbcache(project_folder, "execute", "-f", *options[:3], "color=red", ".")
    assert (wrong.returncode, 'only "path"' in wrong.stderr) == (2, True)


@pytest.mark.usefixtures("installed")
def test_a_file_that_is_not_of_its_format_fails_with_the_readers_reason(
    project_folder: Path,
) -> None:
    (project_folder / "a.doctest").write_text("prose")
    result = run_nbcache(project_folder, "execute", ".")
    assert result.returncode == 1
    assert "ValueError: it has no example: no line begins with >>>" in result.stderr


def test_a_later_version_of_its_reader_reads_what_is_known_again(
    project_folder: Path, installed: Path
) -> None:
    shutil.copy(SESSION, project_folder)
    run_nbcache(project_folder, "execute", ".")
    assert sum_up(run_nbcache(project_folder, "execute", ".")).endswith("(1 hits, 0 ran, 0 failed)")
    module = installed / "nbcache_example" / "sessions.py"
    module.write_text(module.read_text().replace('rstrip("\\n")', 'rstrip("\\n") + "\\n# later"'))
    about = installed / "nbcache_example-1.0.dist-info"
    metadata = (about / "METADATA").read_text().replace("Version: 1.0", "Version: 2.0")
    (about / "METADATA").write_text(metadata)
    about.rename(installed / "nbcache_example-2.0.dist-info")
    assert sum_up(run_nbcache(project_folder, "execute", ".")).endswith("(0 hits, 1 ran, 0 failed)")


def test_a_plugin_that_cannot_be_imported_is_told_in_one_line(
    project_folder: Path, installed: Path
) -> None:
    (installed / "nbcache_example" / "sessions.py").write_text("import gone_for_good")
    (project_folder / "a.doctest").touch()
    result = run_nbcache(project_folder, "execute", "a.doctest")
    assert result.returncode == 2
    assert "No module named 'gone_for_good'. Mend or uninstall it" in result.stderr
    assert "nbcache_example.sessions:read, entry point nbcache.readers of" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("installed")
def test_a_page_of_sphinx_has_the_same_outputs_in_both(tmp_path: Path) -> None:
    site = write_site(tmp_path / "project", {}, IN_SPHINX)
    shutil.copy(SESSION, site)
    (site / "index.md").write_text("# Site\n\n```{toctree}\ngcd\n```\n")
    built = run_build(site)
    assert (built.status, built.find("gcd")["status"]) == (0, "ran"), built.stderr
    assert "TypeError" in built.read("gcd")
    result = run_nbcache(site.parent, "execute", f"docs{os.sep}gcd.doctest")
    assert sum_up(result) == "notebooks: 1 (1 hits, 0 ran, 0 failed)"


def test_a_build_can_have_its_notebooks_run_by_dask(tmp_path: Path) -> None:
    configuration = 'nbcache_executor = "dask"\nnbcache_executor_options = {"jobs": 1}\n'
    code = "print(6 * 7)\nopen('made.txt', 'w').write('by a worker')"
    site = write_site(tmp_path / "project", {"a": (code,)}, configuration)
    cold = run_build(site)
    assert (cold.status, cold.find("a")["status"]) == (0, "ran"), cold.stderr
    assert "42" in cold.read("a")
    (site / "made.txt").unlink()
    warm = run_build(site, "-E")
    assert (warm.status, warm.find("a")["status"]) == (0, "hit"), warm.stderr
    assert (site / "made.txt").read_text() == "by a worker"
