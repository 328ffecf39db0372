"""What is to be done with one notebook. Pure: nothing is read, looked up or run here."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sphinx_nbcache.keys import compute_key, make_question, resolve_kernel
from sphinx_nbcache.model import Job, Mode, Notebook, Settings
from sphinx_nbcache.pipeline.declared import resolve_declared
from sphinx_nbcache.pipeline.demands import Wishes, read_wishes
from sphinx_nbcache.pipeline.project import Project

_OVERRIDES = {
    "execution_mode": ("mode", str, Mode),
    "execution_timeout": ("timeout_s", int, float),
    "execution_allow_errors": ("allow_errors", bool, bool),
    "execution_in_temp": ("in_temp", bool, bool),
}
"""MyST-NB's name to our field, the type that MyST-NB demands, and what makes ours of it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A notebook, and the job that gives its outputs.

    Without a job it is left to whoever shows it, for ``skip_reason``, or has no code.
    """

    name: str
    notebook: Notebook
    job: Job | None = None
    skip_reason: str = ""
    run_reason: str = ""
    """Why it runs even when its outputs are in the store."""
    problems: tuple[str, ...] = ()
    """What in its own ``nbcache`` metadata is not understood, for people."""


def make_plan(
    name: str,
    notebook: Notebook,
    settings: Settings,
    *,
    project: Project,
    rerun_reason: str = "",
) -> Plan:
    """Decide what is to be done with a notebook.

    :param settings: after the notebook's own overrides.
    :param rerun_reason: why the user wants it to run again, if so.
    """
    if reason := find_skip_reason(notebook, settings):
        return Plan(name, notebook, skip_reason=reason)
    if next(notebook.iterate_code_cells(), None) is None:
        return Plan(name, notebook)
    kernel = resolve_kernel(notebook, settings.kernel_rgx_aliases)
    in_temp = settings.in_temp or project.config.is_temporary
    folder = None if in_temp else notebook.path.parent
    question = make_question(
        notebook,
        kernel=kernel,
        working_directory=None if folder is None else project.relate(folder),
        allow_errors=settings.allow_errors,
    )
    wishes = read_wishes(notebook, timeout_s=project.config.notebook_timeout)
    # A copy of an asset is read, which nobody takes for an input.
    depends = (*wishes.declared.depends, *map(glob.escape, settings.assets))
    asked = replace(wishes.declared, depends=depends)
    declared, problems = resolve_declared(asked, notebook.path.parent, project)
    job = Job(
        name=name,
        notebook=notebook,
        key=compute_key(question),
        kernel=kernel,
        working_directory=folder,
        assets=tuple(notebook.path.parent / name for name in settings.assets),
        timeout_s=settings.timeout_s,
        allow_errors=settings.allow_errors,
        demands=wishes.demands,
        declared=declared,
        after=wishes.after,
        question=question,
        retries=project.config.retries,
        memory_limit_bytes=project.config.memory_limit,
    )
    reason = rerun_reason or _find_run_reason(settings, wishes)
    return Plan(name, notebook, job, run_reason=reason, problems=(*wishes.problems, *problems))


def _find_run_reason(settings: Settings, wishes: Wishes) -> str:
    """Return why a notebook runs in every build; empty if it does not."""
    if settings.mode is Mode.FORCE:
        return "execution mode force"
    return "" if wishes.declared.is_cached else "cache: false in its metadata"


def find_skip_reason(notebook: Notebook, settings: Settings) -> str:
    """Return why a notebook is not to be executed; empty if it is."""
    if settings.mode is Mode.OFF:
        return "execution mode off"
    if settings.mode is Mode.INLINE:
        return "execution mode inline: MyST-NB runs it while the page is read"
    pattern = find_exclusion(notebook.path, settings.excludepatterns)
    if pattern is not None:
        return f"excluded by the pattern {pattern!r}"
    if settings.mode is Mode.AUTO and _has_all_outputs(notebook):
        return "execution mode auto: all outputs present"
    return ""


def find_exclusion(path: Path, patterns: Iterable[str]) -> str | None:
    """Return the first pattern that excludes a file from execution."""
    return next((p for p in patterns if PurePosixPath(path.as_posix()).match(p)), None)


def _has_all_outputs(notebook: Notebook) -> bool:
    cells = notebook.content["cells"]
    return all(cell.get("outputs") for cell in cells if cell["cell_type"] == "code")


def apply_execution_metadata(settings: Settings, metadata: Mapping[str, Any]) -> Settings:
    """Return the settings after a notebook's own ``execution: {timeout, allow_errors}``.

    This is jupyter-cache's metadata; values of another type are left alone.
    """
    own = metadata.get("execution")
    if not isinstance(own, Mapping):
        return settings
    timeout, allow = own.get("timeout"), own.get("allow_errors")
    if isinstance(timeout, int | float) and not isinstance(timeout, bool):
        settings = replace(settings, timeout_s=float(timeout))
    return replace(settings, allow_errors=allow) if isinstance(allow, bool) else settings


def apply_mystnb_metadata(settings: Settings, metadata: Mapping[str, Any]) -> Settings:
    """Return the settings after a notebook's own ``mystnb: {execution_...}``.

    For notebooks that are run outside Sphinx; inside, MyST-NB's configuration applies and
    checks all overrides. With one value of the wrong kind all are left alone, as in MyST-NB.
    """
    own = metadata.get("mystnb")
    if not isinstance(own, Mapping):
        return settings
    changes = {}
    for name, (field, kind, convert) in _OVERRIDES.items():
        if name not in own:
            continue
        if not isinstance(own[name], kind):
            return settings
        try:
            changes[field] = convert(own[name])
        except (ValueError, OverflowError):
            return settings
    return replace(settings, **changes)
