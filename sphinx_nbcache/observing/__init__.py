"""What runs read, under which names, and what of it has changed; knows no store, no kernel."""

from sphinx_nbcache.observing.digests import Digests
from sphinx_nbcache.observing.exclusions import is_excluded, is_excluded_name
from sphinx_nbcache.observing.packages import Packages
from sphinx_nbcache.observing.places import Places
from sphinx_nbcache.observing.present import Environment, Present
from sphinx_nbcache.observing.recording import Sighting, find_written, record_inputs

__all__ = [
    "Digests",
    "Environment",
    "Packages",
    "Places",
    "Present",
    "Sighting",
    "find_written",
    "is_excluded",
    "is_excluded_name",
    "record_inputs",
]
