"""Memos on their way to a remote when a process ends: all come there, and none keeps it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.memo.test_remote_memos import Machine, Machines
from tests.s3 import S3Server, s3

pytestmark = pytest.mark.slow  # each test starts several processes

__all__ = ["s3"]

FORK = "import multiprocessing\ncontext = multiprocessing.get_context('fork')\n"
WORKERS = {
    "pool": f"{FORK}with context.Pool(1) as pool: pool.map(double, [3])",
    "process": f"{FORK}it = context.Process(target=double, args=(3,))\nit.start()\nit.join()",
}
LATER = """
import threading

def work():
    threading.main_thread().join()
    print(len(make_array(3_000_000)))

threading.Thread(target=work).start()
"""
NO_THREADS = """
import threading

def refuse(self):
    raise RuntimeError("can't create new thread at interpreter shutdown")

make_array(3_000_000)
threading.Thread.start = refuse
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine whose remote is empty."""
    return Machines(tmp_path).make("one")


@pytest.fixture
def far(s3: S3Server, tmp_path: Path) -> Machine:
    """Return a machine whose remote is slow, and known by a name that has to be looked up."""
    address, url = s3.make_bucket(), s3.url.replace("127.0.0.1", "localhost")
    s3.set_fault("slow 0.1")
    return Machines(tmp_path).make("one", NBCACHE_REMOTE=address, AWS_ENDPOINT_URL=url)


def has_memo(s3: S3Server) -> bool:
    """Return whether a memo was put there."""
    return any("/memos/" in line for line in s3.take_requests() if line.startswith("PUT"))


@pytest.mark.skipif(sys.platform == "win32", reason="no forks")
def test_a_fork_does_not_wait_for_what_its_parent_sends(far: Machine) -> None:
    code = "import os\ndouble(1)\nchild = os.fork()\nif child:\n    print(os.waitpid(child, 0)[1])"
    assert far.run(code) == ("d", "0", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no forks")
@pytest.mark.parametrize("code", WORKERS.values(), ids=WORKERS)
def test_what_workers_compute_is_there_when_they_end(far: Machine, s3: S3Server, code: str) -> None:
    assert far.run(code) == ("d", "", "")
    assert has_memo(s3)


def test_names_are_looked_up_while_the_program_ends(far: Machine, s3: S3Server) -> None:
    # What is known of names is forgotten after ten seconds: here, at once.
    code = """
import aiohttp.connector
aiohttp.connector._DNSCacheTable.expired = lambda *_: True
double(3)
"""
    assert far.run(code) == ("d", "", "")
    assert has_memo(s3)


def test_no_thread_is_needed_that_cannot_be_begun(far: Machine, s3: S3Server) -> None:
    assert far.run(NO_THREADS) == ("a", "", "")
    assert has_memo(s3)


def test_large_values_are_kept_after_the_main_thread_has_ended(machine: Machine) -> None:
    assert machine.run(LATER) == ("a", "3000000", "")
    assert machine.run("print(len(make_array(3_000_000)))")[0] == ""
