"""In which Python a kernel runs and where that looks for distributions, told without a kernel.

An interpreter that is not our own is asked once; the answer is remembered, and holds while
nothing that it depends on is touched. What a distribution is, is not known here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sphinx_nbcache.model import Interpreter, digest_json
from sphinx_nbcache.running.interpreter import describe_interpreter
from sphinx_nbcache.running.kernelspecs import (
    Kernelspec,
    Memory,
    find_kernelspec,
    note_json,
    recall_json,
)

__all__ = ["Memory", "find_interpreter"]

_SCRIPT = Path(__file__).with_name("interpreter.py")
# The folder in which a build happens to be started must not stand in for the library.
_RUN = "import sys; sys.path[:1] = [p for p in sys.path[:1] if p]; exec(sys.argv[1])"
_TIMEOUT_S = 20
_HARMLESS = ("-X", "-W", "-u", "-B", "-O")
"""Beginnings of options that do not decide where an interpreter looks for modules."""

Description = dict[str, Any]


def find_interpreter(kernel: str, memory: Memory) -> Interpreter | None:
    """Return the Python in which a kernel would run on this machine.

    :param kernel: name of the kernel.
    :param memory: what earlier builds found out.
    :return: None where there is no such kernel, or it is no Python, or cannot be asked.
    """
    spec = find_kernelspec(kernel, memory)
    if spec is None:
        return None
    found = describe_interpreter(sys.path) if _is_own(spec) else _find_foreign(kernel, spec, memory)
    return _make_interpreter(found) if found else None


def _is_own(spec: Kernelspec) -> bool:
    """Return whether a kernel's interpreter would say of itself what this process can say."""
    if not _is_our_name(spec.executable):
        return False
    options = [word for word in spec.options if word.startswith("-")]
    flags = sys.flags
    return (
        all(word.startswith(_HARMLESS) for word in options)
        and not any(name.startswith("PYTHON") for name in spec.variables)
        and not (flags.isolated or flags.ignore_environment or flags.no_site or flags.no_user_site)
        # conf.py may have set it for the kernels, too late for this process.
        and all(map(_is_on_path, os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    )


def _is_our_name(executable: str) -> bool:
    """Return whether a path is that of our interpreter, or of its other name beside it.

    The folder decides which environment it is: python and python3.11 in one are the same.
    """
    ours, others = Path(_normalise(sys.executable)), Path(_normalise(executable))
    try:
        return ours == others or (ours.parent == others.parent and ours.samefile(others))
    except OSError:
        return False


def _is_on_path(folder: str) -> bool:
    return not folder or _normalise(folder) in map(_normalise, sys.path)


def _find_foreign(kernel: str, spec: Kernelspec, memory: Memory) -> Description | None:
    """Return what another interpreter says of itself, now or when it was asked before."""
    script = _SCRIPT.read_text(encoding="utf-8")
    state = _take_state(spec, script)
    name = f"interpreter of {kernel}: {spec.executable}"
    known = recall_json(memory, name)
    if known.get("state") == state and _has_stamps(known.get("stamps")):
        return known.get("found")
    asked = _ask(spec, script)
    if asked is None:
        return None
    stamps = {folder: _take_stamp(folder) for folder in asked["watched"]}
    note_json(memory, name, {"state": state, "stamps": stamps, "found": asked})
    return asked


def _take_state(spec: Kernelspec, script: str) -> str:
    """Return a digest of all that an answer depends on and that is known before asking."""
    environment = spec.make_environment()
    # Links are not followed: the file beside the name by which it is called is what counts.
    configuration = os.path.dirname(os.path.dirname(spec.executable)) + "/pyvenv.cfg"  # noqa: PTH120
    return digest_json(
        [
            script,
            [spec.file, _take_stamp(spec.file)],
            [spec.executable, _take_stamp(spec.executable), *spec.options],
            _take_stamp(configuration),
            environment.get("HOME"),  # where a user's own distributions are
            sorted(item for item in environment.items() if item[0].startswith("PYTHON")),
        ]
    )


def _has_stamps(stamps: Any) -> bool:
    """Return whether folders are as they were: a path file in them may name further ones."""
    if not isinstance(stamps, dict):
        return False
    return all(_take_stamp(folder) == stamp for folder, stamp in stamps.items())


def _take_stamp(path: str) -> list[int] | None:
    """Return size, mtime and inode, or None where there is nothing."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - a Path costs more than the stat
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _ask(spec: Kernelspec, script: str) -> Description | None:
    """Return what an interpreter says of itself; None where it does not answer."""
    command = [spec.executable, *spec.options, "-c", _RUN, script]
    try:
        answer = subprocess.run(  # noqa: S603 - the interpreter of a kernelspec
            command,
            env=spec.make_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=True,
        )
        # Before it, a sitecustomize may have printed something.
        found = json.loads(answer.stdout.strip().rpartition(b"\n")[2])
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return found if _is_description(found) else None


def _is_description(found: Any) -> bool:
    """Return whether something is what the script prints: any program may stand in argv."""
    texts = ("implementation", "version")
    lists = ("prefixes", "library_folders", "site_folders", "watched")
    return (
        isinstance(found, dict)
        and all(isinstance(found.get(name), str) for name in texts)
        and all(isinstance(found.get(name), list) for name in lists)
    )


def _make_interpreter(found: Description) -> Interpreter:
    return Interpreter(
        implementation=found["implementation"],
        version=found["version"],
        prefixes=tuple(found["prefixes"]),
        library_folders=tuple(found["library_folders"]),
        site_folders=tuple(found["site_folders"]),
    )


def _normalise(path: str) -> str:
    return os.path.normcase(os.path.abspath(path))  # noqa: PTH100 - links must not be followed
