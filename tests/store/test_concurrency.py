"""Many writers and readers at once: real processes, and threads."""

from __future__ import annotations

import multiprocessing
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from sphinx_nbcache.store import Store
from tests.conftest import wait_until
from tests.store.samples import fill, make_entry, make_key, make_outputs

SPAWN = multiprocessing.get_context("spawn")
WRITERS = 3
SHARED = [f"shared-{n}" for n in range(10)]

StartPython = Callable[..., "subprocess.Popen[str]"]

_barrier: Barrier


def _meet(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - how a pool's workers get what cannot be pickled
    _barrier = barrier


@contextmanager
def pool(workers: int = WRITERS) -> Iterator[ProcessPoolExecutor]:
    """Give processes that can wait for each other."""
    barrier = SPAWN.Barrier(workers)
    with ProcessPoolExecutor(workers, SPAWN, _meet, (barrier,)) as executor:
        yield executor


def write_all(path: Path, writer: int) -> None:
    """Store what every writer stores, and something of its own."""
    _barrier.wait(60)
    store = Store(path)
    for number, name in enumerate(SHARED):
        for entry in fill(store, name, f"own-{writer}-{number}"):
            store.index.note_run(entry)


def check(path: Path) -> None:
    """See that all that the writers stored is there and sound."""
    store = Store(path)
    own = [f"own-{writer}-{number}" for writer in range(WRITERS) for number in range(len(SHARED))]
    assert store.verify() == []
    for name in [*SHARED, *own]:
        entries, problems = store.find_entries(make_key(name))
        assert len(entries) == 1
        assert problems == []
        assert store.load_outputs(entries[0].outputs) is not None
    assert list((path / "tmp").iterdir()) == []


def test_processes_can_write_the_same_and_different_things_at_once(tmp_path: Path) -> None:
    with pool() as executor:
        for future in [executor.submit(write_all, tmp_path, n) for n in range(WRITERS)]:
            future.result(60)
    check(tmp_path)


def test_threads_can_write_the_same_and_different_things_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    barrier = threading.Barrier(WRITERS)

    def write(writer: int) -> None:
        barrier.wait(60)
        for number, name in enumerate(SHARED):
            for entry in fill(store, name, f"own-{writer}-{number}"):
                store.index.note_run(entry)

    with ThreadPoolExecutor(WRITERS) as executor:
        for future in [executor.submit(write, n) for n in range(WRITERS)]:
            future.result(60)
    check(tmp_path)


def _write_while(path: Path, done: Callable[[], bool]) -> None:
    """Write one key over and over, with outputs that change."""
    store = Store(path)
    for number in range(100_000):
        if done():
            return
        while (claim := store.try_claim(make_key())) is None:
            time.sleep(0.001)
        store.save_entry(make_entry(store.save_outputs(make_outputs(str(number % 7), size=900))))
        claim.release()


def test_a_reader_never_sees_a_part_of_what_is_being_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    stop = threading.Event()
    writers = [
        threading.Thread(target=_write_while, args=(tmp_path, stop.is_set)) for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    try:
        assert wait_until(lambda: store.find_entries(make_key())[0] != [])
        for _ in range(300):
            (entry,), problems = store.find_entries(make_key())
            assert problems == []
            assert store.load_outputs(entry.outputs) is not None
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def test_repairing_does_no_harm_to_those_who_write(tmp_path: Path) -> None:
    store = Store(tmp_path)
    stop = threading.Event()
    writer = threading.Thread(target=_write_while, args=(tmp_path, stop.is_set))
    writer.start()
    try:
        for _ in range(100):
            problems = store.verify(repair=True)
            assert not any(problem.is_damage for problem in problems)
    finally:
        stop.set()
        writer.join()
    assert len(store.find_entries(make_key())[0]) == 1


def test_an_index_deleted_under_its_writers_is_no_error(tmp_path: Path) -> None:
    fill(Store(tmp_path), "a")

    def note() -> None:
        for _ in range(30):
            Store(tmp_path).index.note_run(make_entry("1" * 64))

    with ThreadPoolExecutor(2) as executor:
        futures = [executor.submit(note) for _ in range(2)]
        while not all(future.done() for future in futures):
            for suffix in ("", "-wal", "-shm"):
                (tmp_path / f"index.sqlite{suffix}").unlink(missing_ok=True)
        for future in futures:
            future.result()
    entry = make_entry("1" * 64)
    Store(tmp_path).index.note_run(entry)
    assert Store(tmp_path).index.find_seconds() == {entry.source: entry.seconds}


class TestClaim:
    """``try_claim``."""

    HOLD = (
        "import sys; from pathlib import Path; from sphinx_nbcache.store import Store\n"
        "lock = Store(Path(sys.argv[1])).try_claim(sys.argv[2])\n"
        "print('none' if lock is None else 'held', flush=True)\n"
        "sys.stdin.readline()\n"
        "lock.release()\n"
        "print('released', flush=True)\n"
        "sys.stdin.readline()\n"
    )

    @pytest.fixture
    def holder(self, tmp_path: Path, start_python: StartPython) -> subprocess.Popen[str]:
        """Return a process that holds the claim on ``make_key()``."""
        child = start_python(self.HOLD, tmp_path, make_key())
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    def test_is_refused_while_another_process_has_it(
        self, tmp_path: Path, holder: subprocess.Popen[str]
    ) -> None:
        assert Store(tmp_path).try_claim(make_key()) is None

    def test_of_another_key_is_free(self, tmp_path: Path, holder: subprocess.Popen[str]) -> None:
        lock = Store(tmp_path).try_claim(make_key("other"))
        assert lock is not None
        lock.release()

    def test_is_free_once_released(self, tmp_path: Path, holder: subprocess.Popen[str]) -> None:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "released\n"
        lock = Store(tmp_path).try_claim(make_key())
        assert lock is not None
        lock.release()

    def test_is_free_once_its_holder_was_killed(
        self, tmp_path: Path, holder: subprocess.Popen[str]
    ) -> None:
        holder.kill()
        holder.wait(10)
        lock = Store(tmp_path).try_claim(make_key())
        assert lock is not None
        lock.release()

    def test_is_refused_inside_one_process_too(self, tmp_path: Path) -> None:
        lock = Store(tmp_path).try_claim(make_key())
        assert lock is not None
        assert Store(tmp_path).try_claim(make_key()) is None
        lock.release()

    def test_is_refused_to_another_thread(self, tmp_path: Path) -> None:
        lock = Store(tmp_path).try_claim(make_key())
        assert lock is not None
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(Store(tmp_path).try_claim, make_key()).result(10) is None
            executor.submit(lock.release).result(10)
        again = Store(tmp_path).try_claim(make_key())
        assert again is not None
        again.release()

    def test_goes_to_one_of_many_that_ask_at_once(self, tmp_path: Path) -> None:
        with pool() as executor:
            for _ in range(5):
                futures = [executor.submit(_claim_once, tmp_path) for _ in range(WRITERS)]
                assert sorted(future.result(60) for future in futures) == [False, False, True]


def _claim_once(path: Path) -> bool:
    """Ask for a claim together with the others; keep it until all have asked."""
    _barrier.wait(60)
    lock = Store(path).try_claim(make_key())
    _barrier.wait(60)
    if lock is not None:
        lock.release()
    _barrier.wait(60)
    return lock is not None
