"""Fork servers: one for each interpreter, whatever it can preload, gone with the build."""

from __future__ import annotations

import json
import os
import signal
import sys
import sysconfig
import textwrap
import venv
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest

from sphinx_nbcache.model import Job, Run, Status
from sphinx_nbcache.running import LocalExecutor
from sphinx_nbcache.running.servers import Command
from sphinx_nbcache.testing import make_notebook
from tests.conftest import StartPython, wait_until
from tests.running.conftest import ON_LINUX, fork_all, make_job
from tests.running.test_notebook import texts

pytestmark = ON_LINUX
ListProcesses = Callable[[], list[psutil.Process]]
InstallKernel = Callable[..., None]

PARENT = "import os; print(os.getppid())"


@pytest.fixture
def install_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstallKernel:
    """Return a function that installs a kernelspec for ipykernel."""
    folder = tmp_path / "jupyter"
    monkeypatch.setenv("JUPYTER_PATH", str(folder))

    def install(name: str, interpreter: str = sys.executable, **spec: object) -> None:
        argv = [interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        path = folder / "kernels" / name / "kernel.json"
        path.parent.mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": "python", **spec}
        path.write_text(json.dumps(spec))

    return install


def run_all(
    codes: Iterable[str],
    folder: Path,
    *modules: str,
    kernels: Iterable[str] = (),
    notices: list[str] | None = None,
) -> list[Run]:
    """Run notebooks of one cell each, one after another, in forked kernels of one executor."""
    names = [*kernels] or ["python3"] * len(codes := list(codes))
    with LocalExecutor(1, choose_modules=lambda job: modules) as executor:
        jobs = [
            make_job(make_notebook(code, kernel=name), folder)
            for code, name in zip(codes, names, strict=True)
        ]
        runs = [executor.submit(job).result(90) for job in jobs]
        found = executor.notices
    assert notices is not None or not found
    if notices is not None:
        notices += found
    return runs


def read_texts(runs: Iterable[Run]) -> list[str]:
    """Return what each notebook printed."""
    found = []
    for run in runs:
        assert run.failure is None, run.failure
        found += ["".join(filter(None, texts(run))).strip()]
    return found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["py", "-m", "ipykernel_launcher", "-f", "x"],
            (["py"], "ipykernel_launcher", ["-f", "x"]),
        ),
        (["py", "-m", "ipykernel"], (["py"], "ipykernel", [])),
        (
            ["py", "-Xa", "-X", "b", "-I", "-W", "error", "-m", "ipykernel_launcher"],
            (["py", "-Xa", "-X", "b", "-I", "-W", "error"], "ipykernel_launcher", []),
        ),
    ],
)
def test_a_command_of_ipykernel_is_taken_apart(
    words: list[str], expected: tuple[list[str], str, list[str]]
) -> None:
    command = Command.parse(words)
    assert command is not None
    assert (list(command.interpreter), command.module, list(command.arguments)) == expected


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["R", "--slave", "-e", "IRkernel::main()"],
        ["py", "-c", "import ipykernel_launcher", "-m", "ipykernel_launcher"],
        ["py", "-m", "bash_kernel", "-f", "x"],
        ["py", "-m"],
        ["py", "script.py", "-m", "ipykernel_launcher"],
        ["conda", "run", "-n", "x", "python", "-m", "ipykernel_launcher"],
    ],
)
def test_any_other_command_is_left_to_the_ordinary_start(words: list[str]) -> None:
    assert Command.parse(words) is None


def test_kernels_of_one_interpreter_come_from_one_server(tmp_path: Path) -> None:
    first, second = read_texts(run_all([PARENT, PARENT], tmp_path))
    assert first == second != str(os.getpid())


def test_variables_of_a_kernelspec_make_a_server_of_its_own(
    tmp_path: Path, install_kernel: InstallKernel
) -> None:
    install_kernel("plain")
    install_kernel("other", env={"SOME_VARIABLE": "other"})
    code = f"{PARENT}; print(os.environ.get('SOME_VARIABLE'))"
    kernels = ["plain", "other", "plain"]
    found = [text.split() for text in read_texts(run_all([code] * 3, tmp_path, kernels=kernels))]
    assert [variable for _, variable in found] == ["None", "other", "None"]
    assert found[0][0] == found[2][0] != found[1][0]


def test_what_is_preloaded_is_there_and_nothing_else_is(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "maps = Path('/proc/self/maps').read_text()\n"
        "print('_multiarray_umath' in maps, 'pandas' in maps)"
    )
    assert read_texts(run_all([code], tmp_path, "numpy")) == ["True False"]
    assert read_texts(run_all([code], tmp_path)) == ["False False"]


SPOILERS = {
    "prints": "print('hello')",
    "warns": "import warnings; warnings.warn('careful')",
    "breaks": "1 / 0",
    "threads": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "exits": "import sys; sys.exit(3)",
    "lacks": "import a_module_that_is_nowhere",
}
REASONS = {
    "prints": "prints or warns",
    "warns": "prints or warns",
    "breaks": "ZeroDivisionError",
    "threads": "starts a thread",
    "exits": "SystemExit",
    "lacks": "a_module_that_is_nowhere, which is not there",
}


@pytest.mark.parametrize("name", SPOILERS)
def test_a_module_that_must_not_be_preloaded_is_left_out_and_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"spoiler_{name}.py").write_text(SPOILERS[name])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = f"import sys; print('wave' in sys.modules, 'spoiler_{name}' in sys.modules)"
    notices: list[str] = []
    found = run_all([code], tmp_path, f"spoiler_{name}", "wave", notices=notices)
    assert read_texts(found) == ["True False"]
    (notice,) = notices
    assert f"spoiler_{name} is not preloaded" in notice
    assert REASONS[name] in notice


def test_a_module_that_kills_its_server_is_told_and_kernels_are_forked_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spoiler.py").write_text("import os; os._exit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    notices: list[str] = []
    assert read_texts(run_all(["print(1)"] * 2, tmp_path, "spoiler", notices=notices)) == ["1"] * 2
    (notice,) = notices
    assert "nothing is preloaded" in notice


def test_a_module_that_is_not_installed_is_passed_over(tmp_path: Path) -> None:
    code = "import sys; print('wave' in sys.modules)"
    assert read_texts(run_all([code], tmp_path, "nowhere.at_all", "wave")) == ["True"]


def test_a_server_that_does_not_start_leaves_the_ordinary_start_and_one_notice(
    tmp_path: Path, install_kernel: InstallKernel
) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text(
        f'#!/bin/sh\ncase "$*" in *fork_server*) echo no servers here >&2; exit 1;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    interpreter.chmod(0o755)
    install_kernel("picky", str(interpreter))
    notices: list[str] = []
    runs = run_all(["print(1)"] * 2, tmp_path, kernels=["picky"] * 2, notices=notices)
    assert read_texts(runs) == ["1", "1"]
    (notice,) = notices
    assert "started one by one" in notice
    assert "no servers here" in notice
    assert str(interpreter) in notice


def test_a_server_that_is_killed_loses_no_notebook(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal\n"
        "if not pathlib.Path('tried').exists():\n"
        "    pathlib.Path('tried').touch()\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "    import time; time.sleep(60)\n"
        "print('done')"
    )
    notices: list[str] = []
    runs = run_all([code, "print('next')"], tmp_path, notices=notices)
    assert read_texts(runs) == ["done", "next"]
    assert [run.attempts for run in runs] == [1, 1]
    (notice,) = notices
    assert "started one by one" in notice


def test_relative_import_paths_leave_the_ordinary_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a server they would be relative to another folder."""
    (tmp_path / "helper.py").write_text("value = 7")
    monkeypatch.setenv("PYTHONPATH", ".")
    found = read_texts(run_all([f"import helper; print(helper.value); {PARENT}"], tmp_path))
    assert found == [f"7\n{os.getpid()}"]


def test_a_kernel_of_another_environment_without_this_package_is_forked(
    tmp_path: Path, install_kernel: InstallKernel
) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = environment / "lib" / version / "site-packages"
    for item in Path(sysconfig.get_path("purelib")).iterdir():
        if "nbcache" not in item.name and not (packages / item.name).exists():
            (packages / item.name).symlink_to(item)
    install_kernel("elsewhere", str(environment / "bin" / "python"))
    code = (
        "import importlib.util, sys\n"
        "print(importlib.util.find_spec('sphinx_nbcache'), sys.prefix)\n"
        f"{PARENT}"
    )
    (found,) = read_texts(run_all([code], tmp_path, kernels=["elsewhere"]))
    text, parent = found.splitlines()
    assert text == f"None {environment}"
    assert parent != str(os.getpid())


def test_closing_the_executor_ends_servers_too(
    tmp_path: Path, list_processes: ListProcesses
) -> None:
    with LocalExecutor(2, choose_modules=lambda job: ("wave",)) as executor:
        job = make_job(make_notebook("import time; time.sleep(600)"), tmp_path)
        executor.submit(job)
        assert wait_until(
            lambda: len(list_processes()) == 3, 60
        )  # a server, one with wave, a kernel
    assert wait_until(lambda: not list_processes(), 1)


def test_closing_it_while_a_server_starts_ends_that_too(
    tmp_path: Path, list_processes: ListProcesses
) -> None:
    with LocalExecutor(1, choose_modules=fork_all) as executor:
        future = executor.submit(make_job(make_notebook("1"), tmp_path))
        assert wait_until(lambda: bool(list_processes()), 30)
    assert future.cancelled()
    assert wait_until(lambda: not list_processes(), 1)


BUILD = """
import sys
from pathlib import Path
from sphinx_nbcache.running import LocalExecutor
from sphinx_nbcache.testing import make_notebook
from tests.running.conftest import make_job

folder, modules = Path(sys.argv[1]), {"fork": (), "preload": ("wave",), "spawn": None}[sys.argv[2]]
code = Path(folder, "code.py").read_text()
with LocalExecutor(2, choose_modules=lambda job: modules) as executor:
    executor.submit(make_job(make_notebook(code), folder)).result()
"""
STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
open("started", "w").close()
while True:
    pass
"""


@pytest.mark.parametrize("start", ["fork", "preload", "spawn"])
def test_nothing_outlives_a_build_that_is_killed_by_more_than_a_second(
    start: str, tmp_path: Path, start_python: StartPython, list_processes: ListProcesses
) -> None:
    (tmp_path / "code.py").write_text(STUBBORN)
    build = start_python(BUILD, tmp_path, start)
    assert wait_until((tmp_path / "started").exists, 60)
    assert wait_until(lambda: len(list_processes()) >= 4)
    build.send_signal(signal.SIGKILL)
    build.wait()
    assert wait_until(lambda: not list_processes(), 1)


def test_a_notebook_may_leave_its_process_group_alone(tmp_path: Path) -> None:
    """Signals to its own group reach the kernel, not the server or another kernel."""
    code = textwrap.dedent("""
        import os, signal
        signal.signal(signal.SIGUSR1, lambda *_: print("got it", flush=True))
        os.killpg(0, signal.SIGUSR1)
    """)
    assert read_texts(run_all([code, "print(2)"], tmp_path)) == ["got it", "2"]


def test_many_kernels_at_once_come_from_one_server(tmp_path: Path) -> None:
    def submit(executor: LocalExecutor, number: int) -> Job:
        return make_job(make_notebook(f"print({number})\n{PARENT}"), tmp_path)

    with LocalExecutor(8, choose_modules=fork_all) as executor:
        futures = [executor.submit(submit(executor, number)) for number in range(24)]
        runs = [future.result(90) for future in futures]
    assert {run.status for run in runs} == {Status.RAN}
    found = [text.split() for text in read_texts(runs)]
    assert [number for number, _ in found] == [str(number) for number in range(24)]
    assert len({parent for _, parent in found}) == 1
