"""The directive ``nbcache-errors``: the tree that is drawn at the top of ``errors.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from sphinx_nbcache import errors

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class ErrorsDirective(SphinxDirective):
    """The tree of exceptions, with what to do about each."""

    def run(self) -> list[nodes.Node]:
        """Cut the tree out of the module's docstring."""
        self.env.note_dependency(errors.__file__)
        lines = (errors.__doc__ or "").splitlines()
        start = lines.index(errors.NbCacheError.__name__)
        tree = "\n".join(lines[start : lines.index("", start)])
        return [nodes.literal_block(tree, tree, language="text")]


def clear_module_docstring(  # noqa: PLR0913, PLR0917 - Sphinx says what a handler takes
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Leave out the docstring of the errors' module, whose tree the directive shows."""
    if what == "module" and name == errors.__name__:
        lines.clear()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive and the handler."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", clear_module_docstring)
    app.add_directive("nbcache-errors", ErrorsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
