"""The names in code that matter to whoever reads it for its imports.

Here is what may be extended when a notebook does something that nobody thought of.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

PRESENT = frozenset({"IPython", "autoreload", "ipykernel", "storemagic", "traitlets"}).union(
    sys.stdlib_module_names
)
"""What every kernel has imported, or can import without a library."""

LAZY = frozenset({"scipy", "sklearn"})
"""Packages that import a part of theirs when it is named: `import scipy; scipy.stats.norm`."""

ENVIRONMENT = "changes environment variables"
FOLDER = "changes its working directory"
FOREIGN_CODE = "runs code that is not in its cells"
INSTALLS = "installs packages"
_WARNINGS = "changes which warnings are shown"
_LOGGING = "sets up logging"
_IMPORTS = "changes or watches imports"

CHANGES: Mapping[str, str] = {
    "environ": ENVIRONMENT,
    "environb": ENVIRONMENT,
    "putenv": ENVIRONMENT,
    "unsetenv": ENVIRONMENT,
    "setenv": ENVIRONMENT,
    "delenv": ENVIRONMENT,
    "load_dotenv": ENVIRONMENT,
    # Libraries put filters of their own before those that are there.
    "filterwarnings": _WARNINGS,
    "simplefilter": _WARNINGS,
    "resetwarnings": _WARNINGS,
    "catch_warnings": _WARNINGS,
    "showwarning": _WARNINGS,
    # Some libraries log while they are imported.
    "basicConfig": _LOGGING,
    "dictConfig": _LOGGING,
    "fileConfig": _LOGGING,
    "captureWarnings": _LOGGING,
    "setLevel": _LOGGING,
    "addHandler": _LOGGING,
    # Matplotlib looks for its settings there, and modules may lie there.
    "chdir": FOLDER,
    "fchdir": FOLDER,
    "__import__": _IMPORTS,
    "meta_path": _IMPORTS,
    "path_hooks": _IMPORTS,
    "settrace": _IMPORTS,
    "setprofile": _IMPORTS,
    "addaudithook": _IMPORTS,
    "exec": FOREIGN_CODE,
    "run_path": FOREIGN_CODE,
    "run_module": FOREIGN_CODE,
    "run_cell": FOREIGN_CODE,
    "safe_execfile": FOREIGN_CODE,
    "setlocale": "sets the locale",
}
"""What may make a later import another one, by the name that does it."""

SEEDS = frozenset({"seed", "setstate"})
"""Of the module `random`: there are libraries that draw a number while they are imported."""

LOOKS: Mapping[str, str] = {
    "loggerDict": "lists loggers",
    "__subclasses__": "lists subclasses",
    "colormaps": "lists colormaps, to which seaborn adds its own",
    "reload": "reloads modules",
    "reset_orig": "asks for settings as they were when seaborn was imported",
}
"""What may show, wherever it stands, that a module was imported early."""

INSTALLATION = re.compile(r"^pip3?$|\b(?:pip3?|conda|mamba)\s.*\b(?:un)?install\b")
"""A command, or a word of one, after which an import may find another version."""

MAPPINGS = frozenset({"colormaps", "environ"})
"""Those of the names above from which one value may be read by subscript."""
READING_METHODS: Mapping[str, frozenset[str]] = {
    "colormaps": frozenset({"get_cmap"}),
    "environ": frozenset({"copy", "get", "items", "keys", "values"}),
}
READING_FUNCTIONS = frozenset({"dict", "len", "list", "print", "sorted"})

HARMLESS_MAGICS = frozenset(
    {
        "aimport", "alias", "alias_magic", "autoawait", "autocall", "autoindent", "automagic",
        "autoreload", "bookmark", "cat", "clear", "colors", "config", "dhist", "dirs",
        "doctest_mode", "hist", "history", "less", "load", "logoff", "logon", "logstart",
        "logstate", "logstop", "ls", "lsmagic", "macro", "magic", "man", "more", "notebook",
        "page", "pastebin", "pdb", "pdef", "pdoc", "pfile", "pinfo", "pinfo2", "pprint",
        "precision", "psearch", "psource", "pwd", "pycat", "quickref", "recall", "rep", "rerun",
        "reset", "reset_selective", "save", "sc", "store", "sx", "system", "tb", "unalias",
        "unload_ext", "who", "who_ls", "whos", "xdel", "xmode",
    }
)  # fmt: skip
CHANGING_MAGICS: Mapping[str, str] = {
    **dict.fromkeys(("cd", "popd", "pushd"), FOLDER),
    **dict.fromkeys(("conda", "mamba", "micromamba", "pip", "uv"), INSTALLS),
}
STATEMENT_MAGICS = frozenset({"memit", "prun", "time", "timeit"})
PYTHON_CELLS = frozenset({"capture", "prun", "time", "timeit"})
FOREIGN_CELLS = frozenset(
    {
        "!", "HTML", "SVG", "bash", "cmd", "html", "javascript", "js", "latex", "markdown",
        "perl", "pypy", "python", "python2", "python3", "ruby", "script", "sh", "svg", "sx",
        "system",
    }
)  # fmt: skip
WRITING_CELLS = frozenset({"file", "writefile"})
