"""Ctrl-C and SIGTERM are held back until the build asks for them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from sphinx_nbcache.running import hold_interruptions

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]
BOTH = pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)


def send(number: int) -> None:
    """Send a signal to this process and wait until Python has taken it."""
    os.kill(os.getpid(), number)
    time.sleep(0)


def hold_and(taken: list[int], *steps: Callable[[], object], ask_after: int | None = None) -> None:
    """Take steps with interruptions held, and ask for these after one; note which were taken."""
    with hold_interruptions() as check:
        for number, step in enumerate(steps):
            taken.append(number)
            step()
            if number == ask_after:
                check()


@BOTH
def test_a_signal_is_raised_when_it_is_asked_for(number: int, error: type[BaseException]) -> None:
    taken: list[int] = []
    with pytest.raises(error):
        hold_and(taken, lambda: send(number), list, list, ask_after=1)
    assert taken == [0, 1]


@BOTH
def test_a_signal_that_nobody_asked_for_is_raised_at_the_end(
    number: int, error: type[BaseException]
) -> None:
    taken: list[int] = []
    with pytest.raises(error):
        hold_and(taken, lambda: send(number), list)
    assert taken == [0, 1]


@BOTH
def test_the_second_signal_is_raised_at_once(number: int, error: type[BaseException]) -> None:
    taken: list[int] = []
    with pytest.raises(error):
        hold_and(taken, lambda: send(signal.SIGINT), list, lambda: send(number), list)
    assert taken == [0, 1, 2]


def test_another_error_is_not_hidden_by_a_signal() -> None:
    with pytest.raises(ZeroDivisionError):
        hold_and([], lambda: send(signal.SIGINT), lambda: 1 / 0)


def test_the_handlers_are_afterwards_as_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with hold_interruptions():
        pass
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_handler_of_the_program_is_left_alone(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with hold_interruptions():
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_outside_the_main_thread_nothing_is_changed() -> None:
    seen = []

    def work() -> None:
        with hold_interruptions() as check:
            check()
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_sigterm_ends_a_program_through_its_finally_blocks_with_the_usual_status(
    run_python: RunPython,
) -> None:
    code = (
        "import os, signal\n"
        "from sphinx_nbcache.running import hold_interruptions\n"
        "try:\n"
        "    with hold_interruptions():\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "finally:\n"
        "    print('finally')\n"
    )
    result = run_python(code)
    assert result.stdout == "finally\n"
    assert result.returncode == 128 + signal.SIGTERM
