"""``nbcache-cli`` and ``nbcache-clear``: commands that run while a page is read, and are shown.

They go by the names ``jcache-cli`` and ``jcache-clear``, too, which pages about
jupyter-cache use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx
from sphinx.config import Config as SphinxConfig
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from sphinx_nbcache.errors import NbCacheError
from sphinx_nbcache.sphinx_ext.command_line import CommandLine, read_line
from sphinx_nbcache.sphinx_ext.command_output import make_blocks, shorten_paths, strip_codes
from sphinx_nbcache.sphinx_ext.command_place import CommandPlace
from sphinx_nbcache.sphinx_ext.command_run import Ending, run_line
from sphinx_nbcache.sphinx_ext.warnings import WarningSubtype, warn

_MEND = "mend it, or announce it with :allow-exception:"


class PlacedDirective(SphinxDirective):
    """A directive that knows the place of the commands of its documentation."""

    place: ClassVar[CommandPlace]

    def warn(self, message: str) -> None:
        """Give a warning that names page and line."""
        warn(self.config, message, WarningSubtype.CLI, self.get_location())


class ClearDirective(PlacedDirective):
    """Deletes the cache of the commands of this page, and shows nothing."""

    def run(self) -> list[nodes.Node]:
        """Delete it, or say why not."""
        try:
            self.place.clear(self.env.docname)
        except (ValueError, OSError, NbCacheError) as error:
            self.warn(f"{self.name}: {error}")
        return []


class CliDirective(PlacedDirective):
    """Runs a command and shows it with what it writes."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Callable[[str], Any]]] = {
        "prog": directives.unchanged_required,
        "command": directives.unchanged,
        "args": directives.unchanged,
        "input": directives.unchanged,
        "allow-exception": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Run it; what is wrong becomes a warning, and the page is made all the same."""
        program = self.name.partition("-")[0]
        try:
            line = read_line(self.arguments[0], self.options, program, self.place.names)
            if not self.place.folder.is_dir():
                raise ValueError(f"there is no folder {self.place.folder} to run in")
        except ValueError as error:
            self.warn(f"{self.name}: {error}")
            return make_blocks(self._show_attempt())
        before = self._stat_files(line)
        ending = self._run_line(line)
        for path, stamp in self._stat_files(line).items():
            if before.get(path) == stamp:  # not what the command itself has written
                self.env.note_dependency(str(path))
        return make_blocks(self._show(line, ending))

    def _run_line(self, line: CommandLine) -> Ending:
        cache = str(self.place.find_cache(self.env.docname))
        variables = {
            "NBCACHE_PATH": cache,
            "JUPYTERCACHE": cache,
            # A failed notebook is no failed command to jupyter-cache.
            "NBCACHE_JCACHE_EXIT": "1" if line.is_renamed else None,
        }
        if self.place.is_frozen:
            variables["NBCACHE_FROZEN"] = "1"
        typed = self.options.get("input", "")
        return run_line(line, folder=self.place.folder, variables=variables, typed=typed)

    def _show(self, line: CommandLine, ending: Ending) -> str:
        """Return the line and what it wrote; warn of an end that was not announced."""
        cache = None if self.place.shared_cache else self.place.find_cache(self.env.docname)
        written = shorten_paths(
            "\n".join(filter(None, [ending.output.rstrip("\n"), ending.exception.rstrip("\n")])),
            folder=self.place.folder,
            cache=cache,
        )
        if (ending.status or ending.exception) and "allow-exception" not in self.options:
            last = strip_codes(written).strip().rpartition("\n")[2]
            how = "raised an exception" if ending.exception else f"exit status {ending.status}"
            self.warn(f"{self.name}: `{line.shown}`: {how}: {last or 'no output'}; {_MEND}")
        return f"$ {line.shown}\n{written}".rstrip("\n")

    def _show_attempt(self) -> str:
        """Return what was asked for, where nothing can be run."""
        texts = (self.arguments[0], *map(self.options.get, ("command", "args")))
        return "$ " + " ".join(text for text in texts if text)

    def _stat_files(self, line: CommandLine) -> dict[Path, int]:
        """Return the files that the page follows from, with their times: a new one re-reads it.

        Those named on the line, and the module of the command.
        """
        module = getattr(sys.modules.get(line.module), "__file__", None)
        paths = [self.place.folder / word for word in line.words]
        if module is not None:
            paths.append(Path(module))
        return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}


DIRECTIVES: dict[str, type[PlacedDirective]] = {
    "jcache-cli": CliDirective,
    "jcache-clear": ClearDirective,
    "nbcache-cli": CliDirective,
    "nbcache-clear": ClearDirective,
}


def add_commands(app: Sphinx, config: SphinxConfig) -> None:
    """Register the directives, bound to this application; and have pages begin empty.

    Called when all extensions and ``conf.py`` are loaded: a documentation that has directives
    of these names itself, as jupyter-cache's own has, keeps them.
    """
    place = CommandPlace.from_app(app, config)
    for name, base in DIRECTIVES.items():
        if _is_free(name):
            bound = type(base.__name__, (base,), {"place": place})
            app.add_directive(name, bound, override=True)

    def on_env_purge_doc(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        place.begin(docname)

    app.connect("env-purge-doc", on_env_purge_doc)


def _is_free(name: str) -> bool:
    """Return whether a name is not taken; one of ours is left by an application before."""
    taken: type[Directive] | None = directives._directives.get(name)  # type: ignore[attr-defined]  # noqa: SLF001
    return taken is None or (isinstance(taken, type) and issubclass(taken, PlacedDirective))
