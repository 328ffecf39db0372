"""The fork server: a process with everything imported, which forks a kernel for each notebook.

It runs in the kernel's interpreter, where sphinx-nbcache need not be installed: by path, with
the standard library and ipykernel only, in the syntax of Python 3.8. Started as
``python fork_server.py DESCRIPTOR fork`` with a connected Unix socket; when that closes, it
ends every process it forked or watches. With ``watch`` for ``fork`` it only watches. The
protocol is described in ``forking.py``.
"""

from __future__ import annotations

import array
import builtins
import contextlib
import functools
import gc
import json
import os
import runpy
import signal
import socket
import struct
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

Request = Any  # what came as JSON
_warnings: Any = warnings
_threading: Any = threading
_builtins: Any = builtins
_runpy: Any = runpy
# What cells see of their shell, in so far as modules ask it whether they are in a kernel:
# pandas shows 20 columns there, and as many as fit in a terminal.
_SHELL = SimpleNamespace(kernel=None, config={"IPKernelApp": {}})
_HEADER = struct.Struct("!I")
_MOST_DESCRIPTORS = 8
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h
_CHILD_SERVERS_S = 0.5
_JOIN_S = 1.0
# What does its work while it is imported, in the kernel; and what starts threads of its own.
_NOT_SHARED = ("matplotlib_inline.backend_inline", "polars", "tensorflow", "torch")
# What every kernel of ipykernel imports while it starts; some versions lack some of it.
_KERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "jupyter_client.localinterfaces",
    "pdb",
    "psutil",
    "pwd",
    "sqlite3",
    "tornado.platform.asyncio",
)


class Server:
    """Answers one client on one socket; kernels and further servers are its children."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.children: dict[int, Request] = {}
        """Process id to the request that it was forked for."""
        self.groups: set[int] = set()
        """Process groups that end with the server though others started them."""
        self.wake, self.wake_write = socket.socketpair()
        for end in (self.wake, self.wake_write):
            end.setblocking(False)

    def serve(self) -> tuple[Request, list[int]] | None:
        """Answer requests; return a request and its descriptors in the child forked for it.

        Returns None in the server itself, when its client is gone.
        """
        import select

        self.listen_to_signals()
        while True:
            readable = select.select([self.client, self.wake], [], [])[0]
            if self.wake in readable and signal.SIGTERM in self.take_signals():
                return None
            self.reap()
            if self.client in readable:
                try:
                    request, descriptors = receive(self.client)
                except (EOFError, OSError):
                    return None
                if self.answer(request, descriptors):
                    return request, descriptors

    def listen_to_signals(self) -> None:
        """Wake up when a child has ended, and when this process is to end."""
        signal.set_wakeup_fd(self.wake_write.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def take_signals(self) -> bytes:
        """Return the numbers of the signals that have come."""
        try:
            return self.wake.recv(4096)
        except BlockingIOError:
            return b""

    def answer(self, request: Request, descriptors: list[int]) -> bool:
        """Do what is asked; return whether this is now the child that was asked for."""
        if request["do"] == "watch":
            self.groups.add(request["group"])
        elif request["do"] == "forget":
            self.groups.discard(request["group"])
        else:
            return self.fork(request, descriptors)
        return False

    def fork(self, request: Request, descriptors: list[int]) -> bool:
        """Fork a child for a request; return whether this is the child."""
        parent = os.getpid()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python 3.12 warns of threads of BLAS
                pid = os.fork()
        except OSError as error:
            self.tell(id=request["id"], failed=str(error))
            pid = None
        if pid == 0:
            self.become_child(parent)
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        if pid is not None:
            self.children[pid] = request
            self.tell(id=request["id"], pid=pid)
        return False

    def become_child(self, parent: int) -> None:
        """Leave everything behind that belongs to the server."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for end in (self.client, self.wake, self.wake_write):
            end.close()
        die_with_parent(parent)
        os.setsid()

    def reap(self) -> None:
        """Tell the client which children have ended."""
        while self.children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            request = self.children.pop(pid, None)
            if request is not None:
                self.tell(id=request["id"], status=decode_status(status))

    def tell(self, **message: object) -> None:
        """Send the client a message; when it is gone, the next read says so."""
        with contextlib.suppress(OSError):
            self.client.sendall(json.dumps(message).encode("ascii") + b"\n")

    def end(self) -> None:
        """End all that was started here; further servers end themselves, and theirs."""
        servers = {pid for pid, request in self.children.items() if request["do"] == "server"}
        for group in self.groups.union(self.children) - servers:
            end_group(group)
        deadline = time.monotonic() + _CHILD_SERVERS_S
        while servers and time.monotonic() < deadline:
            time.sleep(0.01)
            servers = {pid for pid in servers if os.waitpid(pid, os.WNOHANG)[0] == 0}
        for pid in servers:
            end_group(pid)


def receive(client: socket.socket) -> tuple[Request, list[int]]:
    """Return one request and the descriptors that came with it."""
    size = array.array("i").itemsize
    room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * size)
    header, ancillary, _, _ = client.recvmsg(_HEADER.size, room)
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % size])
    header += receive_exactly(client, _HEADER.size - len(header))
    (length,) = _HEADER.unpack(header)
    return json.loads(receive_exactly(client, length).decode("ascii")), list(descriptors)


def receive_exactly(client: socket.socket, length: int) -> bytes:
    """Return so many bytes; raise EOFError when the client is gone."""
    data = b""
    while len(data) < length:
        piece = client.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def decode_status(status: int) -> int:
    """Return an exit status as ``subprocess`` has it: negative for a signal."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def end_group(group: int) -> None:
    """Kill a process group, if there is still something in it."""
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def die_with_parent(parent: int) -> None:
    """Make the kernel of the system end this process when the server is killed."""
    import ctypes

    try:
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(1)


def load_beside(name: str) -> Any:
    """Return a module of this folder, which is on no import path."""
    import importlib.util

    path = Path(__file__).resolve().with_name(f"{name}.py")
    spec: Any = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def import_if_there(name: str) -> None:
    """Import what every kernel needs; only ipykernel itself must be there."""
    import importlib

    try:
        importlib.import_module(name)
    except ImportError:
        if name == _KERNEL_MODULES[0]:
            raise


def preload(names: list[str]) -> tuple[list[str], str | None, str]:
    """Import modules; return those that came, and the first that must not be preloaded.

    A module that is not installed is passed over. One that prints, warns, fails or starts
    a thread has spoilt this process: ``(imported, name, reason)`` tells to begin anew
    without it.
    """
    import importlib.util

    imported: list[str] = []
    filters = list(warnings.filters)
    # IPython's filter for the code of cells, which is what imports these modules.
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
    own = warnings.filters[0]
    _builtins.get_ipython = lambda: _SHELL
    for name in names:
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            continue
        reason = import_quietly(name)
        if reason:
            return imported, name, reason
        imported.append(name)
    del _builtins.get_ipython
    if own not in filters:
        _warnings.filters.remove(own)
    return imported, None, ""


def import_quietly(name: str) -> str:
    """Import a module; return why it must not be preloaded, empty if it may."""
    before = measure_output()
    try:
        # As a cell does it: a warning that is meant for the importer is seen.
        exec(f"import {name}", {"__name__": "__main__"})  # noqa: S102
    except ModuleNotFoundError as error:
        if not name.startswith(error.name or "."):  # else this version does not have it
            return f"it imports {error.name}, which is not there"
    except BaseException as error:  # noqa: BLE001 - whatever it is, the module is left out
        return f"importing it raised {type(error).__name__}: {error}"
    if measure_output() != before:
        return "it prints or warns when it is imported"
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(_JOIN_S)  # a timer that only waits to say that something takes long
    if threading.active_count() > 1:
        return "it starts a thread when it is imported"
    shared = [other for other in _NOT_SHARED if other in sys.modules]
    return f"it imports {shared[0]}, which has to be imported in the kernel" if shared else ""


def measure_output() -> int:
    """Return how much this process has written to its log."""
    sys.stdout.flush()
    sys.stderr.flush()
    return os.fstat(1).st_size


def be_preloaded(freshness: Any, request: Request, descriptors: list[int]) -> Server:
    """Make a child of a server a server of its own, with modules imported."""
    client, log = descriptors
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.environ.update(request["variables"])
    freshness.variables.update(request["variables"])
    server = Server(socket.socket(fileno=client))
    gc.disable()  # what imports make stays; looking through it costs a tenth of the time
    with freshness.watch, freshness.shelf:
        imported, name, reason = preload(request["modules"])
    gc.enable()
    if name is not None:
        server.tell(refused=name, reason=reason)
        sys.exit(0)
    freshness.note()
    settle()
    server.tell(ready=imported)
    return server


def settle() -> None:
    """Put all objects where no collection of a child looks, which would copy their pages."""
    gc.collect()
    gc.freeze()


def import_for_kernels(freshness: Any) -> None:
    """Import what every kernel does; what that brings is every kernel's own."""
    del sys.modules["gc"]  # needed here, and unknown to a kernel that has not imported it
    gc.disable()
    for name in _KERNEL_MODULES:
        import_if_there(name)
    gc.enable()
    freshness.is_gc_hidden = sys.modules.setdefault("gc", gc) is gc
    freshness.filters[:] = warnings.filters
    freshness.note()
    settle()


def main() -> tuple[CodeType, Callable[[], None]] | None:
    """Serve until the client is gone.

    In a forked kernel it returns what that is to run, and what is to be called at its end.
    """
    if sys.path and sys.path[0] == str(Path(__file__).resolve().parent):
        del sys.path[0]
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    kernels: Any = None
    freshness: Any = None
    install_tracer: Any = None
    if sys.argv[2] == "fork":
        kernels = load_beside("fork_kernel")
        names = ("interpreter", "tracer_modules", "tracer")
        interpreter, modules, tracer = map(load_beside, names)
        install_tracer = functools.partial(
            tracer.install, interpreter.describe_interpreter, modules.list_modules
        )
        freshness = kernels.Freshness(
            load_beside("fork_random"), load_beside("fork_modules").Shelf()
        )
        import_for_kernels(freshness)
    server.tell(ready=[])
    while True:
        work = server.serve()
        if work is None:
            server.end()
            return None
        request, descriptors = work
        if request["do"] == "kernel":
            code = kernels.prepare_kernel(freshness, install_tracer, request, descriptors)
            return code, kernels.end_quickly
        server = be_preloaded(freshness, request, descriptors)


if __name__ == "__main__":
    kernel = main()
    if kernel is not None:
        try:
            # As many frames as ``python -m`` has, for code that asks for its depth.
            _runpy._run_code(kernel[0], {}, mod_name="__main__")  # noqa: SLF001
        finally:
            kernel[1]()
