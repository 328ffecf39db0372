"""The command ``strip``: notebook files without outputs, by hand and as a filter of git."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sphinx_nbcache.cli.wrong_use import explain_errors
from sphinx_nbcache.errors import NotebookReadError

if TYPE_CHECKING:
    from sphinx_nbcache.pipeline import FilterState
    from sphinx_nbcache.reading import StripRules

_STDIN = Path("-")
_RENORMALIZE = "files with outputs that are committed already: git add --renormalize ."


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATHS]...", type=click.Path(path_type=Path))
@click.option("--check", "is_check", is_flag=True, help="Write nothing; exit 1 if there is any.")
@click.option("--keep-output", is_flag=True, help="Take out counts and metadata only.")
@click.option("--keep-count", is_flag=True, help="Leave the numbers of execution.")
@click.option(
    "--extra-key",
    "extra_keys",
    multiple=True,
    metavar="KEY",
    help="Take this out, too: metadata.KEY or cell.KEY; can be given several times.",
)
@click.option(
    "--stdin-filename",
    type=click.Path(path_type=Path),
    metavar="NAME",
    default="standard input",
    help="What messages call the notebook from standard input.",
)
@click.option(
    "--install", "action", flag_value="install", help="Have git strip notebooks of this repository."
)
@click.option("--uninstall", "action", flag_value="uninstall", help="Have git do so no more.")
@click.option(
    "--status", "action", flag_value="status", help="Say whether git does; exit 1 if not."
)
@click.option(
    "--attributes",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File in which git finds what to strip. Default: info/attributes in git's own folder.",
)
@explain_errors
def strip(  # noqa: PLR0913, PLR0917 - one parameter for each option
    paths: tuple[Path, ...],
    is_check: bool,
    keep_output: bool,
    keep_count: bool,
    extra_keys: tuple[str, ...],
    stdin_filename: Path,
    action: str | None,
    attributes: Path | None,
) -> None:
    """Take outputs and execution counts out of .ipynb files; the cache has the outputs.

    PATHS are files, and folders that are searched for .ipynb files; - is standard input, whose
    notebook is written to standard output. Cells and notebooks with `keep_output` in their
    metadata or tags keep theirs.
    """
    from sphinx_nbcache.reading import StripRules, require_stripper

    require_stripper()
    rules = StripRules(keep_output=keep_output, keep_count=keep_count, extra_keys=extra_keys)
    if action is not None:
        _refuse_if(bool(paths) or is_check, f"--{action} takes neither paths nor --check")
        _ACTIONS[action](rules, attributes)
        return
    _refuse_if(attributes is not None, "--attributes goes with --install or --uninstall")
    _refuse_if(not paths, "name files or folders, or - for standard input")
    _refuse_if(_STDIN in paths and len(paths) > 1, "- stands alone")
    if paths == (_STDIN,):
        _filter(stdin_filename, rules, is_check=is_check)
    else:
        _strip_files(paths, rules, is_check=is_check)


def _refuse_if(is_wrong: bool, message: str) -> None:
    if is_wrong:
        raise click.UsageError(message)


def _filter(name: Path, rules: StripRules, *, is_check: bool) -> None:
    """Strip standard input; what is no notebook passes: git must not lose it."""
    from sphinx_nbcache.reading import strip_bytes

    data = sys.stdin.buffer.read()
    try:
        stripped = strip_bytes(name, data, rules)
    except NotebookReadError as error:
        click.echo(f"warning: {error}; it passes as it is", err=True)
        stripped = data
    if not is_check:
        sys.stdout.buffer.write(stripped)
        sys.stdout.buffer.flush()
    elif stripped != data:
        click.echo(f"has outputs  {name}")
        raise SystemExit(1)


def _strip_files(paths: Sequence[Path], rules: StripRules, *, is_check: bool) -> None:
    from sphinx_nbcache.pipeline import find_strippable, strip_files

    word = "has outputs" if is_check else "stripped"
    number = changed = failed = 0
    for item in strip_files(find_strippable(paths), rules, is_dry=is_check):
        number += 1
        if item.problem:
            failed += 1
            click.echo(f"{item.path}: {item.problem}", err=True)
        elif item.has_changed:
            changed += 1
            click.echo(f"{word}  {item.path}")
    clean = number - changed - failed
    click.echo(f"notebooks: {number} ({changed} {word}, {clean} clean, {failed} failed)")
    if failed or (is_check and changed):
        raise SystemExit(1)


def _install(rules: StripRules, attributes: Path | None) -> None:
    from sphinx_nbcache.pipeline import install_filter, make_command

    command = make_command(_list_options(rules))
    state = install_filter(Path.cwd(), command, attributes and attributes.resolve())
    _show(state)
    if not state.is_installed:
        raise SystemExit(1)
    click.echo(_RENORMALIZE)


def _uninstall(_: StripRules, attributes: Path | None) -> None:
    from sphinx_nbcache.pipeline import remove_filter

    _show(remove_filter(Path.cwd(), attributes and attributes.resolve()))


def _tell_status(_: StripRules, attributes: Path | None) -> None:
    from sphinx_nbcache.pipeline import find_filter

    _refuse_if(attributes is not None, "--attributes goes with --install or --uninstall")
    state = find_filter(Path.cwd())
    _show(state)
    if not state.is_installed:
        raise SystemExit(1)


_ACTIONS: dict[str, Callable[[StripRules, Path | None], None]] = {
    "install": _install,
    "uninstall": _uninstall,
    "status": _tell_status,
}


def _list_options(rules: StripRules) -> Iterable[str]:
    """Yield the options that give these rules again."""
    if rules.keep_output:
        yield "--keep-output"
    if rules.keep_count:
        yield "--keep-count"
    for key in rules.extra_keys:
        yield f"--extra-key={key}"


def _show(state: FilterState) -> None:
    """Write whether git strips notebooks, and if only half of it is set up, which."""
    if state.is_installed:
        click.echo(f"{state.root}: git strips notebooks with {state.command}")
    elif state.applied and state.applied != "nbcache":
        click.echo(f"{state.root}: git applies another filter to notebooks: {state.applied}")
    elif state.applied:
        click.echo(f"{state.root}: the attributes name a filter 'nbcache', but none is set up here")
    else:
        click.echo(f"{state.root}: git does not strip notebooks")
