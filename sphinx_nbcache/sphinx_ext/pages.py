"""What MyST-NB makes of a page: is it a notebook, and under which configuration.

MyST-NB's own reader and configuration decide, so that a page is the same thing for
both; this is the only place besides the parser that knows them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from myst_nb.core.config import NbParserConfig, Section
from myst_nb.core.nb_to_tokens import nb_node_to_dict
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig

from sphinx_nbcache.model import Mode, Notebook, Settings, digest_bytes
from sphinx_nbcache.pipeline import Source, apply_execution_metadata, find_exclusion
from sphinx_nbcache.reading import describe_versions, read_with

READ_ONLY_KEYS = ("output_folder",)
_DECIDING = {Section.read, Section.execute, Section.config}
_NOT_DECIDING = {
    "custom_formats",  # described for each page
    "execution_excludepatterns",  # described for each page
    "execution_cache_path",
    "execution_timeout",
    "execution_raise_on_error",
    "execution_show_tb",
    "eval_name_regex",
}
"""MyST-NB's options of those sections that change neither what is asked nor whether."""
_KNOWN_READERS = ("jupytext.", "nbformat.")
"""Readers that make the same of the same text, as long as their version stays."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is a notebook."""

    notebook: Notebook
    config: NbParserConfig
    """MyST-NB's configuration after the notebook's own overrides."""
    is_overridden: bool
    """Whether the overrides are in ``config``; invalid ones are left to MyST-NB to report."""
    commonmark_only: bool

    @property
    def settings(self) -> Settings:
        """Return how the notebook is to be executed."""
        return apply_execution_metadata(make_settings(self.config), self.notebook.metadata)

    @property
    def loaded_files(self) -> list[Path]:
        """Return the files that code cells take their code from (``:load:``)."""
        folder = self.notebook.path.parent
        metadata = (cell["metadata"] for cell in self.notebook.content["cells"])
        return [folder / str(item["load"]) for item in metadata if "load" in item]


def make_settings(config: NbParserConfig) -> Settings:
    """Return how notebooks are to be executed, as MyST-NB's configuration says."""
    return Settings(
        mode=Mode(config.execution_mode),
        timeout_s=config.execution_timeout,
        allow_errors=config.execution_allow_errors,
        in_temp=config.execution_in_temp,
        excludepatterns=tuple(config.execution_excludepatterns),
        kernel_rgx_aliases=tuple(config.kernel_rgx_aliases.items()),
    )


def read_page(
    path: Path, text: str, md_config: MdParserConfig, nb_config: NbParserConfig
) -> Page | None:
    """Read a page as MyST-NB does; None where it is not a notebook.

    Raises NotebookReadError.
    """
    reader = create_nb_reader(str(path), md_config, nb_config, text)
    if reader is None:
        return None

    def read(path: Path, text: str) -> Any:
        return reader.read(text)

    notebook = read_with(read, path, text)
    config = _apply_overrides(nb_config, notebook)
    return Page(
        notebook,
        config or nb_config,
        is_overridden=config is not None,
        commonmark_only=reader.md_config.commonmark_only,
    )


def _apply_overrides(config: NbParserConfig, notebook: Notebook) -> NbParserConfig | None:
    """Return the configuration with a notebook's own options; None if these are invalid."""
    own = notebook.metadata.get(config.metadata_key)
    if own is None:
        return config
    try:
        overrides = dict(nb_node_to_dict(own))
        for key in READ_ONLY_KEYS:
            overrides.pop(key, None)
        return config.copy(**overrides)
    except Exception:  # noqa: BLE001 - as MyST-NB does, which then reports it with its own warning
        return None


class PageReading:
    """Reads the pages of one build as MyST-NB does.

    :param note_config: called with the name and MyST-NB's configuration of each notebook.
    """

    def __init__(
        self,
        md_config: MdParserConfig,
        nb_config: NbParserConfig,
        note_config: Callable[[str, NbParserConfig], None],
    ) -> None:
        self._md_config = md_config
        self._nb_config = nb_config
        self._note_config = note_config

    def read(self, source: Source, text: str) -> tuple[Notebook, Settings] | None:
        """Return a notebook with its settings; None for a page that is no notebook."""
        page = read_page(source.path, text, self._md_config, self._nb_config)
        if page is None:
            return None
        self._note_config(source.name, page.config)
        return page.notebook, page.settings

    def describe(self, source: Source) -> str | None:
        """Return the options that hold for a page, and who reads it.

        None where it is a reader of the user's own, whose code may change, or where an
        option has no stable form.
        """
        reader = self._find_reader(source.path)
        if self._rules is None or (reader and not reader[0].startswith(_KNOWN_READERS)):
            return None
        exclusion = find_exclusion(source.path, self._nb_config.execution_excludepatterns)
        rest = _to_json([reader, exclusion]) if reader or exclusion else ""
        return None if rest is None else f"{self._rules} {rest}"

    def _find_reader(self, path: Path) -> tuple[str, Any, bool] | None:
        """Return the entry of ``nb_custom_formats`` for a page: the longest ending wins."""
        formats = self._nb_config.custom_formats
        endings = [ending for ending in formats if str(path).endswith(ending)]
        return formats[max(endings, key=len)] if endings else None

    @cached_property
    def _rules(self) -> str | None:
        """Return the digest of what holds for all pages."""
        deciding = {
            field.name: getattr(self._nb_config, field.name)
            for field in fields(self._nb_config)
            if _DECIDING & set(field.metadata.get("sections", ()))
            and field.name not in _NOT_DECIDING
        }
        # Aliases are tried in order, which the sorted form does not keep.
        aliases = list(self._nb_config.kernel_rgx_aliases.items())
        markdown = {
            field.name: getattr(self._md_config, field.name) for field in fields(self._md_config)
        }
        rules = _to_json(["sphinx", describe_versions(), deciding, aliases, markdown])
        return None if rules is None else digest_bytes(rules.encode("ascii"))


def _to_json(value: Any) -> str | None:
    """Return the one form of a value; None where it holds what has none."""
    try:
        return json.dumps(value, sort_keys=True, default=_simplify)
    except (TypeError, ValueError, AttributeError):
        return None


def _simplify(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if callable(value):  # as for slugs of headings: none of them changes a code cell
        return f"{value.__module__}.{value.__qualname__}"
    raise TypeError
