"""The tracer: what a Python kernel reads, writes, lists and imports, seen by an audit hook.

It runs in the kernel, where sphinx-nbcache need not be installed: sent as text or loaded by
path, with the standard library only, in the syntax of Python 3.8. The audit system is its only
handle, so that no name of it stays in the kernel: it begins with the event
``sphinx_nbcache.start``, and ``sphinx_nbcache.report`` has it write what it saw to a file.
"""

# pathlib is slow, and would show in the kernel.
# ruff: noqa: PTH109, PTH115, PTH116, PTH117, PTH118, PTH120, PTH123, PTH208
from __future__ import annotations

import _thread
import os
import stat
import sys

TYPE_CHECKING = False  # importing typing would show in the kernel's modules
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

_START = "sphinx_nbcache.start"
_REPORT = "sphinx_nbcache.report"
_IMPORT_SYSTEM = "<frozen importlib"
_LIBRARY = os.path.dirname(os.__file__)
_MISSING = (FileNotFoundError, NotADirectoryError)
_OTHER: tuple[int, ...] = ()
_READ, _CHANGE, _REPLACE = "read", "change", "replace"
_PROCESSES = (
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.system",
    "pty.spawn", "subprocess.Popen",
)  # fmt: skip
_HASHED_DATABASE = 16 << 20  # bytes; of a larger one, perhaps only queried, no digest is taken
_LOOK_UPS = ("socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname")
# They open relative to a folder's descriptor, of which the event says nothing.
_OPEN_IN_FOLDERS = (
    "<frozen os>",
    *(os.path.join(_LIBRARY, name) for name in ("glob.py", "os.py", "shutil.py")),
)
# What `tempfile` does before its first answer, which ipykernel asks for.
_TRIES_FOLDERS = "_get_default_tempdir"
# They list folders to find modules; what else is in there changes nothing.
_IMPORTLIB = os.path.join(_LIBRARY, "importlib")
_FINDERS = (
    _IMPORT_SYSTEM,
    _IMPORTLIB,
    *(os.path.join(_LIBRARY, name) for name in ("inspect.py", "linecache.py", "pkgutil.py")),
)
_FINDERS_INSTALLED = ("importlib_metadata", "pkg_resources", "jedi", "IPython")


def install(describe_interpreter: Callable[..., Any], list_modules: Callable[..., Any]) -> None:
    """Add the hook, which does nothing before the event that tells it to begin.

    The parameters are the functions of these names of the scripts beside this one.
    """
    tracer = Tracer(describe_interpreter, list_modules)
    find, busy, identify = tracer.handlers.get, tracer.busy, _thread.get_ident

    def hook(event: str, arguments: Any) -> None:
        handle = find(event)
        if handle is None or identify() in busy:
            return
        try:
            handle(*arguments)
        except RecursionError:
            pass  # the notebook is about to see its own
        except Exception as error:
            if _is_foreign(error):
                raise

    sys.addaudithook(hook)


def _is_foreign(error: BaseException) -> bool:
    """Return whether a signal handler of the notebook raised an error while the hook ran."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename not in _OWN_FILES


_OWN_FILES = frozenset(
    function.__code__.co_filename
    for function in (_is_foreign, os.path.join, os.path.isabs, os.fsdecode)
)


class Tracer:
    """What was seen so far; its methods named ``on_`` take the arguments of audit events."""

    def __init__(
        self, describe_interpreter: Callable[..., Any], list_modules: Callable[..., Any]
    ) -> None:
        self.describe_interpreter = describe_interpreter
        self.list_modules = list_modules
        self.handlers: dict[str, Callable[..., None]] = {_START: self.start}
        self.busy: set[int] = set()
        """Threads in which the tracer itself reads, which is not to be seen."""
        self.reads: dict[str, list[Any]] = {}
        self.writes: dict[str, tuple[int, ...] | None] = {}
        """Path to how it looked before it was to be changed; no numbers once it was."""
        self.listings: dict[str, list[str] | None] = {}
        self.notes: set[str] = set()
        self.importers: dict[str, str] = {}
        """Module to the file that imported it."""
        self.sources: dict[str, tuple[str, str, Any]] = {}
        """Source of a module to its name, the file that imported it, and how it looked then."""
        self.known: set[str] = set()
        """Paths, as they were given, that tell nothing more when they are read again."""
        self.folder: str | None = None
        """The working directory, if it is known."""
        self.last_folder = os.sep
        self.before: frozenset[str] = frozenset()
        self.search_path: list[str] = []

    def start(self) -> None:
        """Begin: what is imported by now is the kernel's own."""
        self.before = frozenset(sys.modules)
        self.search_path = list(sys.path)
        del self.handlers[_START]
        for handle, *events in (
            (self.report, _REPORT),
            (self.on_import, "import"),
            (self.on_open, "open"),
            (self.on_chdir, "os.chdir", "os.fchdir"),
            (self.on_link, "os.link"),
            (self.on_list, "os.listdir", "os.scandir"),
            (self.on_remove, "os.remove"),
            (self.on_rename, "os.rename"),
            (self.on_symlink, "os.symlink"),
            (self.on_truncate, "os.truncate"),
            (self.on_connect, "socket.connect", "socket.sendto"),
            (self.on_look_up, *_LOOK_UPS),
            (self.on_database, "sqlite3.connect"),
            (self.on_process, *_PROCESSES),
        ):
            self.handlers.update(dict.fromkeys(events, handle))
        if hasattr(os, "register_at_fork"):  # a child of the notebook is not observed
            os.register_at_fork(after_in_child=self.handlers.clear)

    def on_open(self, path: Any, mode: str | None, flags: int) -> None:
        """Note a file that is read, written or both."""
        if path.__class__ is not str:
            if isinstance(path, int):
                return
            path = os.fsdecode(path)
        elif mode == "r" and path in self.known:
            return
        use = _READ if mode == "r" else _find_use(mode, flags)
        frame = sys._getframe(2)  # noqa: SLF001 - the only way
        caller = frame.f_code.co_filename
        if caller.startswith(_IMPORT_SYSTEM) and (use != _READ or self.find_module(path, frame)):
            return
        is_relative = mode is None and caller in _OPEN_IN_FOLDERS and not os.path.isabs(path)
        if is_relative or frame.f_code.co_name == _TRIES_FOLDERS:
            return
        if use is _READ:
            self.read(path)
        else:
            self.write(path, keeps=use is _CHANGE)

    def read(self, name: str) -> None:
        """Note a file that is read, unless the notebook wrote it."""
        if name in self.known:
            return
        path = self.complete(name)
        self.known.add(name)
        if path in self.reads:
            return
        stamp = _look(path)
        if stamp is _OTHER or self.has_changed(path, stamp):
            return
        if stamp or not _is_cell(name):
            self.reads[path] = [stamp, None]

    def write(self, name: str, *, keeps: bool, limit: float = float("inf")) -> None:
        """Note a file that may be changed now, with the digest of what it still holds.

        :param keeps: whether something of that is in the result, so that it counts as read.
        :param limit: size from which on no digest is taken.
        """
        path = self.complete(name)
        stamp = _look(path)
        if self.has_changed(path, stamp) or stamp is _OTHER:
            return
        if keeps and stamp:
            self.reads.setdefault(path, [stamp, None])
        read = self.reads.get(path)
        if read and read[0] and read[1] is None and stamp and stamp[0] <= limit:
            read[1] = self.digest(path)
        self.writes[path] = stamp

    def has_changed(self, path: str, stamp: tuple[int, ...] | None) -> bool:
        """Return whether the notebook changed a file, which looks like this now."""
        if self.writes.get(path, stamp) != stamp:
            self.writes[path] = _OTHER
        return self.writes.get(path) is _OTHER

    def digest(self, path: str) -> str | None:
        """Return the sha256 of a file's content; None where it may not be read."""
        with _Borrowed(self.busy, "hashlib") as hashlib:
            state = hashlib.sha256()
            try:
                with open(path, "rb", buffering=0) as file:
                    for data in iter(lambda: file.read(1 << 20), b""):
                        state.update(data)
            except OSError:
                return None
            return str(state.hexdigest())

    def complete(self, path: str) -> str:
        """Return a path made absolute; links in it stay what they are."""
        if not os.path.isabs(path):
            if self.folder is None:
                try:
                    self.folder = self.last_folder = os.getcwd()
                except OSError:  # it is gone
                    self.folder = self.last_folder
            path = os.path.join(self.folder, path)
        return os.path.normpath(path)

    def on_chdir(self, *_: Any) -> None:
        """Forget what relative paths meant."""
        self.folder = None
        self.known.clear()

    def on_remove(self, path: Any, folder: int = -1) -> None:
        """Note a file that is removed."""
        code = sys._getframe(2).f_code  # noqa: SLF001
        if code.co_name == _TRIES_FOLDERS or code.co_filename.startswith(_IMPORT_SYSTEM):
            return
        self.write(_place(path, folder), keeps=False)

    def on_rename(self, source: Any, target: Any, *folders: int) -> None:
        """Note two files: the content of one stays, under another name."""
        if sys._getframe(2).f_code.co_filename.startswith(_IMPORT_SYSTEM):  # noqa: SLF001
            return  # bytecode, put in its place
        one, other = folders or (-1, -1)
        source, target = _place(source, one), _place(target, other)
        self.write(source, keeps=True)
        self.write(target, keeps=False)
        if _look(source) is _OTHER:  # a folder, which takes along what is in it
            old, new = self.complete(source) + os.sep, self.complete(target) + os.sep
            for path in [path for path in (*self.reads, *self.writes) if path.startswith(old)]:
                self.write(path, keeps=False)
                self.write(new + path[len(old) :], keeps=False)

    def on_link(self, source: Any, target: Any, *folders: int) -> None:
        """Note a file that gets another name."""
        one, other = folders or (-1, -1)
        self.read(_place(source, one))
        self.write(_place(target, other), keeps=False)

    def on_symlink(self, source: Any, target: Any, folder: int = -1) -> None:
        """Note a link, and as read what it leads to: under its own name that counts as written."""
        path = self.complete(_place(target, folder))
        self.read(os.path.join(os.path.dirname(path), os.fsdecode(source)))
        self.write(path, keeps=False)

    def on_truncate(self, path: Any, length: int) -> None:
        """Note a file that is cut."""
        if not isinstance(path, int):
            self.write(os.fsdecode(path), keeps=length > 0)

    def on_database(self, database: Any) -> None:
        """Note a database: it is read, and may be written by what nobody sees."""
        name, options = os.fsdecode(database), ""
        if name.startswith("file:"):
            name, _, options = name[5:].partition("?")
            if "%" in name:
                with _Borrowed(self.busy, "urllib.parse") as parse:
                    name = parse.unquote(name)
        if name in ("", ":memory:") or "mode=memory" in options:
            return
        if "mode=ro" in options or "immutable=1" in options:
            self.read(name)
        else:
            self.write(name, keeps=True, limit=_HASHED_DATABASE)

    def on_list(self, folder: Any = None) -> None:
        """Note the names in a folder."""
        if _is_own_listing(sys._getframe(2).f_code):  # noqa: SLF001
            return
        if isinstance(folder, int):
            folder = _find_folder(folder)
        path = self.complete(os.fsdecode(folder or "."))
        if path in self.listings:
            return
        with _Borrowed(self.busy, "os"):
            try:
                self.listings[path] = sorted(os.listdir(path))
            except _MISSING:
                self.listings[path] = None

    def on_import(self, name: Any, file: Any = None, *_: Any) -> None:
        """Note who imports a module first."""
        if name not in self.importers:
            self.importers[name] = self.find_importer(sys._getframe(2))  # noqa: SLF001
            if ".popen_" in name:  # multiprocessing or loky starts one, which no event tells
                self.notes.add("processes")
        if isinstance(file, str):
            path = self.complete(file)
            self.sources.setdefault(path, (name, self.importers[name], _look(path)))

    def find_module(self, path: str, frame: FrameType | None) -> bool:
        """Note a file that a module is loaded from; return whether it is that."""
        while frame is not None and frame.f_code.co_name != "get_code":
            frame = frame.f_back if frame.f_code.co_filename.startswith(_IMPORT_SYSTEM) else None
        if frame is None:
            return False
        names = frame.f_locals
        path = names.get("source_path", path)  # rather than the bytecode that was made of it
        path = path if os.path.isabs(path) else self.complete(path)
        if path not in self.sources:
            name = str(names.get("fullname"))
            importer = self.importers.get(name)
            importer = self.find_importer(frame) if importer is None else importer
            self.sources[path] = (name, importer, _look(path))
        return True

    def find_importer(self, frame: FrameType | None) -> str:
        """Return the file of the code that asked the import system; empty for a cell."""
        while frame is not None:
            file = frame.f_code.co_filename
            if _is_cell(file) and file != "<string>":
                return ""
            if not file.startswith(("<", _IMPORTLIB)):
                return self.complete(file)
            frame = frame.f_back
        return ""

    def on_process(self, *_: Any) -> None:
        """Note that there are processes, in which nothing is seen."""
        self.notes.add("processes")

    def on_connect(self, _: Any, address: Any) -> None:
        """Note a connection that leaves this machine."""
        if isinstance(address, tuple) and address:
            self.on_look_up(address[0])

    def on_look_up(self, host: Any, *_: Any) -> None:
        """Note a name of another machine."""
        if isinstance(host, (bytes, bytearray)):
            host = bytes(host).decode("ascii", "replace")
        if isinstance(host, str) and not _is_local(host):
            self.notes.add("network")

    def report(self, path: str) -> None:
        """Write what was seen to a file, and look no more."""
        self.handlers.clear()
        folders = [item for item in [*sys.path, *self.search_path] if isinstance(item, str)]
        interpreter = self.describe_interpreter(map(self.complete, folders))
        writes = [name for name in self.writes if self.has_changed(name, _look(name))]
        digests = {name: self.reads[name][1] for name in writes if name in self.reads}
        reads = [(name, s and s[:3], digests.get(name)) for name, (s, _) in self.reads.items()]
        found = {
            "interpreter": interpreter,
            "reads": reads,
            "writes": writes,
            "listings": list(self.listings.items()),
            "modules": list(self.list_modules(self, interpreter)),
            "notes": sorted(self.notes),
        }
        with _Borrowed(self.busy, "json") as json, open(path, "wb") as file:
            file.write(json.dumps(found).encode())


class _Borrowed:
    """A module for the tracer itself, that the notebook does not see when it is not its own.

    While it is used, nothing is noted of what this thread does.
    """

    def __init__(self, busy: set[int], name: str) -> None:
        self._busy, self._name = busy, name

    def __enter__(self) -> Any:
        self._busy.add(_thread.get_ident())
        module = sys.modules.get(self._name)
        if module is None:
            before = set(sys.modules)
            __import__(self._name)
            module = sys.modules[self._name]
            for name in set(sys.modules) - before:
                del sys.modules[name]
        return module

    def __exit__(self, *_: object) -> None:
        self._busy.discard(_thread.get_ident())


def _find_use(mode: str | None, flags: int) -> str:
    if mode is not None:
        if "w" in mode or "x" in mode or ("a" in mode and "+" not in mode):
            return _REPLACE  # what is added to, as logs are, is not read by that
        return _CHANGE if "a" in mode or "+" in mode else _READ
    writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if flags & os.O_TRUNC or (flags & os.O_CREAT and flags & os.O_EXCL):
        return _REPLACE
    return _CHANGE if writes else _READ


def _look(path: str) -> tuple[int, ...] | None:
    """Return how a file looks; None where there is nothing, no numbers where it is no file."""
    try:
        status = os.stat(path)
    except OSError as error:
        return None if isinstance(error, _MISSING) else _OTHER
    if not stat.S_ISREG(status.st_mode):
        return _OTHER
    # The last one tells of a change also where the time of the content was set back.
    return (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


def _place(path: Any, folder: int) -> str:
    """Return a path that may be relative to a folder's descriptor."""
    name = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not os.path.isabs(name):
        return os.path.join(_find_folder(folder), name)
    return name


def _find_folder(descriptor: int) -> str:
    """Return the path of an open folder; raises OSError where the system does not tell."""
    return os.readlink("/proc/self/fd/%d" % descriptor)  # noqa: UP031


def _is_cell(file: str) -> bool:
    """Return whether this is only a name for code, where Python may still look for a line."""
    if file.startswith("<"):
        return file.startswith("<ipython-input") or file in ("<unknown>", "<string>", "<stdin>")
    _, mark, number = file.rpartition("ipykernel_")
    return mark != "" and number[:1].isdigit()


def _is_own_listing(code: CodeType) -> bool:
    """Return whether code lists folders to find modules, or to empty them."""
    file = code.co_filename
    if file.startswith(_FINDERS) or code.co_name.startswith("_rmtree"):
        return True
    return any(os.sep + name + os.sep in file for name in _FINDERS_INSTALLED)


def _is_local(host: str) -> bool:
    own = os.uname().nodename if hasattr(os, "uname") else ""
    return host.startswith("127.") or host in ("", "::", "::1", "0.0.0.0", "localhost", own)  # noqa: S104
