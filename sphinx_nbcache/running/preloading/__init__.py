"""What a fork server imports beforehand, and for which notebooks that would change a page."""

from sphinx_nbcache.running.preloading.choice import Preload, choose_modules
from sphinx_nbcache.running.preloading.imports import scan_imports
from sphinx_nbcache.running.preloading.safe_list import SAFE

__all__ = ["SAFE", "Preload", "choose_modules", "scan_imports"]
