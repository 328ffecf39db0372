"""What a kernelspec says about the interpreter of its kernel, without starting anything.

Answers as jupyter_client would when it starts the kernel, but does not import it only for
that: a build in which nothing runs would pay for it with half of its time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Protocol

from sphinx_nbcache.config import leave_out_secrets
from sphinx_nbcache.model import digest_json

_NATIVE = "python3"
_LOCAL = "local-provisioner"
_OUR_PROVISIONER = "nbcache-fork-provisioner"
_WITH_VALUE = ("-X", "-W")
_OWN_NAMES = (
    "python",
    f"python{sys.version_info[0]}",
    f"python{sys.version_info[0]}.{sys.version_info[1]}",
)
_DECIDE_FOLDERS = ("JUPYTER", "IPYTHON", "XDG_", "CONDA", "PYTHON", "APPDATA", "PROGRAMDATA")
"""Beginnings of the environment variables that decide where Jupyter looks for kernels."""


class Memory(Protocol):
    """Remembers texts from one build to the next; may forget any of them."""

    def recall(self, name: str) -> str | None:
        """Return what was noted under a name; None where nothing is known."""

    def note(self, name: str, value: str) -> None:
        """Remember a text under a name."""


@dataclass(frozen=True, slots=True)
class Kernelspec:
    """What starts a kernel that is a Python on this machine."""

    file: str
    """Its kernel.json; empty for the kernel that ipykernel brings without one."""
    executable: str
    """Absolute path of the interpreter, links not followed."""
    options: tuple[str, ...] = ()
    """Of the interpreter, before the module that it runs."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What it adds to the environment."""

    def make_environment(self) -> dict[str, str]:
        """Return the environment of its kernels."""
        environment = leave_out_secrets({**os.environ, **self.variables})
        environment.pop("PYTHONEXECUTABLE", None)  # as jupyter_client does
        return environment


def find_kernelspec(kernel: str, memory: Memory) -> Kernelspec | None:
    """Return the kernelspec of a name; None where there is none, or none of a Python here."""
    folder = _search(_find_folders(memory), kernel.lower())
    if folder is not None:
        return _read(folder)
    if kernel.lower() == _NATIVE and importlib.util.find_spec("ipykernel"):
        return Kernelspec("", sys.executable)
    return None


def _search(folders: list[str], kernel: str) -> Path | None:
    """Return the folder of a kernel; the case of its name does not matter."""
    for folder in folders:
        try:
            names = os.listdir(folder)  # noqa: PTH208 - most hold nothing that is wanted
        except OSError:
            continue
        for name in names:
            found = Path(folder, name)
            if name.lower() == kernel and (found / "kernel.json").is_file():
                return found
    return None


def _find_folders(memory: Memory) -> list[str]:
    """Return the folders in which Jupyter looks for kernels.

    They are remembered for processes that have no other need of jupyter_client.
    """
    name = f"folders of kernels: {sys.prefix}"
    variables = sorted(item for item in os.environ.items() if item[0].startswith(_DECIDE_FOLDERS))
    old_place = os.path.expanduser("~/.ipython")  # noqa: PTH111 - a Path raises without a home
    state = digest_json([sys.executable, old_place, os.path.isdir(old_place), variables])  # noqa: PTH112
    if "jupyter_client" not in sys.modules:
        known = recall_json(memory, name)
        if known.get("state") == state:
            return list(known.get("folders") or ())
    from jupyter_client.kernelspec import KernelSpecManager

    folders = [str(folder) for folder in KernelSpecManager().kernel_dirs]
    note_json(memory, name, {"state": state, "folders": folders})
    return folders


def recall_json(memory: Memory, name: str) -> dict[str, Any]:
    """Return what was noted with ``note_json``; empty for what is unknown or damaged."""
    try:
        value = json.loads(memory.recall(name) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def note_json(memory: Memory, name: str, value: dict[str, Any]) -> None:
    """Remember a value; what is known already is not written again."""
    text = json.dumps(value, sort_keys=True)
    if memory.recall(name) != text:
        memory.note(name, text)


def _read(folder: Path) -> Kernelspec | None:
    """Return the kernelspec in a folder; None where it is broken or of no Python here."""
    file = folder / "kernel.json"
    try:
        spec = json.loads(file.read_text(encoding="utf-8"))
        argv = [str(word) for word in spec["argv"]]
        values = {str(name): str(value) for name, value in (spec.get("env") or {}).items()}
        is_python = str(spec["language"]).lower() == "python"
        stanza = (spec.get("metadata") or {}).get("kernel_provisioner") or {}
        provisioner = stanza.get("provisioner_name")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    options = _take_options(argv)
    if not is_python or options is None or not _is_local(provisioner):
        return None
    variables = {
        name: Template(value).safe_substitute(os.environ) for name, value in values.items()
    }
    executable = _find_executable(argv[0], folder, variables.get("PATH", os.environ.get("PATH")))
    return Kernelspec(str(file), executable, options, variables) if executable else None


def _is_local(provisioner: str | None) -> bool:
    """Return whether a kernel is a process of this machine, and not of a cluster or container."""
    name = provisioner or os.environ.get("JUPYTER_DEFAULT_PROVISIONER_NAME", _LOCAL)
    return name in {_LOCAL, _OUR_PROVISIONER}


def _take_options(argv: list[str]) -> tuple[str, ...] | None:
    """Return the options of the interpreter in a command; None where it runs no module."""
    options: list[str] = []
    words = iter(argv[1:])
    for word in words:
        if word == "-m":
            return tuple(options)
        if not word.startswith("-"):
            return None
        options.append(word)
        if word in _WITH_VALUE:
            options.append(next(words, ""))
    return None


def _find_executable(word: str, folder: Path, search_path: str | None) -> str | None:
    """Return the absolute path of a kernel's interpreter, found as jupyter_client finds it."""
    if word in _OWN_NAMES:
        return sys.executable
    values = {"prefix": sys.prefix, "resource_dir": str(folder)}
    filled = re.sub(r"\{([A-Za-z0-9_]+)\}", lambda m: values.get(m[1], m[0]), word)
    found = shutil.which(os.path.expanduser(filled), path=search_path)  # noqa: PTH111 - keeps bare names
    # Not resolved: the interpreter of a virtual environment is a link, and what it is called by
    # decides which environment it is.
    return os.path.abspath(found) if found else None  # noqa: PTH100
