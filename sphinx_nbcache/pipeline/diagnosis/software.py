"""Which Python, which packages, which plug-ins, and options from the environment."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version

from sphinx_nbcache.config import OPTIONS, mask_address
from sphinx_nbcache.pipeline.diagnosis.remark import Health, Patient, Remark
from sphinx_nbcache.pipeline.project import JUPYTER_CACHE_VARIABLE, read_config

_NEEDED = (
    "sphinx-nbcache",
    "sphinx",
    "myst-nb",
    "nbformat",
    "nbclient",
    "jupyter-client",
    "ipykernel",
    "ipython",
    "jupytext",
)
_OPTIONAL = ("dask", "distributed", "fsspec", "nbdime", "nbstripout", "rich")
_PROVISIONERS = "jupyter_client.kernel_provisioners"
_OUR_PROVISIONER = "nbcache-fork-provisioner"
_OUR_GROUPS = ("nbcache", "sphinx_nbcache")


def check_python(_: Patient) -> Iterator[Remark]:
    """Say which Python this is."""
    implementation, number = platform.python_implementation(), platform.python_version()
    text = f"{implementation} {number}, {sys.executable}"
    details = {"version": number, "executable": sys.executable, "platform": platform.platform()}
    yield Remark("python", Health.OK, text, details=details)


def check_packages(_: Patient) -> Iterator[Remark]:
    """Say which versions are installed, and what is missing."""
    needed = {name: _find_version(name) for name in _NEEDED}
    optional = {name: _find_version(name) for name in _OPTIONAL}
    found = {name: number for name, number in {**needed, **optional}.items() if number}
    text = ", ".join(f"{name} {number}" for name, number in found.items())
    missing = [name for name, number in needed.items() if not number]
    if not missing:
        yield Remark("packages", Health.OK, text, details=found)
        return
    advice = f"install in the environment of {sys.executable}: pip install {' '.join(missing)}"
    yield Remark(
        "packages", Health.PROBLEM, f"not installed: {', '.join(missing)}", advice, details=found
    )


def check_plugins(_: Patient) -> Iterator[Remark]:
    """Say which plug-ins are installed, and which of them cannot be loaded."""
    points = _list_plugins()
    broken = {point.name: reason for point in points if (reason := _find_flaw(point))}
    details = {point.name: point.value for point in points}
    for name, reason in broken.items():
        advice = "install its package again, or remove it"
        yield Remark("plug-ins", Health.PROBLEM, f"{name} cannot be loaded: {reason}", advice)
    if _OUR_PROVISIONER not in details:
        text = f"jupyter_client does not know the provisioner {_OUR_PROVISIONER}"
        yield Remark("plug-ins", Health.WARNING, text, "install sphinx-nbcache again", details)
    elif not broken:
        yield Remark("plug-ins", Health.OK, ", ".join(details), details=details)


def check_options(_: Patient) -> Iterator[Remark]:
    """Say which options come from the environment; raises ConfigurationError for a wrong one."""
    names = [option.variable for option in OPTIONS if option.variable]
    given = {name: mask_address(os.environ[name]) for name in names if os.environ.get(name)}
    read_config(os.environ)
    text = ", ".join(f"{name}={value}" for name, value in given.items())
    yield Remark("options", Health.OK, text or "none from the environment", details=given)
    if "NBCACHE_PATH" in given and os.environ.get(JUPYTER_CACHE_VARIABLE):
        text = f"NBCACHE_PATH and {JUPYTER_CACHE_VARIABLE} are both set: the first one counts"
        yield Remark("options", Health.WARNING, text, "unset the other one")


def _list_plugins() -> list[EntryPoint]:
    found = entry_points()
    groups = [name for name in found.groups if name.split(".")[0] in _OUR_GROUPS]
    ours = [point for name in groups for point in found.select(group=name)]
    provisioners = found.select(group=_PROVISIONERS, name=_OUR_PROVISIONER)
    return [*provisioners, *ours]


def _find_flaw(point: EntryPoint) -> str:
    """Return why a plug-in cannot be loaded; empty if it can."""
    try:
        point.load()
    except Exception as error:  # noqa: BLE001 - it is anybody's code
        return f"{type(error).__name__}: {error}"
    return ""


def _find_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
