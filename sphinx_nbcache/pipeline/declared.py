"""What is declared: patterns of files and names of variables, from page and project. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sphinx_nbcache.model import Declared
from sphinx_nbcache.pipeline.project import Project

_OUTSIDE = "is outside of the project root {root}: only files of the project can be declared"


def declare_for_all(project: Project) -> tuple[Declared, tuple[str, ...]]:
    """Return what the project declares for every notebook, and what of it cannot be."""
    patterns, problems = _resolve(project.config.depends, project.folder, project.root)
    problems = tuple(f"nbcache_depends: {problem}" for problem in problems)
    return Declared(depends=patterns, env=project.config.env), problems


def resolve_declared(
    own: Declared, folder: Path, project: Project
) -> tuple[Declared, tuple[str, ...]]:
    """Return what holds for a notebook, own and project's, and what cannot be declared.

    :param own: with patterns relative to the notebook's folder.
    """
    patterns, problems = _resolve(own.depends, folder, project.root)
    common, _ = declare_for_all(project)
    united = Declared(
        depends=_unite(common.depends, patterns),
        env=_unite(common.env, own.env),
        max_age_s=own.max_age_s,
        is_cached=own.is_cached,
    )
    return united, tuple(f"nbcache: depends: {problem}" for problem in problems)


def unite_declared(first: Declared, second: Declared) -> Declared:
    """Return what two notebooks declare that are answered by one run."""
    ages = [age for age in (first.max_age_s, second.max_age_s) if age is not None]
    return Declared(
        depends=_unite(first.depends, second.depends),
        env=_unite(first.env, second.env),
        max_age_s=min(ages, default=None),
        is_cached=first.is_cached and second.is_cached,
    )


def _resolve(
    patterns: Iterable[str], folder: Path, root: Path
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return patterns relative to the root, and what is wrong with others."""
    good, problems = [], []
    for pattern in patterns:
        path = Path(os.path.normpath(folder / pattern))
        if path.is_relative_to(root):
            good.append(path.relative_to(root).as_posix())
        else:
            problems.append(f"{pattern!r} {_OUTSIDE.format(root=root)}")
    return tuple(good), tuple(problems)


def _unite(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))
