"""Run by %run."""

import sys

print(__name__, __file__, sys.argv)
from_script = 6 * 7
