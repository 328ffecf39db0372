"""What all tests share: an environment of their own, and real child processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import settings

from sphinx_nbcache.config import (
    MEMO_PATH_VARIABLE,
    MEMO_REMOTE_VARIABLE,
    MEMO_SIGNED_VARIABLE,
    OPTIONS,
    SIGNING_VARIABLE,
)

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]
StartPython = Callable[..., "subprocess.Popen[str]"]
ListProcesses = Callable[[], list[psutil.Process]]

# No deadline: the machine may be busy with kernels. `--hypothesis-profile thorough` looks longer.
settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("quick")

# A shell starts what runs in its background with Ctrl-C ignored, which all children inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_VARIABLES = (
    *(option.variable for option in OPTIONS if option.variable),
    MEMO_PATH_VARIABLE,
    MEMO_REMOTE_VARIABLE,
    MEMO_SIGNED_VARIABLE,
    SIGNING_VARIABLE,
)
_MARK = "MARK_OF_A_TEST"  # not NBCACHE_..., which builds in tests do not hand on


@pytest.fixture(scope="session")
def _home() -> Iterator[Path]:
    # Not pytest's folder: short, and open to a user without privileges.
    with tempfile.TemporaryDirectory(prefix="nbcache-tests-") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _own_environment(_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's settings out, and what kernels write out of the user's home."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IPYTHONDIR", str(_home / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(_home / "runtime"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


@pytest.fixture
def project_folder(tmp_path: Path) -> Path:
    """Return an empty folder that is a project's root."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    return folder


@pytest.fixture
def open_folder(_home: Path) -> Path:
    """Return an empty folder that users without privileges can reach."""
    _home.chmod(0o755)
    folder = _home / uuid.uuid4().hex
    folder.mkdir()
    return folder


DROP_PRIVILEGES = """
import os, tempfile
def drop_privileges():
    # Nothing is read-only for root; elsewhere tests do not run as root anyway.
    tempfile.gettempdir()
    if os.geteuid() == 0:
        os.setegid(65534)
        os.seteuid(65534)
"""


@pytest.fixture
def run_python() -> RunPython:
    """Return a function that runs a program text in a new interpreter, to its end."""

    def run(code: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        options = {"timeout": 60, "capture_output": True, "text": True, **options}
        return subprocess.run(command, check=False, env=_make_environment(), **options)

    return run


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """Return a function that starts a program text in a new interpreter."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_make_environment(),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def _make_environment() -> dict[str, str]:
    """Let child processes import the tests, from whatever folder pytest was started."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}


@pytest.fixture
def list_processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[ListProcesses]:
    """Return a function that lists the processes which this test started, orphans included.

    They are known by an environment variable, which every process hands on.
    """
    mark = uuid.uuid4().hex
    monkeypatch.setenv(_MARK, mark)

    def list_marked() -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _has_mark(process, mark)]

    yield list_marked
    for process in list_marked():
        with suppress(psutil.Error):
            process.kill()


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        is_ours = process.environ().get(_MARK) == mark
        return is_ours and process.pid != os.getpid() and process.status() != "zombie"
    except (psutil.Error, OSError):
        return False


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> bool:
    """Return whether a condition came true in time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
