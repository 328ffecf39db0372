"""The directive ``nbcache-help``: the help text of a command, from the command itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import sphinx_nbcache.cli.commands as declared

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_WIDTH = 80


class HelpDirective(SphinxDirective):
    """``nbcache --help``, or the help of the command that is named."""

    optional_arguments: ClassVar[int] = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Ask click for the text; the page is read again when the commands change."""
        for path in Path(declared.__file__).parent.glob("*.py"):
            self.env.note_dependency(str(path))
        context = _make_context(declared.main, "nbcache", None)
        if self.arguments:
            for name in self.arguments[0].split():
                group = context.command
                assert isinstance(group, click.Group)
                context = _make_context(group.commands[name], name, context)
        text = f"$ {context.command_path} --help\n{context.get_help()}"
        return [nodes.literal_block(text, text, language="text")]


def _make_context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = declared.main.context_settings
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_WIDTH,
        help_option_names=settings["help_option_names"],
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("nbcache-help", HelpDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
