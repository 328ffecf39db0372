"""Bears the name of a module of the standard library that no kernel imports."""

origin = "the notebook's folder"
