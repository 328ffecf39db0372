"""Tables and other listings: for a terminal, and as plain lines for everything else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import click

_YAML_WORDS = ("null", "true", "false", "yes", "no", "on", "off")
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows below headings; IDs and other numbers stand at the right."""
    is_number = [
        bool(rows) and all(_is_number(row[column]) for row in rows)
        for column in range(len(headings))
    ]
    widths = [max(map(click_width, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, ["-" * width for width in widths], *rows):
        cells = zip(row, widths, is_number, strict=True)
        line = "  ".join(_fill(text, width, right) for text, width, right in cells)
        click.echo(click.style(line.rstrip(), bold=True) if row is headings else line.rstrip())


def click_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: signs such as a tick take two."""
    from rich.cells import cell_len

    return len(text) if text.isascii() else cell_len(text)


def _fill(text: str, width: int, right: bool) -> str:
    space = " " * (width - click_width(text))
    return space + text if right else text + space


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def show_fields(fields: Mapping[str, Any]) -> None:
    """Write names and values as YAML; what has no value is left out."""
    for name, value in fields.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            click.echo(f"{name}:")
            for key, item in value.items():
                click.echo(f"  {key}: {quote(item)}")
        elif isinstance(value, list | tuple):
            click.echo(f"{name}:" if value else f"{name}: []")
            for item in value:
                click.echo(f"- {quote(item)}")
        else:
            click.echo(f"{name}: {quote(value)}")


def quote(value: Any) -> str:
    """Return a value as YAML reads it back: texts that mean something else in quotes."""
    text = str(value)
    if not isinstance(value, str):
        return text
    begins_plainly = bool(text) and (text[0].isalnum() or text[0] in "/._" or not text[0].isascii())
    is_plain = begins_plainly and ": " not in text and " #" not in text and text.isprintable()
    is_plain = is_plain and not text.endswith(":") and text.lower() not in _YAML_WORDS
    is_plain = text == "-" or (is_plain and not _is_number(text))
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def write_json(value: Any) -> None:
    """Write a value for scripts, indented."""
    click.echo(json.dumps(value, indent=2))


def shorten(path: str, length: int) -> str:
    """Return the last parts of a path."""
    parts = PurePosixPath(path).parts
    return path if len(parts) <= length else "/".join(parts[-length:])


def show_time(timestamp: float | None) -> str:
    """Return a moment in local time."""
    if timestamp is None:
        return "-"
    return datetime.fromtimestamp(timestamp).strftime("%Y-%m-%d %H:%M")  # noqa: DTZ006 - local


def show_size(size_bytes: int) -> str:
    """Return a number of bytes for people."""
    size, units = float(size_bytes), iter(_UNITS)
    unit = next(units)
    while size >= 1000 and unit != _UNITS[-1]:
        size, unit = size / 1000, next(units)
    return f"{size_bytes} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def show_seconds(seconds: float) -> str:
    """Return a duration for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def count(number: int, word: str, plural: str = "") -> str:
    """Return a number with its word: ``1 entry``, ``2 entries``."""
    return f"{number} {word if number == 1 else plural or word + 's'}"


def list_json(values: Iterable[Any]) -> None:
    """Write a list for scripts."""
    write_json(list(values))
