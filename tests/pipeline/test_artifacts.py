"""Artifacts: kept, put back, and never put where they could do harm."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sphinx_nbcache.config import Config
from sphinx_nbcache.model import Artifact, digest_bytes
from sphinx_nbcache.pipeline import Project
from sphinx_nbcache.pipeline.artifacts import Artifacts, Exclusions, Restored, is_safe
from tests.conftest import DROP_PRIVILEGES

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

DATA = b"a,b\n1,2\n"
OTHER = b"a,b\n3,4\n"

on_posix = pytest.mark.skipif(os.name != "posix", reason="links and modes as POSIX has them")


class Remembered:
    """What is known of the files below a root, without a memory of stamps."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ours: set[tuple[str, str]] = set()
        self.stamps: dict[str, tuple[int, int, int]] = {}

    def digest_file(self, path: str) -> str | None:
        try:
            return digest_bytes((self.root / path).read_bytes())
        except OSError:
            return None

    def is_ours(self, path: str, digest: str) -> bool:
        return (path, digest) in self.ours

    def note(self, path: str, digest: str, stamp: tuple[int, int, int]) -> None:
        self.ours.add((path, digest))
        self.stamps[path] = stamp


@pytest.fixture
def root(project: Project) -> Path:
    """Return the root of an empty project."""
    return project.root


@pytest.fixture
def known(root: Path) -> Remembered:
    """Return a memory of files that is empty."""
    return Remembered(root)


def write(path: Path, data: bytes = DATA, mode: int = 0o644) -> str:
    """Write a file as a notebook does; return its absolute path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def stamp_of(path: Path | str) -> tuple[int, int, int]:
    """Return size, mtime and inode of a file."""
    found = Path(path).stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def list_names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def save(project: Project, known: Remembered, *paths: str) -> tuple[Artifact, ...]:
    """Keep files of which all can be kept."""
    saved = Artifacts(project, known).save(paths)
    assert saved.problems == ()
    return saved.artifacts


def restore(project: Project, known: Remembered, *artifacts: Artifact) -> Restored:
    """Restore in a build of its own."""
    return Artifacts(project, known).restore(artifacts, notebook="docs/a.ipynb")


def store_artifact(project: Project, path: str, data: bytes = DATA) -> Artifact:
    """Return an artifact with an object and any path, as someone may have made it."""
    return Artifact(path=path, digest=project.store.objects.write(data), mode=0o644)


class TestSaving:
    """``save``."""

    def test_keeps_path_content_and_mode(
        self, project: Project, root: Path, known: Remembered
    ) -> None:
        path = write(root / "docs" / "run.sh", mode=0o755)
        (artifact,) = save(project, known, path)
        mode = 0o755 if os.name == "posix" else 0o644
        assert artifact == Artifact(path="docs/run.sh", digest=digest_bytes(DATA), mode=mode)
        assert project.store.objects.read(artifact.digest) == DATA
        assert known.is_ours("docs/run.sh", artifact.digest)
        assert known.stamps == {"docs/run.sh": stamp_of(path)}

    def test_sorts_and_names_each_once(
        self, project: Project, root: Path, known: Remembered
    ) -> None:
        paths = [write(root / name) for name in ("b", "a", "b")]
        assert [artifact.path for artifact in save(project, known, *paths)] == ["a", "b"]

    def test_keeps_an_empty_file(self, project: Project, root: Path, known: Remembered) -> None:
        (artifact,) = save(project, known, write(root / "empty", b""))
        (root / "empty").unlink()
        assert restore(project, known, artifact).written == ("empty",)
        assert (root / "empty").read_bytes() == b""

    def test_leaves_out_what_is_gone_or_no_file_or_not_absolute(
        self, project: Project, root: Path, known: Remembered
    ) -> None:
        (root / "folder").mkdir()
        paths = [root / "gone", root / "folder", root / "no" / "folder", "pyproject.toml", ""]
        assert save(project, known, *map(str, paths)) == ()

    def test_leaves_out_what_lies_outside_the_root(
        self, project: Project, root: Path, known: Remembered
    ) -> None:
        outside = write(root.parent / "outside.csv")
        assert save(project, known, outside, str(root / ".." / "outside.csv")) == ()

    @on_posix
    def test_leaves_out_links_and_what_lies_behind_a_link_to_outside(
        self, project: Project, root: Path, known: Remembered
    ) -> None:
        write(root.parent / "elsewhere" / "out.csv")
        (root / "folder").symlink_to(root.parent / "elsewhere")
        (root / "link.csv").symlink_to(root.parent / "elsewhere" / "out.csv")
        paths = [root / "folder" / "out.csv", root / "link.csv"]
        assert save(project, known, *map(str, paths)) == ()

    @on_posix
    def test_names_a_file_behind_a_link_by_where_it_lies(
        self, project: Project, root: Path, known: Remembered
    ) -> None:
        write(root / "data" / "out.csv")
        (root / "link").symlink_to("data")
        (root.parent / "checkout").symlink_to(root)
        paths = [root / "link" / "out.csv", root.parent / "checkout" / "data" / "out.csv"]
        (artifact,) = save(project, known, *map(str, paths))
        assert artifact.path == "data/out.csv"

    def test_leaves_out_what_is_excluded(self, project_folder: Path, known: Remembered) -> None:
        project = Project.open(project_folder, Config(), [project_folder / "html"])
        names = [
            "__pycache__/a.pyc",
            "docs/.ipynb_checkpoints/a.ipynb",
            ".git/hooks/pre-commit",
            "html/index.html",
            ".nbcache-12-ab",
        ]
        paths = [write(project.root / name) for name in names]
        paths.append(write(project.store.path / "stray"))
        assert save(project, known, *paths) == ()

    @on_posix
    def test_tells_of_a_file_that_cannot_be_read(
        self, open_folder: Path, run_python: RunPython
    ) -> None:
        code = DROP_PRIVILEGES + (
            "import sys; from pathlib import Path\n"
            "from tests.pipeline.test_artifacts import *\n"
            "import filelock, zstandard\n"
            "root = Path(sys.argv[1]); root.joinpath('pyproject.toml').touch(); root.chmod(0o777)\n"
            "drop_privileges()\n"
            "project = Project.open(root, Config())\n"
            "path = write(root / 'secret', mode=0)\n"
            "print(*Artifacts(project, Remembered(root)).save([path]).problems)\n"
        )
        result = run_python(code, open_folder)
        assert result.stderr == ""
        assert result.stdout == "secret is not kept in the cache: Permission denied\n"


class TestRestoring:
    """``restore``."""

    @pytest.fixture
    def artifact(self, project: Project, root: Path, known: Remembered) -> Artifact:
        """Return what was kept of a file that lies there as its notebook wrote it."""
        (artifact,) = save(project, known, write(root / "data" / "deep" / "out.csv", mode=0o640))
        return artifact

    @pytest.fixture
    def target(self, root: Path, artifact: Artifact) -> Path:
        """Return where it lies."""
        return root / artifact.path

    def test_leaves_alone_what_is_as_it_was(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        before = target.stat()
        assert restore(project, known, artifact) == Restored()
        after = target.stat()
        assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)

    def test_creates_what_is_missing_with_its_folders_and_its_mode(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        target.unlink()
        target.parent.rmdir()
        target.parent.parent.rmdir()
        assert restore(project, known, artifact) == Restored(written=(artifact.path,))
        assert target.read_bytes() == DATA
        assert known.stamps == {artifact.path: stamp_of(target)}
        if os.name == "posix":
            assert target.stat().st_mode == 0o100640

    def test_replaces_what_a_notebook_is_known_to_have_put_there(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        save(project, known, write(target, OTHER))
        assert restore(project, known, artifact) == Restored(written=(artifact.path,))
        assert target.read_bytes() == DATA

    def test_replaces_what_a_failed_run_left(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        write(target, b"half of it")
        Artifacts(project, known).note([str(target)])
        assert restore(project, known, artifact).written == (artifact.path,)

    def test_keeps_what_the_user_changed_and_says_so(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        target.write_bytes(b"mine")
        assert restore(project, known, artifact) == Restored(
            problems=(
                "data/deep/out.csv was changed since docs/a.ipynb wrote it: the file is kept; "
                "remove it to get the notebook's own back",
            )
        )
        assert target.read_bytes() == b"mine"

    def test_keeps_what_the_user_changes_while_the_object_is_copied(
        self, project: Project, root: Path, artifact: Artifact, target: Path
    ) -> None:
        class Interfering(Remembered):
            def is_ours(self, path: str, digest: str) -> bool:
                is_ours = super().is_ours(path, digest)
                if digest == digest_bytes(OTHER):
                    target.write_bytes(b"mine, just now")
                return is_ours

        known = Interfering(root)
        target.write_bytes(OTHER)
        known.ours.add((artifact.path, digest_bytes(OTHER)))
        found = restore(project, known, artifact)
        assert found.written == ()
        assert "the file is kept" in found.problems[0]
        assert target.read_bytes() == b"mine, just now"
        assert list_names(target.parent) == [target.name]

    @on_posix
    def test_mends_the_mode_alone(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        target.chmod(0o600)
        assert restore(project, known, artifact) == Restored()
        assert target.stat().st_mode == 0o100640

    @on_posix
    def test_gives_no_more_than_permissions(self, project: Project, known: Remembered) -> None:
        artifact = replace(store_artifact(project, "tool"), mode=0o106755)
        restore(project, known, artifact)
        assert (project.root / "tool").stat().st_mode == 0o100755

    def test_remembers_content_that_was_there_already(
        self, project: Project, artifact: Artifact, target: Path
    ) -> None:
        known = Remembered(project.root)
        assert restore(project, known, artifact) == Restored()
        assert known.is_ours(artifact.path, artifact.digest)
        assert known.stamps == {artifact.path: stamp_of(target)}

    @pytest.mark.parametrize("is_gone", [True, False])
    def test_tells_of_an_object_that_is_missing_or_damaged(
        self,
        project: Project,
        known: Remembered,
        artifact: Artifact,
        target: Path,
        is_gone: bool,
    ) -> None:
        target.unlink()
        (path,) = project.store.objects.list_paths()
        path.write_bytes(b"damaged")
        if is_gone:
            path.unlink()
        assert restore(project, known, artifact) == Restored(
            lost=(artifact.path,),
            problems=(
                "data/deep/out.csv, written by docs/a.ipynb, is not restored: "
                "its object in the cache is missing or damaged",
            ),
        )
        assert not target.exists()

    def test_tells_of_a_folder_in_its_place(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        target.unlink()
        target.mkdir()
        assert "there is a folder" in restore(project, known, artifact).problems[0]

    def test_tells_of_a_file_where_its_folder_was(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        target.unlink()
        target.parent.rmdir()
        target.parent.write_bytes(b"mine")
        assert "data/deep: there is something else" in restore(project, known, artifact).problems[0]
        assert target.parent.read_bytes() == b"mine"

    def test_of_two_notebooks_that_write_one_file_touches_it_once_in_a_build(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        (other,) = save(project, known, write(target, OTHER))
        for is_first_build in (True, False):
            artifacts = Artifacts(project, known)
            written = [
                artifacts.restore([found], notebook="docs/a.ipynb").written
                for found in (artifact, other)
            ]
            assert written == [(artifact.path,) if is_first_build else (), ()]

    def test_does_not_undo_what_a_run_of_the_same_build_wrote(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        artifacts = Artifacts(project, known)
        artifacts.save([write(target, OTHER)])
        assert artifacts.restore([artifact], notebook="docs/a.ipynb") == Restored()
        assert target.read_bytes() == OTHER

    def test_removes_drafts_that_a_killed_build_left_long_ago(
        self, project: Project, known: Remembered, artifact: Artifact, target: Path
    ) -> None:
        old, new = target.with_name(".nbcache-1-ab"), target.with_name(".nbcache-2-cd")
        for draft in (old, new):
            draft.touch()
        os.utime(old, (time.time() - 7200,) * 2)
        target.unlink()
        restore(project, known, artifact)
        assert list_names(target.parent) == [new.name, target.name]

    @pytest.mark.parametrize("is_missing", [True, False])
    def test_may_be_done_by_many_builds_at_once(
        self, project: Project, artifact: Artifact, target: Path, is_missing: bool
    ) -> None:
        memories = [Remembered(project.root) for _ in range(4)]
        for known in memories:
            known.ours.add((artifact.path, digest_bytes(OTHER)))
        for _ in range(20):
            target.unlink() if is_missing else target.write_bytes(OTHER)
            with ThreadPoolExecutor(4) as executor:
                builds = [executor.submit(restore, project, known, artifact) for known in memories]
                found = [build.result(60) for build in builds]
            assert [restored.problems for restored in found] == [()] * 4
            assert target.read_bytes() == DATA
            assert list_names(target.parent) == [target.name]

    @on_posix
    def test_tells_of_a_folder_that_cannot_be_written(
        self, open_folder: Path, run_python: RunPython
    ) -> None:
        code = DROP_PRIVILEGES + (
            "import sys; from pathlib import Path\n"
            "from tests.pipeline.test_artifacts import *\n"
            "import filelock, zstandard\n"
            "root = Path(sys.argv[1]); root.joinpath('pyproject.toml').touch()\n"
            "project = Project.open(root, Config())\n"
            "artifact = store_artifact(project, 'out.csv')\n"
            "root.chmod(0o555)\n"
            "drop_privileges()\n"
            "print(*restore(project, Remembered(root), artifact).problems)\n"
        )
        result = run_python(code, open_folder)
        assert result.stderr == ""
        assert result.stdout == (
            "out.csv, written by docs/a.ipynb, is not restored: Permission denied\n"
        )


UNSAFE = [
    "",
    ".",
    "..",
    "../outside",
    "data/../../outside",
    "data/..",
    "./data",
    "data//out",
    "data/",
    "/outside",
    "C:/outside",
    "c:",
    "nul\0",
    "\ud800",
]


class TestTamperedEntries:
    """An entry that someone made to do harm."""

    @pytest.mark.parametrize("path", UNSAFE)
    def test_cannot_name_a_place_outside_the_root(
        self, project: Project, known: Remembered, path: str
    ) -> None:
        artifact = store_artifact(project, path)
        before = sorted(project.root.parent.rglob("*"))
        (problem,) = restore(project, known, artifact).problems
        assert "is not restored: it is no plain path below the project root" in problem
        assert problem.isprintable()
        assert sorted(project.root.parent.rglob("*")) == before

    def test_cannot_name_an_absolute_path(self, project: Project, known: Remembered) -> None:
        outside = project.root.parent / "outside"
        restored = restore(project, known, store_artifact(project, outside.as_posix()))
        assert len(restored.problems) == 1
        assert not outside.exists()

    @on_posix
    @pytest.mark.parametrize("is_inside", [True, False])
    def test_cannot_write_through_a_link_to_a_folder(
        self, project: Project, known: Remembered, is_inside: bool
    ) -> None:
        folder = (project.root if is_inside else project.root.parent) / "victim"
        folder.mkdir()
        (project.root / "link").symlink_to(folder)
        restored = restore(project, known, store_artifact(project, "link/new/out.csv"))
        assert "link: there is a symbolic link, which is not followed" in restored.problems[0]
        assert list_names(folder) == []

    @on_posix
    @pytest.mark.parametrize("exists", [True, False])
    def test_cannot_write_through_a_link_to_a_file(
        self, project: Project, known: Remembered, exists: bool
    ) -> None:
        victim = project.root.parent / "victim"
        if exists:
            victim.write_bytes(OTHER)
            known.ours.add(("out.csv", digest_bytes(OTHER)))
        (project.root / "out.csv").symlink_to(victim)
        restored = restore(project, known, store_artifact(project, "out.csv"))
        assert "there is a symbolic link, which is not followed" in restored.problems[0]
        assert (project.root / "out.csv").is_symlink()
        assert (victim.read_bytes() if exists else victim.exists()) == (OTHER if exists else False)

    @pytest.mark.parametrize("path", [".git/hooks/pre-commit", ".GIT/config", "a/.nbcache/FORMAT"])
    def test_cannot_write_where_nothing_is_kept_from(
        self, project: Project, known: Remembered, path: str
    ) -> None:
        assert restore(project, known, store_artifact(project, path)) == Restored()
        assert not (project.root / path).exists()


class TestExclusions:
    """``Exclusions``."""

    @pytest.mark.parametrize(
        "path",
        [
            "__pycache__/a.cpython-311.pyc",
            "docs/.ipynb_checkpoints/a-checkpoint.ipynb",
            ".jupyter_cache/global.db",
            "docs/jupyter_execute/a.ipynb",
            ".venv/bin/python",
            "node_modules/x/index.js",
            "docs/.DS_Store",
            "docs/.a.md.swp",
            "build/html/index.html",
            "Build/HTML/index.html",
        ],
    )
    def test_are_what_tools_and_builds_make(self, tmp_path: Path, path: str) -> None:
        assert Exclusions(tmp_path, [tmp_path / "build" / "html"]).has(path)

    @pytest.mark.parametrize("path", ["out.csv", "build/html2/a", "docs/git/a", "build/latex/a"])
    def test_are_nothing_else(self, tmp_path: Path, path: str) -> None:
        assert not Exclusions(tmp_path, [tmp_path / "build" / "html"]).has(path)

    def test_do_not_grow_to_everything_with_a_folder_that_holds_the_root(
        self, tmp_path: Path
    ) -> None:
        assert not Exclusions(tmp_path, [tmp_path, tmp_path.parent]).has("out.csv")


@pytest.mark.parametrize("path", ["a", "a/b", "..a", "a..b/c", ".hidden", "ä/ö", "a b"])
def test_an_ordinary_path_is_safe(path: str) -> None:
    assert is_safe(path)


@pytest.mark.skipif(os.name != "nt", reason="ordinary names elsewhere")
@pytest.mark.parametrize("path", ["a\\..\\b", "a:stream", "C:a", ".git. /config", "a./b"])
def test_a_name_that_windows_reads_in_its_own_way_is_not_safe(path: str) -> None:
    assert not is_safe(path)
