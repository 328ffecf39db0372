"""What a kernel may take: threads by its environment, memory by the system."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.running.limits import (
    THREAD_VARIABLES,
    can_limit_memory,
    cap_threads,
    format_size,
    limit_memory,
)

StartPython = Callable[..., "subprocess.Popen[str]"]
MIB = 2**20
NEEDS_LIMIT = pytest.mark.skipif(not can_limit_memory(), reason="only Linux limits memory")

ALLOCATE = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(len(bytearray(int(line))), flush=True)
    except MemoryError:
        print("MemoryError", flush=True)
"""


@given(st.integers(1, 64), st.integers(1, 64))
def test_kernels_together_have_as_many_threads_as_there_are_cores(cores: int, kernels: int) -> None:
    added = cap_threads({}, cores=cores, kernels=kernels)
    assert added.keys() == set(THREAD_VARIABLES)
    (threads,) = {int(value) for value in added.values()}
    assert threads == 1 or cores - kernels < threads * kernels <= cores


@given(st.dictionaries(st.sampled_from(THREAD_VARIABLES), st.sampled_from(["", "1", "8"])))
def test_what_the_user_has_set_stays(environ: dict[str, str]) -> None:
    assert environ.keys().isdisjoint(cap_threads(environ, cores=4, kernels=2))


def test_the_word_for_all_libraries_is_not_overruled_for_one() -> None:
    assert cap_threads({"OMP_NUM_THREADS": "8"}, cores=4, kernels=4) == {}


def test_other_variables_of_the_user_leave_the_rest_capped() -> None:
    added = cap_threads({"MKL_NUM_THREADS": "8", "PATH": "x"}, cores=4, kernels=2)
    assert added["OMP_NUM_THREADS"] == "2"
    assert len(added) == len(THREAD_VARIABLES) - 1


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (512 * MIB, "512 MiB"),
        (2 * 10**9, "2 GB"),
        (1500 * 10**6, "1500 MB"),
        (2**40, "1 TiB"),
        (1000, "1 kB"),
        (1_234_567, "1234567 bytes"),
    ],
)
def test_sizes_are_written_as_people_write_them(size: int, text: str) -> None:
    assert format_size(size) == text


def ask(child: subprocess.Popen[str], size: int) -> str:
    """Let a child allocate; return what it says."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{size}\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


def start(start_python: StartPython) -> subprocess.Popen[str]:
    """Start a child that allocates what it is asked to."""
    child = start_python(ALLOCATE)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@NEEDS_LIMIT
def test_a_process_that_runs_gets_no_more_than_its_limit(start_python: StartPython) -> None:
    child = start(start_python)
    assert ask(child, 400 * MIB) == str(400 * MIB)
    limit_memory(child.pid, 300 * MIB)
    assert ask(child, 400 * MIB) == "MemoryError"
    assert ask(child, 100 * MIB) == str(100 * MIB)


@NEEDS_LIMIT
def test_a_limit_is_never_raised(start_python: StartPython) -> None:
    child = start(start_python)
    limit_memory(child.pid, 300 * MIB)
    limit_memory(child.pid, 900 * MIB)
    assert ask(child, 400 * MIB) == "MemoryError"


def test_a_process_that_has_ended_needs_no_limit(start_python: StartPython) -> None:
    child = start(start_python)
    child.kill()
    assert child.wait() != 0
    limit_memory(child.pid, 300 * MIB)
    assert not psutil.pid_exists(child.pid)


def test_elsewhere_it_is_known_that_nothing_is_limited() -> None:
    assert can_limit_memory() == (os.uname().sysname == "Linux" if os.name == "posix" else False)
