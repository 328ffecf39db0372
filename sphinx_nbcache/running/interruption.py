"""Ctrl-C and SIGTERM while kernels run: the build ends at a place where nothing is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def hold_interruptions() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C and SIGTERM back; the function that is given raises what has come.

    Python raises KeyboardInterrupt wherever it happens to be: in the callback of a weak
    reference it is printed and lost, and the build goes on; between two lines of ours it
    could lose a run that is finished. The second signal is raised at once all the same.

    SIGTERM is raised as SystemExit, so that ``finally`` blocks stop the kernels. Does
    nothing outside the main thread and for signals that the program handles itself.
    """
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            _raise(number)

    def check() -> None:
        if came:
            _raise(came[0])

    before = _find_defaults()
    for number in before:
        signal.signal(number, note)
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    check()


def _find_defaults() -> dict[signal.Signals, Any]:
    """Return the signals that nobody handles yet, and what happens to them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    defaults = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    return {number: it for number, it in defaults.items() if signal.getsignal(number) == it}


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
