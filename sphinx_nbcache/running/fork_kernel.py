"""From a child of the fork server to the kernel that its command would have started.

Part of the fork server: standard library and ipykernel only, in the syntax of Python 3.8.
Owns what a forked process has to have as a new one has it, and how it ends.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import itertools
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable
from types import CodeType
from typing import Any

Request = Any  # what came as JSON
_warnings: Any = warnings
_threading: Any = threading


class Freshness:
    """What preloading changed and a new process must have as it was, or anew."""

    def __init__(self, randomness: Any, shelf: Any) -> None:
        self.filters = list(warnings.filters)
        self.added_filters: list[Any] = []
        self.variables = dict(os.environ)
        self.added_variables: dict[str, str] = {}
        self.named_threads = 0
        self.is_gc_hidden = False
        self.generators: list[Any] = []
        self.randomness = randomness
        self.shelf = shelf
        self.watch = randomness.SeedWatch()

    def note(self) -> None:
        """Take stock after preloading."""
        self.added_filters = [item for item in warnings.filters if item not in self.filters]
        variables = self.variables.items()
        self.added_variables.update(item for item in os.environ.items() if item not in variables)
        self.named_threads = _threading._counter() - 1  # noqa: SLF001 - the number in "Thread-1"
        self.count_threads(self.named_threads)
        # Those that are frozen are not found a second time.
        self.generators += self.randomness.find_generators(self.watch)
        _warnings.onceregistry.clear()
        for module in list(sys.modules.values()):
            registry = getattr(module, "__dict__", {}).get("__warningregistry__")
            if isinstance(registry, dict):
                registry.clear()

    def hide(self) -> None:
        """Take away what imports have added while the kernel sets up its own."""
        _warnings.filters[:] = self.filters
        self.count_threads(0)

    def show(self) -> None:
        """Add it where an import in the first cell would have: filters before all others."""
        with warnings.catch_warnings():  # entering and leaving tell that filters have changed
            pass
        _warnings.filters[:0] = self.added_filters
        for _ in range(self.named_threads):
            _threading._counter()  # noqa: SLF001

    def count_threads(self, number: int) -> None:
        """Name the next thread as if so many without names had been before it."""
        _threading._counter = itertools.count(number + 1).__next__  # noqa: SLF001

    def reseed(self) -> None:
        """Give every generator of random numbers, and what was drawn at import, new entropy."""
        random.seed()
        self.randomness.reseed(self.generators)
        process: Any = sys.modules.get("multiprocessing.process")
        if process is not None:
            process._current_process = process._MainProcess()  # noqa: SLF001 - with a new key


def prepare_kernel(
    freshness: Freshness,
    install_tracer: Callable[[], None],
    request: Request,
    descriptors: list[int],
) -> CodeType:
    """Become the process that the kernel's command would start; return what it runs."""
    code = enter(freshness, request, descriptors)
    freshness.reseed()
    freshness.shelf.put_away()
    from ipykernel.kernelapp import IPKernelApp

    # The class took its default from the environment when it was imported, in the server.
    app: Any = IPKernelApp.instance(parent_handle=os.getppid())

    def catch_up() -> None:
        # What ipywidgets would have done, had there been a shell when it was imported.
        sys.modules["ipywidgets"].load_ipython_extension(app.shell)

    def initialize(argv: Any = None) -> None:
        del app.initialize  # this function, which stands before the method of the class
        freshness.hide()
        app.initialize(argv)
        freshness.show()
        install_tracer()
        up = descriptors[3]
        os.write(up, b"1")
        os.close(up)

    freshness.shelf.on_return["ipywidgets"] = catch_up
    app.initialize = initialize
    return code


def end_quickly() -> None:
    """End as an interpreter does, but leave the taking apart of modules to the system.

    Threads are joined, ``atexit`` functions run, then what the notebook made goes: files
    are flushed, ``__del__`` is called.
    """
    from ipykernel.kernelapp import IPKernelApp

    app: Any = IPKernelApp.instance()
    # It may be flushing what was printed, which needs the publishing thread: stopping that
    # first, as ipykernel's own atexit function does, can leave both waiting for ever.
    control = getattr(app, "control_thread", None)
    if control is not None and control.is_alive():
        control.stop()
        control.join()
    _threading._shutdown()  # noqa: SLF001 - as the interpreter itself does
    atexit._run_exitfuncs()  # noqa: SLF001
    app.shell.user_ns.clear()
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the notebook may have put something else there
            stream.flush()
    close_files()
    os._exit(0)


def close_files() -> None:
    """Close the files that modules still hold, so that what was written to them is there."""
    kinds = {type(item) for item in gc.get_objects()}  # a proxy answers isinstance as it likes
    texts = {kind for kind in kinds if issubclass(kind, io.TextIOBase)}
    buffers = {kind for kind in kinds if issubclass(kind, io.BufferedIOBase)}
    plain = {kind for kind in buffers if kind.__module__ == "_io"}
    # What writes to another file goes before that: text, then what compresses, then bytes.
    for group in (texts, buffers - plain, plain):
        for item in gc.get_objects():
            if type(item) in group and not type(item).__module__.startswith("ipykernel"):
                with contextlib.suppress(Exception):
                    item.close()


def enter(freshness: Freshness, request: Request, descriptors: list[int]) -> CodeType:
    """Take on streams, directory, environment and command line of the new process.

    Returns the code that ``python -m`` would run.
    """
    for stream in range(3):
        os.dup2(descriptors[stream], stream)
        os.close(descriptors[stream])
    os.chdir(request["folder"])
    environment = dict(request["environment"], JPY_PARENT_PID=str(os.getppid()))
    os.environ.clear()
    os.environ.update(environment, **freshness.added_variables)
    spec = find_main(request["module"])
    sys.argv[:] = [spec.origin] + request["arguments"]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = request["command"]
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - text
    if freshness.is_gc_hidden:
        del sys.modules["gc"]
    code: CodeType = spec.loader.get_code(spec.name)
    return code


def find_main(module: str) -> Any:
    """Return the spec of what ``python -m module`` runs."""
    import importlib.util

    spec: Any = importlib.util.find_spec(module)
    if spec.submodule_search_locations:
        spec = importlib.util.find_spec(module + ".__main__")
    return spec
