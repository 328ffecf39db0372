"""Transfers: threads that are there while there is something to do."""

from __future__ import annotations

import sys
import threading
import time
from functools import partial

import pytest

from sphinx_nbcache.store.transfers import Transfers
from tests.conftest import wait_until


def list_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("of-a-test")]


def test_threads_end_when_there_is_nothing_to_do_and_others_begin() -> None:
    transfers = Transfers(30, idle_s=0.01, name="of-a-test")
    for _ in range(3):
        assert transfers.gather([lambda: len(list_threads())] * 20)[0] > 0
        assert wait_until(lambda: not list_threads())


def test_a_thread_whose_call_another_one_took_ends_as_well(
    request: pytest.FixtureRequest,
) -> None:
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-5)  # threads come in each other's way
    transfers = Transfers(30, idle_s=0.001, name="of-a-test")
    for _ in range(20):
        transfers.gather([partial(time.sleep, 0.0005)] * 20)
        assert wait_until(lambda: not list_threads(), 5)
