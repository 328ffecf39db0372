"""The directive ``nbcache-warnings``: every warning of the package and its meaning.

Made from the members of ``WarningSubtype`` and the text below each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import sphinx_nbcache.sphinx_ext.warnings as declared

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class WarningsDirective(SphinxDirective):
    """A definition list: the name to suppress a warning by, and its meaning."""

    def run(self) -> list[nodes.Node]:
        """Make the list; the page is read again when the declarations change."""
        self.env.note_dependency(declared.__file__)
        meanings = ModuleAnalyzer.for_module(declared.__name__).find_attr_docs()
        names = nodes.definition_list()
        for member in declared.WarningSubtype:
            lines = meanings[declared.WarningSubtype.__name__, member.name]
            names += self._make_item(f"{declared.WARNING_TYPE}.{member}", lines)
        return [names]

    def _make_item(self, name: str, lines: list[str]) -> nodes.definition_list_item:
        meaning = nodes.definition()
        text = [line.replace("``", "`") for line in lines]
        self.state.nested_parse(StringList(text, source=""), self.content_offset, meaning)
        return nodes.definition_list_item(
            "", nodes.term("", "", nodes.literal(text=name), ids=[nodes.make_id(name)]), meaning
        )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("nbcache-warnings", WarningsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
