"""An extension of IPython."""


def load_ipython_extension(ipython):
    """Register a magic."""
    ipython.register_magic_function(lambda line: print("magic", line), magic_name="local_magic")
