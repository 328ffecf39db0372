"""The cache's folder: where it is and why there, and whether it can be relied on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from sphinx_nbcache.config import ROOT_MARKS, find_project_root
from sphinx_nbcache.errors import GitError
from sphinx_nbcache.pipeline.diagnosis.machine import show_bytes
from sphinx_nbcache.pipeline.diagnosis.remark import Health, Patient, Remark
from sphinx_nbcache.pipeline.project import JUPYTER_CACHE_VARIABLE, Project, read_config
from sphinx_nbcache.store import run_git

_NETWORK = (
    *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "lustre"),
    *("beegfs", "glusterfs", "gpfs", "pvfs2", "orangefs", "fuse.sshfs", "fuse.glusterfs"),
    *("fuse.ceph", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone"),
)
_LITTLE_BYTES = 1e9
_NOTHING_BYTES = 100e6
_MOVE = "set NBCACHE_PATH, or nbcache_path in conf.py, to a folder on a disk of this machine"


def check_cache(patient: Patient) -> Iterator[Remark]:
    """Say where the cache is, why there, and what is in it."""
    project = _open(patient)
    path, reason = project.store.path, _explain_place(patient, project)
    details = {"path": str(path), "root": str(project.root), "exists": path.is_dir()}
    if not _is_marked(project.root) and patient.path is None:
        text = f"{path}: the current folder, as no folder above has {' or '.join(ROOT_MARKS)}"
        advice = "run this in the project, and give it a pyproject.toml, or set NBCACHE_PATH"
        yield Remark("cache", Health.WARNING, text, advice, details)
    else:
        yield Remark("cache", Health.OK, f"{path}: {reason}", details=details)
    yield from _check_rights(path)
    if path.is_dir():
        yield from _check_content(project)


def check_file_system(patient: Patient) -> Iterator[Remark]:
    """Say on what the cache lies, and how much room there is."""
    folder = _find_existing(_open(patient).store.path)
    kind, free = _find_kind(folder), shutil.disk_usage(folder).free
    details = {"type": kind, "free_bytes": free}
    text = f"{kind or 'unknown'}, {show_bytes(free)} free"
    if kind in _NETWORK:
        said = f"the cache lies on a network ({kind}), where locks and SQLite are not reliable"
        yield Remark("file system", Health.WARNING, said, _MOVE, details)
    if free < _LITTLE_BYTES:
        health = Health.PROBLEM if free < _NOTHING_BYTES else Health.WARNING
        yield Remark("file system", health, text, f"make room, or {_MOVE}", details)
    elif kind not in _NETWORK:
        yield Remark("file system", Health.OK, text, details=details)


def check_index(patient: Patient) -> Iterator[Remark]:
    """Say whether the index can be read."""
    index = _open(patient).store.index
    flaw = index.find_flaw()
    if flaw is None:
        yield Remark("index", Health.OK, "there is none yet")
    elif flaw:
        advice = "remove it: the next build makes it anew, and nothing cached is lost"
        yield Remark("index", Health.WARNING, f"{index.path} is damaged: {flaw}", advice)
    else:
        size = index.path.stat().st_size
        yield Remark("index", Health.OK, f"sound, {show_bytes(size)}", details={"bytes": size})


def check_git(patient: Patient) -> Iterator[Remark]:
    """Say whether git leaves the cache alone."""
    path = _open(patient).store.path
    folder = _find_existing(path)
    try:
        run_git(folder, "rev-parse", "--show-toplevel")
    except GitError as error:
        yield Remark("git", Health.OK, error.reason)
        return
    if not path.is_dir():
        yield Remark("git", Health.OK, "the cache will have a .gitignore of its own")
        return
    yield _describe_tracking(path)


def _describe_tracking(path: Path) -> Remark:
    is_known = bool(run_git(path, "ls-files", "--", "."))
    # Ignored is what every machine has for itself; FORMAT is so only where the whole cache is.
    own, common = (_is_ignored(path, name) for name in ("index.sqlite", "FORMAT"))
    if own and not common:
        return Remark("git", Health.OK, "the cache is kept in the repository")
    if is_known:
        advice = f"nbcache project init --git, to keep them there; or git rm -r --cached {path}"
        return Remark("git", Health.WARNING, "files of the cache are in the repository", advice)
    if not own:
        advice = f"put a line * into {path / '.gitignore'}"
        return Remark("git", Health.WARNING, "git does not ignore the cache", advice)
    return Remark("git", Health.OK, "git ignores the cache")


def _is_ignored(path: Path, name: str) -> bool:
    try:
        run_git(path, "check-ignore", "--quiet", "--no-index", name)
    except GitError:
        return False
    return True


def _open(patient: Patient) -> Project:
    return Project.open(patient.folder, read_config(os.environ, {"path": patient.path}))


def _explain_place(patient: Patient, project: Project) -> str:
    if patient.path is not None:
        return "named by --cache-path"
    for name in ("NBCACHE_PATH", JUPYTER_CACHE_VARIABLE):
        if os.environ.get(name):
            return f"named by the variable {name}"
    mark = next((mark for mark in ROOT_MARKS if (project.root / mark).exists()), "")
    return f"in the project root, which has a {mark}"


def _is_marked(root: Path) -> bool:
    root = find_project_root(root)
    named = any(os.environ.get(name) for name in ("NBCACHE_PATH", JUPYTER_CACHE_VARIABLE))
    return named or any((root / mark).exists() for mark in ROOT_MARKS)


def _check_rights(path: Path) -> Iterator[Remark]:
    folder = _find_existing(path)
    if path.exists() and not path.is_dir():
        advice = "name a folder, or remove the file"
        yield Remark("cache", Health.PROBLEM, f"{path} is not a folder", advice)
    elif not os.access(folder, os.W_OK | os.X_OK):
        advice = "change its rights, or set NBCACHE_PATH to a folder that you may write to"
        yield Remark("cache", Health.PROBLEM, f"{folder} cannot be written", advice)


def _check_content(project: Project) -> Iterator[Remark]:
    if notice := project.store.describe_foreign_format():
        yield Remark("cache", Health.WARNING, notice, "remove the folder to be rid of this")
        return
    entries = sum(1 for _ in project.store.entries.list_paths())
    sizes = [_find_size(Path(place, n)) for place, _, ns in os.walk(project.store.path) for n in ns]
    details = {"entries": entries, "bytes": sum(sizes)}
    text = f"{entries} entries, {show_bytes(sum(sizes))}"
    yield Remark("cache", Health.OK, text, details=details)


def _find_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a build has just removed it
        return 0


def _find_existing(path: Path) -> Path:
    """Return the nearest folder that is there already."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _find_kind(folder: Path) -> str:
    """Return the type of the file system that a folder lies on; empty where nobody tells."""
    if sys.platform != "linux":
        return ""
    text = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    found, kind = Path("/"), ""
    for line in text.splitlines():
        _, place, its_kind, *_ = line.split(" ")
        # Spaces and other signs that would break the line stand there as octal numbers.
        point = Path(place.encode("utf-8", "surrogateescape").decode("unicode_escape"))
        if folder.is_relative_to(point) and len(point.parts) >= len(found.parts):
            found, kind = point, its_kind
    return kind
