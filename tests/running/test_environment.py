"""Which Python a kernel runs in, told with real virtual environments and kernelspecs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.model import Interpreter
from sphinx_nbcache.observing import Packages
from sphinx_nbcache.running.environment import find_interpreter

MakeKernel = Callable[..., Path]
REMOTE = {"provisioner_name": "somewhere-else"}
LAUNCH = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


class Memory:
    """Remembers in a dict, and counts what is noted about interpreters."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.asked = 0

    def recall(self, name: str) -> str | None:
        """Return what was noted."""
        return self.texts.get(name)

    def note(self, name: str, value: str) -> None:
        """Remember a text."""
        self.texts[name] = value
        self.asked += name.startswith("interpreter")


@pytest.fixture
def memory() -> Memory:
    """Return an empty memory."""
    return Memory()


@pytest.fixture
def make_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeKernel:
    """Return a function that writes a kernelspec, named "toy" if not otherwise."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))

    def make(*argv: object, name: str = "toy", **fields: Any) -> Path:
        folder = tmp_path / "jupyter" / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        spec = {"argv": [str(word) for word in argv], "language": "python", **fields}
        file = folder / "kernel.json"
        file.write_text(json.dumps({"display_name": name, **spec}))
        return file

    return make


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Return the interpreter of a new virtual environment that holds toy 1.0."""
    folder = tmp_path / "venv"
    options = ["--system-site-packages", "--without-pip", str(folder)]
    subprocess.run([sys.executable, "-m", "venv", *options], check=True, timeout=60)
    (info := find_site(folder) / "toy-1.0.dist-info").mkdir()
    (info / "METADATA").write_text("Name: toy\nVersion: 1.0\n")
    (info / "RECORD").write_text("toy/__init__.py,,\n")
    (find_site(folder) / "toy").mkdir()
    (find_site(folder) / "toy" / "__init__.py").touch()
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def find_site(folder: Path) -> Path:
    """Return the site folder of a virtual environment."""
    return next(folder.rglob("site-packages"))


def wrap(path: Path, text: str) -> Path:
    """Write a program."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def find_known(memory: Memory, kernel: str = "toy") -> Interpreter:
    """Return the interpreter of a kernel that is there."""
    found = find_interpreter(kernel, memory)
    assert found
    return found


@pytest.mark.parametrize("word", [sys.executable, "python", "python3", "{prefix}/bin/python"])
def test_our_own_interpreter_is_not_asked(
    word: str, make_kernel: MakeKernel, memory: Memory
) -> None:
    make_kernel(word, "-Xfrozen_modules=off", *LAUNCH)
    found = find_known(memory)
    assert (found.implementation, found.version) == (
        sys.implementation.name,
        platform.python_version(),
    )
    assert sys.prefix in found.prefixes
    assert str(Path(os.__file__).parent) in found.library_folders
    assert memory.asked == 0


@pytest.mark.parametrize(
    "fields", [{"env": {"PYTHONHASHSEED": "0"}}, {"argv": [sys.executable, "-d", *LAUNCH]}]
)
def test_our_own_interpreter_says_the_same_when_it_is_asked(
    fields: dict[str, Any], make_kernel: MakeKernel, memory: Memory
) -> None:
    make_kernel("python", *LAUNCH, name="own")
    make_kernel(sys.executable, *LAUNCH, **fields)
    assert find_known(memory) == find_known(memory, "own")
    assert memory.asked == 1


def test_the_native_kernel_needs_no_kernelspec(
    tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "jupyter_client.kernelspec.jupyter_path", lambda *parts: [str(tmp_path / "none")]
    )
    assert sys.prefix in find_known(memory, "python3").prefixes


def test_another_environment_is_asked_once(
    other: Path, make_kernel: MakeKernel, memory: Memory
) -> None:
    make_kernel(other, *LAUNCH)
    found = find_known(memory)
    assert found.site_folders[0] == str(find_site(other.parent.parent))
    assert str(other.parent.parent) in found.prefixes
    assert find_known(memory) == found
    assert memory.asked == 1


def test_an_upgrade_in_another_environment_is_seen(
    other: Path, make_kernel: MakeKernel, memory: Memory
) -> None:
    make_kernel(other, *LAUNCH)
    assert Packages(find_known(memory).site_folders).get_version("toy") == "1.0"
    info = find_site(other.parent.parent) / "toy-1.0.dist-info"
    info.rename(info.with_name("toy-1.1.dist-info"))
    packages = Packages(find_known(memory).site_folders)
    assert packages.get_version("toy") == "1.1"
    module = info.with_name("toy") / "__init__.py"
    assert packages.find_owner("toy", str(module)) == ("toy", "1.1")


def test_a_path_file_that_names_a_further_folder_is_seen(
    other: Path, make_kernel: MakeKernel, memory: Memory, tmp_path: Path
) -> None:
    make_kernel(other, *LAUNCH)
    find_known(memory)
    (tmp_path / "more" / "site-packages").mkdir(parents=True)
    file = find_site(other.parent.parent) / "more.pth"
    file.write_text(str(tmp_path / "more" / "site-packages"))
    assert str(tmp_path / "more" / "site-packages") in find_known(memory).site_folders


def test_a_folder_with_distributions_is_one_whatever_its_name(
    other: Path, make_kernel: MakeKernel, memory: Memory, tmp_path: Path
) -> None:
    (tmp_path / "target" / "toy-2.0.dist-info").mkdir(parents=True)
    (tmp_path / "source" / "toy.egg-info").mkdir(parents=True)
    path = os.pathsep.join([str(tmp_path / "source"), str(tmp_path / "target")])
    make_kernel(other, *LAUNCH, env={"PYTHONPATH": path})
    found = find_known(memory).site_folders
    assert found[0] == str(tmp_path / "target")
    assert str(tmp_path / "source") not in found


def test_a_path_that_conf_py_sets_for_the_kernels_counts(
    make_kernel: MakeKernel, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site-packages").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site-packages"))
    make_kernel(sys.executable, *LAUNCH)
    assert find_known(memory).site_folders[0] == str(tmp_path / "site-packages")


def test_the_folder_of_the_build_does_not_stand_in_for_the_library(
    other: Path, make_kernel: MakeKernel, memory: Memory, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "platform.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    make_kernel(other, *LAUNCH)
    assert find_known(memory).version == platform.python_version()


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize("change", ["kernelspec", "interpreter", "pyvenv.cfg", "variable"])
def test_an_answer_holds_only_while_nothing_is_touched(
    change: str, other: Path, make_kernel: MakeKernel, memory: Memory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    program = wrap(other.with_name("wrapped"), f'exec {other} "$@"')
    make_kernel(program, *LAUNCH)
    find_known(memory)
    if change == "kernelspec":
        make_kernel(program, *LAUNCH, metadata={"changed": True})
    elif change == "interpreter":
        wrap(program, "exit 1")
    elif change == "pyvenv.cfg":
        (other.parent.parent / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    else:
        monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    find_interpreter("toy", memory)
    assert memory.asked == (1 if change == "interpreter" else 2)
    if change == "interpreter":
        assert find_interpreter("toy", memory) is None


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_what_a_start_up_file_prints_does_not_matter(
    other: Path, make_kernel: MakeKernel, memory: Memory, tmp_path: Path
) -> None:
    program = wrap(tmp_path / "chatty", f'echo "hello"; exec {other} "$@"')
    make_kernel(program, *LAUNCH)
    assert find_known(memory).implementation == sys.implementation.name


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize("text", ["exit 3", "echo '{}'", "echo 3", "echo", "cat"])
def test_a_program_that_is_no_python_has_no_interpreter(
    text: str, make_kernel: MakeKernel, memory: Memory, tmp_path: Path
) -> None:
    make_kernel(wrap(tmp_path / "program", text), *LAUNCH)
    assert find_interpreter("toy", memory) is None
    assert memory.asked == 0


@pytest.mark.parametrize(
    ("argv", "fields"),
    [
        ([sys.executable, *LAUNCH], {"language": "R"}),
        (["/nowhere/python", *LAUNCH], {}),
        ([sys.executable, "-f", "{connection_file}"], {}),
        ([sys.executable, "kernel.py", "-m", "module"], {}),
        ([], {}),
        ([sys.executable, *LAUNCH], {"env": 3}),
        ([sys.executable, *LAUNCH], {"metadata": {"kernel_provisioner": REMOTE}}),
    ],
)
def test_a_kernel_that_is_no_python_here_has_no_interpreter(
    argv: list[str], fields: dict[str, Any], make_kernel: MakeKernel, memory: Memory
) -> None:
    make_kernel(*argv, **fields)
    assert find_interpreter("toy", memory) is None


def test_a_broken_or_missing_kernelspec_has_no_interpreter(
    make_kernel: MakeKernel, memory: Memory
) -> None:
    make_kernel().write_text("[]")
    assert find_interpreter("toy", memory) is None
    make_kernel().write_text("{")
    assert find_interpreter("toy", memory) is None
    assert find_interpreter("none", memory) is None


def test_the_case_of_a_kernel_does_not_matter(make_kernel: MakeKernel, memory: Memory) -> None:
    make_kernel(sys.executable, *LAUNCH, name="Toy")
    assert find_interpreter("tOY", memory)


def test_a_variable_of_the_kernelspec_is_filled_in(
    other: Path, make_kernel: MakeKernel, memory: Memory
) -> None:
    make_kernel("python-of-toy", *LAUNCH, env={"PATH": f"{other.parent}:${{PATH}}"})
    (other.with_name("python-of-toy")).symlink_to(other)
    assert find_known(memory).site_folders[0] == str(find_site(other.parent.parent))


def test_a_damaged_memory_is_not_believed(
    other: Path, make_kernel: MakeKernel, memory: Memory
) -> None:
    make_kernel(other, *LAUNCH)
    found = find_known(memory)
    for text in ("", "{", "[]", '{"state": 1}'):
        memory.texts = dict.fromkeys(memory.texts, text)
        assert find_known(memory) == found


def test_jupyter_client_is_not_imported_only_for_its_folders(
    make_kernel: MakeKernel, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_kernel("python", *LAUNCH)
    found = find_known(memory)
    monkeypatch.delitem(sys.modules, "jupyter_client")
    assert find_known(memory) == found
    assert "jupyter_client" not in sys.modules
