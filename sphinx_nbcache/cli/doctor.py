"""The command ``doctor``: whether all that the package needs is there and works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sphinx_nbcache.cli.opening import find_given_path
from sphinx_nbcache.cli.parameters import take_json
from sphinx_nbcache.cli.tables import list_json

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import Remark

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_WIDTH = max(map(len, _COLOURS))


@click.command()
@take_json
@click.pass_context
def doctor(context: click.Context, is_json: bool) -> None:
    """Find out whether kernels start and the cache can be used, and say what to do if not.

    Starts kernels in temporary folders; nothing in the project is changed. Exit status: 1 when
    there is a problem.
    """
    from sphinx_nbcache.pipeline import Health, Patient, diagnose

    remarks = []
    for remark in diagnose(Patient(Path.cwd(), find_given_path(context))):
        remarks.append(remark)
        if not is_json:
            _show(remark)
    numbers = {health: sum(remark.health is health for remark in remarks) for health in Health}
    if is_json:
        list_json(remark.to_json() for remark in remarks)
    else:
        parts = (f"{number} {health}" for health, number in numbers.items())
        click.echo(f"checks: {len(remarks)} ({', '.join(parts)})")
    if numbers[Health.PROBLEM]:
        raise SystemExit(1)


def _show(remark: Remark) -> None:
    """Write a remark, and what to do about it below."""
    health = click.style(str(remark.health).ljust(_WIDTH), fg=_COLOURS[remark.health])
    click.echo(f"{health}  {remark.check}: {remark.text}")
    if remark.advice:
        click.echo(f"{' ' * _WIDTH}  -> {remark.advice}")
