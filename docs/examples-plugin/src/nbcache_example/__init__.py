"""Plug-ins for sphinx-nbcache: the reader ``doctest`` and the executor ``journal``."""
