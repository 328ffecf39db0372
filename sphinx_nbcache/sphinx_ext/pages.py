"""What MyST-NB makes of a page: is it a notebook, and under which configuration.

MyST-NB's own reader and configuration decide, so that a page is the same thing for
both; this is the only place besides the parser that knows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myst_nb.core.config import NbParserConfig
from myst_nb.core.nb_to_tokens import nb_node_to_dict
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig

from sphinx_nbcache.model import Mode, Notebook, Settings
from sphinx_nbcache.pipeline import apply_execution_metadata
from sphinx_nbcache.reading import read_with

READ_ONLY_KEYS = ("output_folder",)


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
        config = self.config
        settings = Settings(
            mode=Mode(config.execution_mode),
            timeout_s=config.execution_timeout,
            allow_errors=config.execution_allow_errors,
            in_temp=config.execution_in_temp,
            excludepatterns=tuple(config.execution_excludepatterns),
            kernel_rgx_aliases=tuple(config.kernel_rgx_aliases.items()),
        )
        return apply_execution_metadata(settings, self.notebook.metadata)

    @property
    def loaded_files(self) -> list[Path]:
        """Return the files that code cells take their code from (``:load:``)."""
        folder = self.notebook.path.parent
        metadata = (cell["metadata"] for cell in self.notebook.content["cells"])
        return [folder / str(item["load"]) for item in metadata if "load" in item]


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
