"""The directive ``nbcache-options``: one section for each option of the package.

Made from ``sphinx_nbcache.config.OPTIONS``, so a new option is documented once: there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import sphinx_nbcache.config.options
from sphinx_nbcache.config import OPTIONS, Option

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_PREFIX = "nbcache_"
_QUOTED = re.compile(r'"\w+"')


class OptionsDirective(SphinxDirective):
    """Sections with name, meaning, default, accepted values and variable of every option."""

    def run(self) -> list[nodes.Node]:
        """Make the sections; the page is read again when the declarations change."""
        self.env.note_dependency(sphinx_nbcache.config.options.__file__)
        return [self._make_section(option) for option in OPTIONS]

    def _make_section(self, option: Option) -> nodes.section:
        name = _PREFIX + option.name
        section = nodes.section(ids=[nodes.make_id(name)], names=[nodes.fully_normalize_name(name)])
        section += nodes.title("", "", nodes.literal(text=name))
        self._parse(option.help, section)
        section += self._make_facts(option)
        self.state.document.note_explicit_target(section, section)
        return section

    def _make_facts(self, option: Option) -> nodes.table:
        facts = {
            "Default": f"`{_show_default(option)}`",
            "Accepted": _QUOTED.sub(r"`\g<0>`", option.expected),
            "Environment": f"`{option.variable}`" if option.variable else "no variable",
        }
        group = nodes.tgroup("", nodes.colspec(colwidth=1), nodes.colspec(colwidth=3), cols=2)
        group += nodes.tbody("", *(self._make_row(name, text) for name, text in facts.items()))
        return nodes.table("", group, classes=["colwidths-auto"], align="left")

    def _make_row(self, name: str, text: str) -> nodes.row:
        body = nodes.entry()
        self._parse(text, body)
        return nodes.row("", nodes.entry("", nodes.paragraph(text=name)), body)

    def _parse(self, text: str, parent: nodes.Element) -> None:
        """Parse Markdown into a node."""
        lines = StringList(text.splitlines(), source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, parent)


def _show_default(option: Option) -> str:
    """Return the default as it is written in ``conf.py``."""
    default = option.default
    return repr(list(default) if isinstance(default, tuple) else default)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("nbcache-options", OptionsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
