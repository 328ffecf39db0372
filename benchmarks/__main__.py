"""``python -m benchmarks``: check that the needed packages are there, then run."""

from __future__ import annotations

import sys

from benchmarks.errors import BenchmarkError
from benchmarks.prerequisites import require_modules


def main() -> None:
    """Run the benchmark's command line."""
    try:
        # The command line imports psutil: ask first, so that people get a sentence
        # and not a traceback.
        require_modules(["click", "psutil"])
    except BenchmarkError as error:
        sys.exit(f"Error: {error}")
    from benchmarks.cli import cli

    cli(prog_name="python -m benchmarks")


if __name__ == "__main__":
    main()
