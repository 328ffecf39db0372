"""The benchmark: sphinx-nbcache against stock MyST-NB, run with ``python -m benchmarks``."""
