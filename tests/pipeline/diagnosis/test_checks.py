"""The checks of ``nbcache doctor``: what they say of real kernels, folders and damage."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sphinx_nbcache.pipeline import Health, NotebookCache, Patient, Remark, diagnose
from sphinx_nbcache.pipeline.diagnosis import kernels, machine, place, software
from sphinx_nbcache.store import Store
from sphinx_nbcache.testing import write_notebook


@pytest.fixture
def patient(project_folder: Path) -> Patient:
    """Return a project without a cache."""
    return Patient(project_folder)


@pytest.fixture
def treated(patient: Patient) -> Patient:
    """Return a project with a cache."""
    path = write_notebook(patient.folder / "a.ipynb", "1")
    NotebookCache(project=patient.folder).execute([path])
    return patient


def show(remarks: list[Remark]) -> list[tuple[str, str]]:
    """Return how all is, and where something is wrong, what."""
    return [(remark.health, remark.advice and remark.text) for remark in remarks]


def write_kernel(folder: Path, monkeypatch: pytest.MonkeyPatch, *argv: str, language: str) -> None:
    """Make a kernel ``odd`` of a command."""
    monkeypatch.setenv("JUPYTER_PATH", str(folder))
    spec = folder / "kernels" / "odd" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": argv, "language": language, "display_name": "Odd"}))


class TestDiagnose:
    """All checks together."""

    def test_a_check_that_breaks_is_a_problem_and_the_next_one_is_made(
        self, patient: Patient
    ) -> None:
        def explode(_: Patient) -> list[Remark]:
            raise KeyError("gone")

        broken, good = diagnose(patient, {"odd": explode, "python": software.check_python})
        assert (broken.check, broken.health) == ("odd", Health.PROBLEM)
        assert broken.text == "the check itself failed: KeyError: 'gone'"
        assert good.health is Health.OK

    def test_a_wrong_variable_is_a_problem_with_its_sentence(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NBCACHE_JOBS", "many")
        (remark,) = diagnose(patient, {"options": software.check_options})
        assert remark.health is Health.PROBLEM
        assert remark.text.startswith("NBCACHE_JOBS = 'many': expected a whole number from 1")


class TestKernels:
    """Which kernels there are, and whether they work."""

    def test_a_kernel_of_this_python_has_ipykernel(self, patient: Patient) -> None:
        found = {remark.check: remark for remark in kernels.check_kernels(patient)}
        assert found["kernel python3"].health is Health.OK
        assert found["kernel python3"].details["ipykernel"]

    def test_a_python_that_is_gone_is_a_warning(
        self, patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        argv = ("/gone/python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
        write_kernel(tmp_path, monkeypatch, *argv, language="python")
        found = {remark.check: remark for remark in kernels.check_kernels(patient)}
        assert "/gone/python, which is not there" in found["kernel odd"].text
        assert found["kernel odd"].advice == "remove it: jupyter kernelspec remove odd"

    def test_a_python_without_ipykernel_is_a_warning(
        self, patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        argv = (sys.executable, "-I", "-S", "-m", "ipykernel_launcher", "-f", "{connection_file}")
        write_kernel(tmp_path, monkeypatch, *argv, language="python")
        found = {remark.check: remark for remark in kernels.check_kernels(patient)}
        assert found["kernel odd"].health is Health.WARNING
        assert "which cannot import ipykernel" in found["kernel odd"].text

    def test_another_language_is_as_good(
        self, patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_kernel(tmp_path, monkeypatch, "ir", language="R")
        found = {remark.check: remark for remark in kernels.check_kernels(patient)}
        assert found["kernel odd"].health is Health.OK

    def test_the_default_kernel_starts(self, patient: Patient) -> None:
        (remark,) = kernels.check_starting(patient)
        assert remark.health is Health.OK
        assert remark.details["milliseconds"] > 0

    @pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
    def test_the_default_kernel_is_forked(self, patient: Patient) -> None:
        (remark,) = kernels.check_forking(patient)
        assert remark.health is Health.OK, remark.text
        assert remark.details["milliseconds"] < remark.details["first_milliseconds"]

    def test_a_kernel_that_cannot_be_forked_is_a_warning(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONPATH", "relative")
        (remark,) = kernels.check_forking(patient)
        assert show([remark]) == [(Health.WARNING, "python3 is not forked, but started")]

    def test_a_kernel_that_does_not_start_is_a_problem(
        self, patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_kernel(tmp_path, monkeypatch, "/gone/python", language="python")
        (tmp_path / "kernels" / "odd").rename(tmp_path / "kernels" / "python3")
        (remark,) = kernels.check_starting(patient)
        assert remark.health is Health.PROBLEM
        assert "KernelStartError" in remark.text

    def test_what_a_notebook_reads_is_seen_and_nothing_is_left_behind(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("NBCACHE_FROZEN", "1")
        monkeypatch.chdir(patient.folder)
        before = sorted(patient.folder.rglob("*"))
        (remark,) = kernels.check_observation(patient)
        assert remark.health is Health.OK, remark.text
        assert sorted(patient.folder.rglob("*")) == before


class TestPlace:
    """The cache's folder."""

    def test_the_reason_of_its_place_is_told(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (marked,) = place.check_cache(patient)
        assert marked.text.endswith(": in the project root, which has a pyproject.toml")
        monkeypatch.setenv("JUPYTERCACHE", "there")
        (named,) = place.check_cache(patient)
        assert named.text.endswith("/there: named by the variable JUPYTERCACHE")
        (given,) = place.check_cache(Patient(patient.folder, patient.folder / "here"))
        assert given.text.endswith("/here: named by --cache-path")
        assert not (patient.folder / ".nbcache").exists()

    def test_a_folder_that_belongs_to_no_project_is_a_warning(self, open_folder: Path) -> None:
        (remark,) = place.check_cache(Patient(open_folder))
        assert remark.health is Health.WARNING
        assert "no folder above has .git or pyproject.toml" in remark.text

    def test_what_is_in_the_cache_is_counted(self, treated: Patient) -> None:
        _, content = place.check_cache(treated)
        assert content.health is Health.OK
        assert content.details["entries"] == 1
        assert content.details["bytes"] > 0

    def test_another_format_is_a_warning(self, treated: Patient) -> None:
        (treated.folder / ".nbcache" / "FORMAT").write_text("99\n")
        _, content = place.check_cache(treated)
        assert content.health is Health.WARNING
        assert "format 99" in content.text

    def test_a_file_in_its_place_is_a_problem(self, patient: Patient) -> None:
        (patient.folder / ".nbcache").touch()
        _, remark = place.check_cache(patient)
        assert remark.health is Health.PROBLEM
        assert remark.text.endswith("is not a folder")

    def test_the_file_system_is_named_with_its_room(self, patient: Patient) -> None:
        (remark,) = place.check_file_system(patient)
        assert remark.details["free_bytes"] > 0
        assert bool(remark.details["type"]) == (sys.platform == "linux")

    def test_the_index_is_sound_damaged_or_not_there(self, treated: Patient) -> None:
        index = treated.folder / ".nbcache" / "index.sqlite"
        (sound,) = place.check_index(treated)
        assert sound.text.startswith("sound, ")
        index.write_bytes(b"no database" * 1000)
        (damaged,) = place.check_index(treated)
        assert damaged.health is Health.WARNING
        assert "index.sqlite is damaged" in damaged.text
        index.unlink()
        (missing,) = place.check_index(treated)
        assert missing.text == "there is none yet"

    def test_git_ignores_the_cache_unless_somebody_added_it(self, treated: Patient) -> None:
        def git(*words: str) -> None:
            subprocess.run(["git", *words], cwd=treated.folder, check=True, capture_output=True)

        git("init", "--quiet")
        (ignored,) = place.check_git(treated)
        assert ignored.text == "git ignores the cache"
        (treated.folder / ".nbcache" / ".gitignore").unlink()
        (seen,) = place.check_git(treated)
        assert show([seen]) == [(Health.WARNING, "git does not ignore the cache")]
        git("add", ".")
        (added,) = place.check_git(treated)
        assert show([added]) == [(Health.WARNING, "files of the cache are in the repository")]
        assert "nbcache project init --git" in added.advice
        git("rm", "-r", "--quiet", "--cached", ".nbcache")
        Store(treated.folder / ".nbcache").track(has_lfs=False)
        git("add", ".")
        (kept,) = place.check_git(treated)
        assert (kept.health, kept.text) == (Health.OK, "the cache is kept in the repository")

    def test_without_git_there_is_nothing_to_check(
        self, treated: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(treated.folder))
        assert shutil.which("git") is None
        (remark,) = place.check_git(treated)
        assert remark.health is Health.OK


def test_packages_and_plugins_are_all_there(patient: Patient) -> None:
    packages, plugins = (*software.check_packages(patient), *software.check_plugins(patient))
    assert packages.health is Health.OK
    assert {"sphinx", "myst-nb", "ipykernel"} <= packages.details.keys()
    assert "nbcache-fork-provisioner" in plugins.details


def test_cores_and_memory_are_counted(patient: Patient) -> None:
    cores, memory = (*machine.check_cores(patient), *machine.check_memory(patient))
    assert 1 <= cores.details["usable"] <= cores.details["cores"]
    assert memory.health in {Health.OK, Health.WARNING}


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1234, "1.23 kB"), (25_299_999_999, "25.3 GB"), (2e15, "2e+03 TB")],
)
def test_sizes_are_shown_with_three_digits(size: float, text: str) -> None:
    assert machine.show_bytes(size) == text
