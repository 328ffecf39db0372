"""The feature site: one page for each thing of MyST-NB that touches execution,
reading or rendering of outputs (see README.txt).

The same file serves stock MyST-NB and sphinx-nbcache: only the extension differs.
"""

import os

project = "Feature site"
author = "sphinx-nbcache"
copyright = "sphinx-nbcache"  # no year: the HTML must not depend on the date

extensions = [os.environ.get("FEATURES_EXTENSION", "myst_nb")]

# ".py" is a source suffix here (nb_custom_formats), so list what is not a page
exclude_patterns = ["README.txt", "conf.py", "formats/code/*", "_build"]

html_theme = "alabaster"
html_last_updated_fmt = None
numfig = True

# the JSON page shows a mime type that MyST-NB can not render
suppress_warnings = ["mystnb.unknown_mime_type"]

myst_enable_extensions = [
    "amsmath",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "substitution",
]
myst_heading_anchors = 2
myst_substitutions = {"site": "feature site"}

# -- reading -----------------------------------------------------------------

nb_custom_formats = {
    # before MyST-NB 1.2 only the last suffix of a file name counts, so ".py" has
    # to be able to read the percent script as well
    ".pct.py": ["jupytext.reads", {"fmt": "py:percent"}],
    ".py": ["jupytext.reads", {"fmt": "py"}],
    ".Rmd": ["jupytext.reads", {"fmt": "Rmd"}],
    # the third item: Markdown cells are CommonMark, not MyST
    ".jmd": ["jupytext.reads", {"fmt": "md"}, True],
    ".nbx": ["nbformat.reads", {"as_version": 4}],
    ".jtx": "jupytext.reads",
}

# -- execution ---------------------------------------------------------------

nb_execution_mode = "cache"
nb_execution_timeout = 60
nb_execution_excludepatterns = ["execution/excluded_*.ipynb", "execution/kept/*"]
nb_kernel_rgx_aliases = {"some-other-.*": "python3"}

# kernels inherit the environment of the build (execution/environment.md)
os.environ["FEATURES_SETTING"] = "set in conf.py"

# -- rendering ---------------------------------------------------------------

nb_merge_streams = True
nb_code_prompt_show = "Open the {type}"
nb_code_prompt_hide = "Close the {type}"
nb_render_image_options = {"alt": "output of a code cell"}
nb_mime_priority_overrides = [
    ("html", "text/markdown", 25),  # before text/html
    ("html", "image/gif", None),  # never
]


def fill_in(app, docname, source):
    """Change the text of a page before any parser sees it."""
    source[0] = source[0].replace("@FILLED-IN@", "6 * 7")


def setup(app):
    app.connect("source-read", fill_in)
