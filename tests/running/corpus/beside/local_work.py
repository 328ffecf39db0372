"""A module beside the notebooks: functions for other processes, and a warning when imported."""

import os
import warnings

warnings.warn("local_work is imported", DeprecationWarning, stacklevel=2)
warnings.warn("local_work is here", UserWarning, stacklevel=1)


def square(number):
    """Return a square; pickled by name."""
    return number * number


def is_other_process(pid):
    """Tell whether this runs outside the process of that number."""
    return os.getpid() != pid


def warn_deprecated():
    """Warn of the caller's line."""
    warnings.warn("do not call this", DeprecationWarning, stacklevel=2)


class Broken:
    """Says when it goes."""

    def __init__(self, path):
        self.path = path

    def __del__(self):
        with open(self.path, "a") as file:
            file.write("__del__ of an object of a local module\n")
