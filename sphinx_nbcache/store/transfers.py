"""Transfers: calls that wait for a network, several at once, given up when nothing moves.

Owns threads that no program waits for when it ends: a server that never answers must not
keep a build from ending. What is transferred is not known here.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cache, partial
from queue import Empty, Queue
from typing import Any, ParamSpec, TypeVar

THREADS = 16
_POLL_S = 0.5
_IDLE_S = 60
_T = TypeVar("_T")
_P = ParamSpec("_P")
_Call = tuple["Future[Any]", Callable[[], Any]]


class SilentError(Exception):
    """Nothing has moved for longer than allowed."""


class Transfers:
    """A few threads for calls that wait; each ends when it has nothing to do for a while.

    :param silence_s: how long nothing may move; None for any time.
    """

    def __init__(
        self, silence_s: float | None, *, idle_s: float = _IDLE_S, name: str = "nbcache-transfer"
    ) -> None:
        self.silence_s = silence_s
        self._idle_s = idle_s
        self._name = name
        # SimpleQueue may wait for ever if another thread takes what has woken one that waits.
        self._calls: Queue[_Call] = Queue()
        self._threads = 0
        self._lock = threading.Lock()
        self._moved_at = time.monotonic()

    def note_movement(self) -> None:
        """Take note that bytes have come or gone."""
        self._moved_at = time.monotonic()

    def submit(self, call: Callable[[], _T]) -> Future[_T]:
        """Have a call made by one of the threads; or by this one where none can be begun."""
        future: Future[_T] = Future()
        self._calls.put((future, call))
        with self._lock:
            if self._threads < THREADS and self._has_begun_thread():
                self._threads += 1
            has_threads = bool(self._threads)
        if not has_threads:
            _make_call(*self._calls.get())
        return future

    def _has_begun_thread(self) -> bool:
        name = f"{self._name}-{self._threads + 1}"
        try:
            threading.Thread(target=self._work, name=name, daemon=True).start()
        except RuntimeError:  # from Python 3.12 on, when the program is ending
            return False
        return True

    def gather(self, calls: Iterable[Callable[[], _T]]) -> list[_T]:
        """Return what some calls return, in their order.

        Raises what one of them raises, and SilentError; the others are then not begun.
        """
        futures = [self.submit(call) for call in calls]
        try:
            self.wait(futures)
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def share(self, call: Callable[[_T], object], items: Iterable[_T]) -> None:
        """Make a call for each of some items inside of a call, with the help of idle threads.

        It waits for nobody who has not begun, so all threads may be inside of such calls. Raises
        what one of the calls raises.
        """
        waiting = deque(items)

        def work() -> None:
            while True:
                try:
                    item = waiting.popleft()
                except IndexError:
                    return
                try:
                    call(item)
                except BaseException:
                    waiting.clear()  # the others end, too
                    raise

        helpers = [self.submit(work) for _ in range(min(len(waiting), THREADS) - 1)]
        try:
            work()
        finally:
            begun = [helper for helper in helpers if not helper.cancel()]
            wait(begun)
        for helper in begun:
            helper.result()

    def wait(self, futures: Iterable[Future[Any]]) -> None:
        """Wait until calls have ended, or the first that fails.

        Raises what that raises, and SilentError.
        """
        waiting = set(futures)
        self.note_movement()
        while waiting:
            done, waiting = wait(waiting, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            if done:
                self.note_movement()
            elif self.silence_s is not None and self._is_silent(self.silence_s):
                raise SilentError

    def _is_silent(self, silence_s: float) -> bool:
        return time.monotonic() - self._moved_at > silence_s

    def _work(self) -> None:
        while True:
            try:
                future, call = self._calls.get(timeout=self._idle_s)
            except Empty:
                with self._lock:
                    if self._calls.empty():  # whoever adds one looks at the number after that
                        self._threads -= 1
                        return
            else:
                _make_call(future, call)
                del future, call  # what they hold is not kept while this waits


class LastingExecutor(ThreadPoolExecutor):
    """An executor for an event loop whose transfers go on while the program ends.

    Python's own refuse all calls then, such as the look-up of a host's name.
    """

    def __init__(self) -> None:
        super().__init__(1)  # a thread that is never begun
        self._transfers = Transfers(None)

    def submit(
        self, call: Callable[_P, _T], /, *arguments: _P.args, **options: _P.kwargs
    ) -> Future[_T]:
        """Have a call made by a thread that no program waits for."""
        return self._transfers.submit(partial(call, *arguments, **options))


@cache
def get_lasting_executor(process: int) -> LastingExecutor:
    """Return the one of a process, by its id: a fork has none of its parent's threads."""
    return LastingExecutor()


def _make_call(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
        future.set_exception(error)
