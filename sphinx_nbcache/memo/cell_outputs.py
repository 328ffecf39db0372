"""What a cell shows: noted while it is shown, and shown again later in the same order.

Output goes through the methods of the shell's own streams, publisher and display hook, so
that whatever listens there gets what it gets from a plain cell, and at once.
"""

from __future__ import annotations

import copy
import importlib
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

_WIDGET = "application/vnd.jupyter.widget-view+json"
_INLINE = "matplotlib_inline.backend_inline"
_LONGEST_WAIT_S = 1.0
_PAUSE_S = 0.005
_STREAMS = ("stdout", "stderr")

Output = dict[str, Any]
"""As in a notebook file, with the key ``output_type``; also what clears and updates outputs."""


class Recording:
    """Notes what is shown while it listens."""

    def __init__(self, shell: Any) -> None:
        self.outputs: list[Output] = []
        self._shell = shell
        self._taps = ExitStack()
        self._forwarding = threading.local()

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Note what is shown from here on, to the end of the block."""
        publisher, hook = self._shell.display_pub, self._shell.displayhook
        try:
            for name in _STREAMS:
                self._tap(getattr(sys, name), "write", self._make_writer(name))
            self._tap(publisher, "publish", self._on_publish)
            self._tap(publisher, "clear_output", self._on_clear)
            self._tap(hook, "write_format_data", self._on_result)
            # A terminal's hook writes to the stream what it is told to show.
            self._tap(sys, "displayhook", self._on_show)
            yield
            _wait_for_children()
        finally:
            self._taps.close()

    def flush_figures(self) -> None:
        """Have figures shown that are drawn and not shown yet, as at the end of any cell.

        The event that does so otherwise comes only after the whole cell, when nobody notes.
        """
        backend = sys.modules.get(_INLINE)
        if backend is not None:
            backend.flush_figures()

    def _tap(self, owner: Any, name: str, listen: Callable[..., Any]) -> None:
        """Have a method of one object pass by ``listen``, until the recording ends.

        The object itself stays in place: loggers and others hold on to it.
        """
        original, is_own = getattr(owner, name), name in vars(owner)

        def pass_by(*arguments: Any, **options: Any) -> Any:
            return listen(original, *arguments, **options)

        setattr(owner, name, pass_by)
        undo = (setattr, owner, name, original) if is_own else (delattr, owner, name)
        self._taps.callback(*undo)

    def _make_writer(self, name: str) -> Callable[..., Any]:
        def write(original: Callable[..., Any], text: str, *rest: Any) -> Any:
            if not isinstance(text, str) or self._is_forwarding:
                return original(text, *rest)
            last = self.outputs[-1] if self.outputs else None
            if last is not None and last["output_type"] == "stream" and last["name"] == name:
                last["text"] += text
            else:
                if last is not None and last["output_type"] == "stream":
                    getattr(sys, last["name"]).flush()  # or they would come in another order
                self._note({"output_type": "stream", "name": name, "text": text})
            return original(text, *rest)

        return write

    @property
    def _is_forwarding(self) -> bool:
        return getattr(self._forwarding, "is_on", False)

    @contextmanager
    def _forward(self) -> Iterator[None]:
        """Do not note what a terminal writes for something that is noted already."""
        was_on, self._forwarding.is_on = self._is_forwarding, True
        try:
            yield
        finally:
            self._forwarding.is_on = was_on

    def _on_publish(
        self, original: Callable[..., Any], data: Any, metadata: Any = None, *rest: Any, **more: Any
    ) -> Any:
        is_update = bool(more.get("update"))
        output = {
            "output_type": "update_display_data" if is_update else "display_data",
            "data": data,
            "metadata": metadata or {},
            "display_id": (more.get("transient") or {}).get("display_id"),
        }
        output = copy.deepcopy(output)
        last = self.outputs[-1] if self.outputs else None
        if is_update and last is not None and _is_same_update(last, output):
            self.outputs.pop()
        self._note(output)
        with self._forward():
            return original(data, metadata, *rest, **more)

    def _on_clear(self, original: Callable[..., Any], wait: bool = False) -> Any:
        if not wait:
            self.outputs.clear()
        self._note({"output_type": "clear_output", "wait": wait})
        with self._forward():
            return original(wait)

    def _on_show(self, original: Callable[..., Any], *values: Any) -> Any:
        with self._forward():
            return original(*values)

    def _on_result(self, original: Callable[..., Any], data: Any, metadata: Any = None) -> Any:
        output = {"output_type": "execute_result", "data": data, "metadata": metadata or {}}
        self._note(copy.deepcopy(output))
        return original(data, metadata)

    def _note(self, output: Output) -> None:
        last = self.outputs[-1] if self.outputs else None
        if last is not None and last["output_type"] == "clear_output" and last["wait"]:
            # All before is gone now, be it a thousand pictures of a film.
            self.outputs[:] = [last]
        self.outputs.append(output)


def has_figures() -> bool:
    """Return whether figures are shown in the notebook by now."""
    return _INLINE in sys.modules


def prepare_figures() -> None:
    """Have figures shown that were restored, if any: the backend tells the shell how."""
    if "matplotlib.figure" in sys.modules:
        with suppress(ImportError):
            importlib.import_module(_INLINE)


def _wait_for_children() -> None:
    """Let arrive what child processes have written: a thread of ipykernel reads it from a pipe."""
    pipes = [getattr(getattr(sys, name), "_fid", None) for name in _STREAMS]
    full = [pipe for pipe in pipes if isinstance(pipe, int)]
    end = time.monotonic() + _LONGEST_WAIT_S
    while full and os.name == "posix" and time.monotonic() < end:
        full, _, _ = select.select(full, [], [], 0)
        if full:
            time.sleep(_PAUSE_S)


def _is_same_update(last: Output, output: Output) -> bool:
    same = ("output_type", "display_id")
    return all(last.get(name) == output[name] for name in same)


def find_unkept(outputs: list[Output]) -> str | None:
    """Return what of some outputs means nothing to another kernel, for people."""
    is_widget = any(_WIDGET in output.get("data", ()) for output in outputs)
    return "it shows a widget, whose state is in the kernel that made it" if is_widget else None


class ShownResult:
    """Stands in ``_`` and ``Out`` for the value of a memoized cell's last expression.

    It shows what the value showed; the value itself was not kept, as it has no name.
    """

    def __init__(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self._data = data
        self._metadata = metadata

    def __repr__(self) -> str:
        """Return what the value showed as plain text."""
        return str(self._data.get("text/plain", "<shown by a memoized cell>"))

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._data, self._metadata


def show_again(shell: Any, outputs: list[Output], result: Any = None) -> None:
    """Show recorded outputs once more.

    :param result: the value of the cell's last expression, if it is known.
    """
    for output in outputs:
        match output["output_type"]:
            case "stream":
                stream = getattr(sys, output["name"])
                stream.write(output["text"])
                stream.flush()
            case "clear_output":
                shell.display_pub.clear_output(output["wait"])
            case "execute_result":
                _show_result(shell, output["data"], output["metadata"], result)
            case kind:
                name = output["display_id"]
                shell.display_pub.publish(
                    output["data"],
                    output["metadata"],
                    transient={} if name is None else {"display_id": name},
                    update=kind == "update_display_data",
                )


def _show_result(shell: Any, data: dict[str, Any], metadata: dict[str, Any], result: Any) -> None:
    """Do what the display hook does with a value, with what it showed instead of the value."""
    hook = shell.displayhook
    hook.check_for_underscore()
    hook.start_displayhook()
    hook.write_output_prompt()
    value = ShownResult(data, metadata) if result is None else result
    hook.update_user_ns(value)
    hook.fill_exec_result(value)
    hook.write_format_data(data, metadata)
    hook.log_output(data)
    hook.finish_displayhook()
