"""``nbcache project``: as ``jcache project``, with exit statuses that tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sphinx_nbcache.testing import write_notebook
from tests.cli.conftest import Run
from tests.cli.samples import write_executed
from tests.git import commit, find_changes, git, own_git

__all__ = ["own_git"]


def test_version_is_the_format_and_without_a_cache_an_error(run: Run, project_folder: Path) -> None:
    none = run("project", "version")
    assert (none.exit_code, none.stderr) == (1, "Error: No cache found.\n")
    write_executed(project_folder / "a.ipynb")
    run("cache", "add", "a.ipynb")
    assert run("project", "version").output == "1\n"


def test_clear_removes_the_folder_after_asking(run: Run, project_folder: Path) -> None:
    write_executed(project_folder / "a.ipynb")
    run("cache", "add", "a.ipynb")
    assert run("project", "clear", input="n\n").exit_code == 1
    assert (project_folder / ".nbcache/FORMAT").exists()
    assert run("project", "clear", "--force").output == "Cache cleared!\n"
    assert not (project_folder / ".nbcache").exists()


def test_a_folder_that_is_no_cache_is_not_cleared(run: Run, project_folder: Path) -> None:
    (project_folder / "data").mkdir()
    (project_folder / "data/precious").touch()
    result = run("project", "-p", "data", "clear", "-f")
    assert (result.exit_code, "is no cache of this tool" in result.stderr) == (2, True)
    assert (project_folder / "data/precious").exists()


def test_what_is_not_ours_in_the_folder_stays(run: Run, project_folder: Path) -> None:
    write_executed(project_folder / "a.ipynb")
    run("cache", "add", "a.ipynb")
    (project_folder / ".nbcache/mine").touch()
    run("project", "clear", "-f")
    assert [path.name for path in (project_folder / ".nbcache").iterdir()] == ["mine"]


def test_the_limit_is_none_until_it_is_set(run: Run) -> None:
    assert run("project", "cache-limit").output == "Current cache limit: none\n"
    assert run("project", "cache-limit", "3").output == "Cache limit changed!\n"
    assert run("project", "cache-limit").output == "Current cache limit: 3\n"
    run("project", "cache-limit", "none")
    assert run("project", "cache-limit").output == "Current cache limit: none\n"


@pytest.mark.parametrize("limit", ["0", "x", "1.5"])
def test_a_wrong_limit_is_refused(run: Run, limit: str) -> None:
    assert run("project", "cache-limit", limit).exit_code == 2


def test_a_build_keeps_the_limit_but_what_it_used_itself(run: Run, project_folder: Path) -> None:
    for number in range(4):
        write_executed(project_folder / f"old{number}.ipynb", [(f"print({number})", "")])
        run("cache", "add", f"old{number}.ipynb")
    run("project", "cache-limit", "1")
    for name in "ab":
        write_notebook(project_folder / f"{name}.ipynb", f"print('{name}')")
    assert run("execute", "a.ipynb", "b.ipynb").exit_code == 0
    paths = [item["path"] for item in json.loads(run("cache", "list", "--json").output)]
    assert sorted(paths) == ["a.ipynb", "b.ipynb"]
    assert run("verify").output.endswith(": sound\n")


def test_all_run_and_what_failed_is_told_with_status_1(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "bad.ipynb", "1 / 0")
    write_notebook(project_folder / "good.ipynb", "print(1)")
    (project_folder / "gone.ipynb").write_text("{}")
    write_notebook(project_folder / "gone.ipynb", "1")
    run("notebook", "add", "bad.ipynb", "good.ipynb", "gone.ipynb")
    (project_folder / "gone.ipynb").unlink()
    result = run("project", "execute", "-v", "warning")
    assert result.exit_code == 1
    assert result.stdout.endswith(
        "succeeded:\n- good.ipynb\nexcepted:\n- bad.ipynb\nerrored:\n- gone.ipynb\n"
    )
    assert "ran  good.ipynb" not in result.stdout
    again = run("project", "execute", "--timeout", "20", "-e", "local-serial")
    assert "succeeded: []\nexcepted:\n- bad.ipynb\n" in again.output


def test_who_moves_over_can_have_the_exit_status_of_jcache(
    run: Run, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook(project_folder / "a.ipynb", "1 / 0")
    run("notebook", "add", "a.ipynb")
    monkeypatch.setenv("NBCACHE_JCACHE_EXIT", "1")
    for command in (["project", "execute"], ["notebook", "execute", "a.ipynb"]):
        result = run(*command)
        assert (result.exit_code, "excepted:\n- a.ipynb" in result.stdout) == (0, True), command


@pytest.mark.parametrize("variable", ["JUPYTERCACHE", "NBCACHE_PATH"])
def test_a_variable_names_the_cache(
    run: Run, project_folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    write_executed(project_folder / "a.ipynb")
    monkeypatch.setenv(variable, "elsewhere/cache")
    run("cache", "add", "a.ipynb")
    assert (project_folder / "elsewhere/cache/FORMAT").exists()
    assert not (project_folder / ".nbcache").exists()


def test_a_failure_can_keep_others_from_starting(run: Run, project_folder: Path) -> None:
    for name in ("a", "b", "c"):
        write_notebook(project_folder / f"{name}.ipynb", f"'{name}'\n1 / 0")
    result = run("execute", "--fail-fast", "-j", "1", ".")
    assert result.exit_code == 1
    assert "(0 hits, 0 ran, 1 failed, 2 not executed)" in result.stdout


@pytest.mark.parametrize("executor", ["local-parallel", "temp-parallel"])
def test_force_holds_for_every_executor(run: Run, project_folder: Path, executor: str) -> None:
    write_notebook(project_folder / "a.ipynb", "print(1)")
    run("notebook", "add", "a.ipynb")
    for _ in range(2):
        result = run("project", "execute", "--force", "-e", executor)
        assert "succeeded:\n- a.ipynb\n" in result.output


def test_in_a_temporary_folder_assets_are_there_and_what_is_left_can_be_had(
    run: Run, project_folder: Path
) -> None:
    folder = project_folder / "sub"
    read = "print(open('data/in.txt').read())"
    write = "import os\nos.mkdir('out')\nopen('out/x.bin', 'wb').write(b'\\0made')"
    write_notebook(folder / "a.ipynb", read, write)
    (folder / "data").mkdir()
    (folder / "data/in.txt").write_text("first")
    run("notebook", "add-with-assets", "-nb", "sub/a.ipynb", "sub/data/in.txt")
    cold = run("project", "execute", "-e", "temp-serial")
    assert "succeeded:\n- sub/a.ipynb\n" in cold.output
    assert not (folder / "out").exists()
    assert "✅ [1]" in run("notebook", "list").output
    assert run("notebook", "merge", "1", "final.ipynb").exit_code == 0
    assert run("cache", "cat-artifact", "1", "out/x.bin").stdout_bytes == b"\0made"
    told = json.loads(run("cache", "info", "1", "--json").output)
    assert (told["artifacts"], told["left"]) == ([], ["out/x.bin"])
    assert "succeeded: []\n" in run("project", "execute", "-e", "temp-serial").output
    (folder / "data/in.txt").write_text("second")
    assert "succeeded:\n- sub/a.ipynb\n" in run("project", "execute", "-e", "temp-serial").output
    assert run("verify").output.endswith(": sound\n")


def test_an_asset_that_is_gone_fails_its_notebook(run: Run, project_folder: Path) -> None:
    write_notebook(project_folder / "a.ipynb", "1")
    (project_folder / "in.txt").touch()
    run("notebook", "add-with-assets", "-nb", "a.ipynb", "in.txt")
    (project_folder / "in.txt").unlink()
    result = run("project", "execute", "-e", "temp-parallel")
    assert (result.exit_code, "errored:\n- a.ipynb\n" in result.stdout) == (1, True)
    assert "in.txt" in result.stderr


def test_init_makes_the_cache_that_git_ignores(run: Run, project_folder: Path) -> None:
    assert run("project", "init").output == "cache: .nbcache\n"
    assert (project_folder / ".nbcache/.gitignore").read_text() == "*\n"
    assert run("project", "version").output == "1\n"


class TestInitInGit:
    """``nbcache project init --git`` and ``--git-lfs``."""

    @pytest.fixture
    def repository(self, own_git: None, project_folder: Path) -> Path:
        git(project_folder, "init", "--quiet", "--initial-branch=main")
        return project_folder

    def test_git_takes_all_but_what_belongs_to_one_machine(
        self, repository: Path, run: Run
    ) -> None:
        said = run("project", "init", "--git").output.splitlines()
        assert said[1:] == [
            "wrote .nbcache/.gitignore",
            "wrote .nbcache/.gitattributes",
            "next: git add .nbcache",
        ]
        write_executed(repository / "a.ipynb")
        run("notebook", "add", "a.ipynb")
        run("cache", "add", "a.ipynb")
        folder = repository / ".nbcache"
        assert {path.name for path in folder.iterdir()} >= {"index.sqlite", "locks", "tmp"}
        commit(repository)
        names = git(folder, "ls-files").splitlines()
        tops = {name.partition("/")[0] for name in names}
        assert tops == {
            *(".gitattributes", ".gitignore", "CACHEDIR.TAG", "FORMAT"),
            *("entries", "objects", "project.json"),
        }
        assert find_changes(repository) == ""

    def test_a_second_time_nothing_is_written(self, repository: Path, run: Run) -> None:
        run("project", "init", "--git-lfs")
        again = run("project", "init", "--git-lfs")
        assert (again.exit_code, "wrote" in again.output) == (0, False)
        assert "wrote" not in run("project", "init", "--git").output

    def test_lines_of_the_user_stay(self, repository: Path, run: Run) -> None:
        run("project", "init")
        (repository / ".nbcache/.gitignore").write_text("*\nmine\n")
        (repository / ".nbcache/.gitattributes").write_text("*.zst linguist-generated")
        run("project", "init", "--git")
        ignored = (repository / ".nbcache/.gitignore").read_text().splitlines()
        assert ignored == ["mine", "index.sqlite*", "locks/", "tmp/"]
        attributes = (repository / ".nbcache/.gitattributes").read_text().splitlines()
        assert attributes[:2] == ["*.zst linguist-generated", "* -text"]

    def test_objects_go_through_the_filter_of_git_lfs_and_records_do_not(
        self, repository: Path, run: Run
    ) -> None:
        said = run("project", "init", "--git-lfs").output
        assert "next: git lfs install  (once on each machine)" in said
        names = ("objects/ab/cd.zst", "entries/ab/cd/ef.json", "FORMAT")
        asked = git(repository / ".nbcache", "check-attr", "filter", "--", *names)
        assert [line.rpartition(": ")[2] for line in asked.splitlines()] == [
            "lfs",
            "unspecified",
            "unspecified",
        ]

    def test_a_cache_that_is_committed_already_is_to_be_normalised(
        self, repository: Path, run: Run
    ) -> None:
        run("project", "init", "--git")
        write_executed(repository / "a.ipynb")
        run("cache", "add", "a.ipynb")
        commit(repository)
        assert "next: git add --renormalize .nbcache" in run("project", "init", "--git-lfs").output

    def test_what_ignores_the_cache_from_outside_is_told(self, repository: Path, run: Run) -> None:
        (repository / ".gitignore").write_text(".nbcache/\n")
        said = run("project", "init", "--git").output
        assert "next: take the line that names .nbcache out of the .gitignore that has it" in said

    def test_verify_tells_how_many_objects_are_not_fetched(
        self, repository: Path, run: Run
    ) -> None:
        write_executed(repository / "a.ipynb")
        run("cache", "add", "a.ipynb")
        oid = b"0" * 64
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 9\n" % oid
        paths = [path for path in repository.glob(".nbcache/objects/*/*") if path.is_file()]
        for path in paths:
            path.write_bytes(pointer)
        result = run("verify", "--repair")
        assert result.exit_code == 0
        told = f"{len(paths)} objects are not fetched from git LFS: run `git lfs pull`"
        assert result.output.splitlines()[0] == told
        assert all(path.exists() for path in paths)


@pytest.mark.usefixtures("own_git")
@pytest.mark.parametrize("flag", ["--git", "--git-lfs"])
def test_outside_of_a_repository_nothing_is_made(run: Run, project_folder: Path, flag: str) -> None:
    result = run("project", "init", flag)
    assert result.exit_code == 2
    assert "this folder is in no git repository: go into one" in result.stderr
    assert not (project_folder / ".nbcache").exists()
