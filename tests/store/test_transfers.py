"""Transfers: threads that are there while there is something to do."""

from __future__ import annotations

import threading

from sphinx_nbcache.store.transfers import Transfers
from tests.conftest import wait_until


def list_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("of-a-test")]


def test_threads_end_when_there_is_nothing_to_do_and_others_begin() -> None:
    transfers = Transfers(30, idle_s=0.01, name="of-a-test")
    for _ in range(3):
        assert transfers.gather([lambda: len(list_threads())] * 20)[0] > 0
        assert wait_until(lambda: not list_threads())
