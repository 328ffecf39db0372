"""Several builds at once, and builds that are stopped or killed: real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sphinx_nbcache.pipeline import NotebookCache
from sphinx_nbcache.testing import write_notebook
from tests.conftest import wait_until

StartPython = Callable[..., "subprocess.Popen[str]"]
ListProcesses = Callable[[], list[psutil.Process]]

BUILD = """
import sys
from sphinx_nbcache import NotebookCache
folder = sys.argv[1]
report = NotebookCache(project=folder).execute(
    [folder], jobs=3, on_finished=lambda outcome: print(outcome.name, outcome.status, flush=True)
)
print("end", *(outcome.status for outcome in report.outcomes))
"""

QUICK = "print('quick')"
SLEEPING = "open('sleeping', 'w').close()\nimport time; time.sleep(1000)"
BUSY = "open('busy', 'w').close()\nwhile True: pass"
SPAWNING = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
open("spawning", "w").close()
time.sleep(1000)
"""


def read_line(child: subprocess.Popen[str]) -> str:
    """Return what a child prints next."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def start_slow_build(folder: Path, start_python: StartPython, **slow: str) -> subprocess.Popen[str]:
    """Start a build and return it when a quick notebook is done and the slow ones run."""
    write_notebook(folder / "quick.ipynb", QUICK)
    for name, code in slow.items():
        write_notebook(folder / f"{name}.ipynb", code, metadata={"execution": {"timeout": -1}})
    child = start_python(BUILD, folder)
    assert read_line(child) == "quick.ipynb ran"
    for name in slow:
        assert wait_until((folder / name).exists, 60)
    return child


def check_after(folder: Path, *slow: str) -> None:
    """See that what was finished is kept, the rest is not, and all can be run again."""
    cache = NotebookCache(project=folder)
    assert cache.verify() == []
    assert cache.find(folder / "quick.ipynb") is not None
    for name in slow:
        path = folder / f"{name}.ipynb"
        assert cache.find(path) is None
        write_notebook(path, f"print({name!r})")
    report = cache.execute([folder])
    assert report.totals.ran == len(slow)
    assert report.totals.hits == 1


def test_two_builds_at_once_run_each_notebook_once(
    project_folder: Path, tmp_path: Path, start_python: StartPython
) -> None:
    runs = tmp_path / "runs"
    code = f"open({str(runs)!r}, 'a').write('x')\nimport time; time.sleep(0.3)\nprint({{}})"
    for number in range(4):
        write_notebook(project_folder / f"{number}.ipynb", code.format(number))
    children = [start_python(BUILD, project_folder) for _ in range(2)]
    ends = [child.communicate(timeout=90) for child in children]
    assert runs.read_text() == "x" * 4, ends
    for stdout, stderr in ends:
        assert stderr == ""
        words = stdout.splitlines()[-1].split()
        assert words[0] == "end"
        assert set(words[1:]) <= {"ran", "hit"}
        assert len(words) == 5
    assert "".join(stdout for stdout, _ in ends).count("ipynb ran") == 4


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
class TestStopped:
    """A build that is stopped from outside."""

    @pytest.mark.parametrize(
        "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
    )
    def test_by_a_signal_leaves_no_process_and_keeps_what_was_finished(
        self,
        project_folder: Path,
        start_python: StartPython,
        list_processes: ListProcesses,
        number: signal.Signals,
    ) -> None:
        slow = {"busy": BUSY, "spawning": SPAWNING}
        child = start_slow_build(project_folder, start_python, **slow)
        child.send_signal(number)
        assert child.wait(30) != 0
        assert wait_until(lambda: not list_processes())
        assert "end" not in child.communicate()[0]
        check_after(project_folder, *slow)

    def test_by_kill_leaves_kernels_that_end_by_themselves(
        self, project_folder: Path, start_python: StartPython, list_processes: ListProcesses
    ) -> None:
        slow = {"busy": BUSY, "sleeping": SLEEPING}
        child = start_slow_build(project_folder, start_python, **slow)
        assert len(list_processes()) >= 3
        child.kill()
        child.wait(10)
        assert wait_until(lambda: not list_processes(), 15)
        check_after(project_folder, *slow)

    def test_by_kill_hands_its_work_to_the_build_that_waits_for_it(
        self, project_folder: Path, start_python: StartPython
    ) -> None:
        code = (
            "import pathlib, time\n"
            "first = not pathlib.Path('slow').exists()\n"
            "pathlib.Path('slow').touch()\n"
            "time.sleep(1000 * first)"
        )
        killed = start_slow_build(project_folder, start_python, slow=code)
        heir = start_python(BUILD, project_folder)
        with pytest.raises(subprocess.TimeoutExpired):
            heir.wait(1.5)
        killed.kill()
        stdout, stderr = heir.communicate(timeout=60)
        assert stderr == ""
        assert stdout.splitlines() == ["slow.ipynb ran", "end hit ran"]
