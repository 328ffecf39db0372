"""Which kernels are installed, and whether those of Python could start."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sphinx_nbcache.running.kernelspecs import Kernelspec, find_kernelspec

_ASK = "import ipykernel; print(ipykernel.__version__)"
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledKernel:
    """A kernel that Jupyter finds on this machine."""

    name: str
    language: str
    command: str
    """What starts it: the program's name or path."""
    interpreter: str = ""
    """Path of its Python; empty where it is none, or is not there."""
    ipykernel: str = ""
    """The version that its Python imports; empty where it cannot."""


def list_kernels() -> Iterator[InstalledKernel]:
    """Yield all kernels that Jupyter finds, by name; those of Python are asked for ipykernel."""
    from jupyter_client.kernelspec import KernelSpecManager

    for name, found in sorted(KernelSpecManager().get_all_specs().items()):
        content = found["spec"]
        spec = find_kernelspec(name, _Nothing())
        yield InstalledKernel(
            name=name,
            language=str(content.get("language", "")),
            command=str((content.get("argv") or [""])[0]),
            interpreter="" if spec is None else spec.executable,
            ipykernel="" if spec is None else _ask(spec),
        )


class _Nothing:
    """A memory of nothing."""

    def recall(self, name: str) -> None:
        """Know nothing."""

    def note(self, name: str, value: str) -> None:
        """Forget it."""


def _ask(spec: Kernelspec) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter of a kernelspec
            [spec.executable, *spec.options, "-c", _ASK],
            cwd=Path(spec.executable).parent,  # where no module stands in for a library
            env=spec.make_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip().rpartition("\n")[2]
