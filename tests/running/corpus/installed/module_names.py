"""Looks at the modules that are there; in a module, since a notebook that does so is forked
without any."""

import importlib
import importlib.util
import sys

PYTHON = sys.stdlib_module_names | {"__main__", "__mp_main__"}


def list_libraries():
    """Return the libraries that have been imported."""
    tops = {name.partition(".")[0] for name in list(sys.modules)}
    # Modules that Cython makes for itself have no spec.
    return sorted(n for n in tops if n not in PYTHON and getattr(sys.modules.get(n), "__spec__", 1))


def describe(name):
    """Return what the import system knows of a module, imported or not."""
    spec = importlib.util.find_spec(name)
    return name in sys.modules, spec and (spec.name, spec.origin, type(spec.loader).__name__)


def count_finders():
    return [str(finder) for finder in sys.meta_path]


def load_again(module):
    before = module.__spec__
    return importlib.reload(module) is module, before.name == module.__spec__.name
