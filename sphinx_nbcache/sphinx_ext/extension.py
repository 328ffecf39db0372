"""Registration of everything with Sphinx, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sphinx.application import Sphinx

from sphinx_nbcache.sphinx_ext.command_directives import add_commands
from sphinx_nbcache.sphinx_ext.directives import (
    CellsDirective,
    ReportDirective,
    TablePlaceholder,
    TableTransform,
)
from sphinx_nbcache.sphinx_ext.options import add_options
from sphinx_nbcache.sphinx_ext.records import PageCollector
from sphinx_nbcache.sphinx_ext.session import Session

if TYPE_CHECKING:
    from sphinx.util.typing import ExtensionMetadata

_LATE = 900
"""After the handlers of other extensions, which may still change what we take up."""
_ENV_VERSION = 1


def setup_extension(app: Sphinx, version: str) -> ExtensionMetadata:
    """Register options, events, collector and directives; brings MyST-NB with it."""
    app.setup_extension("myst_nb")
    add_options(app)
    session = Session()
    app.connect("config-inited", session.on_config_inited, priority=_LATE)
    app.connect("config-inited", add_commands, priority=_LATE)
    app.connect("env-get-outdated", session.on_env_get_outdated)
    app.connect("env-before-read-docs", session.on_env_before_read_docs, priority=_LATE)
    app.connect("env-updated", session.on_env_updated)
    app.connect("build-finished", session.on_build_finished)
    app.add_env_collector(PageCollector)
    app.add_directive("nbcache-report", ReportDirective)
    app.add_directive("nbcache-cells", CellsDirective)
    app.add_node(TablePlaceholder)
    app.add_post_transform(TableTransform)
    return {
        "version": version,
        "env_version": _ENV_VERSION,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
