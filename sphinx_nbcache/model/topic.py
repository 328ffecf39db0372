"""What the warnings of a build are about; who gives them in which form is not known here."""

from __future__ import annotations

from enum import StrEnum


class Topic(StrEnum):
    """The subject of a warning that is not about one run."""

    STORE = "store"
    """Something in the cache is damaged or of another version."""
    METADATA = "metadata"
    """A notebook's own ``nbcache`` metadata is not understood."""
    INPUTS = "inputs"
    """Something that a notebook read has changed, and its outputs are kept all the same."""
    ARTIFACT = "artifact"
    """A file that a notebook wrote cannot be kept, or be put back."""
    KERNEL = "kernel"
    """Kernels cannot be started or limited in the way that was asked for."""
    REMOTE = "remote"
    """The remote cache, or something in it, cannot be used."""
