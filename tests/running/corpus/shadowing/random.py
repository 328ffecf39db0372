"""Bears the name of a module that every kernel has imported before the first cell."""

raise ImportError("the local random.py was imported")
