"""``python -m sphinx_nbcache``: the command ``nbcache``, wherever its script may be."""

from sphinx_nbcache.cli import main

if __name__ == "__main__":
    main(prog_name="nbcache")
