"""Sphinx configuration of this documentation: it is built by the package it describes.

Pages that start programs of the package name its files in their metadata, as what child
processes read is not seen; pages that import it need not.
"""

import sys
from pathlib import Path

from sphinx_nbcache import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "sphinx-nbcache"
author = "The sphinx-nbcache developers"
copyright = author
release = version = __version__

extensions = [
    "sphinx_nbcache",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "nbcache_options",
    "nbcache_warnings",
    "nbcache_errors",
    "nbcache_commands",
]
# ".py" is a notebook format here, so what is Python and no page has to be named.
exclude_patterns = ["_build", "_ext", "conf.py", "jupyter_execute", "examples-plugin"]

html_theme = "furo"
html_title = f"sphinx-nbcache {__version__}"
html_static_path = ["_static"]
html_css_files = ["outputs.css"]

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3

nb_custom_formats = {
    ".py": ["jupytext.reads", {"fmt": "py:percent"}],
    ".Rmd": ["jupytext.reads", {"fmt": "Rmd"}],
}
nb_execution_timeout = 120
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
