"""What running a notebook gives, in real kernels."""

from __future__ import annotations

import copy
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.config import Config
from sphinx_nbcache.model import CellStatus, Demands, Run, Status
from sphinx_nbcache.running import ExecutorRequest, LocalExecutor, can_limit_memory, create_executor
from sphinx_nbcache.testing import code_cell, make_notebook, markdown_cell
from tests.conftest import wait_until
from tests.running.conftest import RunCells, make_job

STALE = [{"output_type": "stream", "name": "stdout", "text": "stale"}]


def texts(run: Run) -> list[str | None]:
    """Return what each cell printed or returned; None where it did not run."""
    return [
        None if cell is None else "".join(map(_text, cell.outputs)) for cell in run.outputs.cells
    ]


def _text(output: Any) -> str:
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return str(output["ename"])
    return str(output["data"]["text/plain"])


def test_every_cell_has_its_outputs_count_start_duration_and_status(run_cells: RunCells) -> None:
    before = time.time()
    run = run_cells("print('a')", markdown_cell("text"), "", "x = 1", "import time\n"
                    "time.sleep(0.3)\nprint(x)\nx + 1")  # fmt: skip
    assert run.status is Status.RAN
    assert run.failure is None
    assert texts(run) == ["a\n", "", "1\n2"]
    assert [cell and cell.execution_count for cell in run.outputs.cells] == [1, 2, 3]
    assert [(cell.number, cell.status) for cell in run.cells] == [
        (1, CellStatus.OK), (3, CellStatus.OK), (4, CellStatus.OK),
    ]  # fmt: skip
    starts = [cell.started_at or 0.0 for cell in run.cells]
    assert before < run.started_at < starts[0] < starts[1] < starts[2] < time.time()
    assert run.cells[2].seconds >= 0.3 > run.cells[1].seconds
    assert run.seconds > sum(cell.seconds for cell in run.cells)
    assert run.outputs.metadata["language_info"]["name"] == "python"


def test_the_notebook_that_was_read_is_not_changed(tmp_path: Path) -> None:
    cells = [code_cell("print(1)", outputs=STALE), code_cell("1 / 0", outputs=STALE)]
    notebook = make_notebook(*cells)
    before = copy.deepcopy(notebook.content)
    with LocalExecutor(1) as executor:
        executor.submit(make_job(notebook, tmp_path)).result(90)
    assert notebook.content == before


def test_a_cell_to_be_skipped_does_not_run_and_does_not_count(run_cells: RunCells) -> None:
    run = run_cells("1", code_cell("2", tags=["skip-execution"], outputs=STALE), "3")
    assert texts(run) == ["1", None, "3"]
    assert [cell.status for cell in run.cells] == [
        CellStatus.OK, CellStatus.SKIPPED, CellStatus.OK,
    ]  # fmt: skip
    assert run.outputs.cells[2] is not None
    assert run.outputs.cells[2].execution_count == 2


def test_a_cell_that_may_raise_does_not_end_the_run(run_cells: RunCells) -> None:
    run = run_cells(code_cell("1 / 0", tags=["raises-exception"]), "2")
    assert run.status is Status.RAN
    assert texts(run) == ["ZeroDivisionError", "2"]
    assert [cell.status for cell in run.cells] == [CellStatus.ERROR, CellStatus.OK]


def test_with_errors_allowed_no_cell_ends_the_run(run_cells: RunCells) -> None:
    run = run_cells("1 / 0", "nowhere", "3", allow_errors=True)
    assert run.status is Status.RAN
    assert run.failure is None
    assert texts(run) == ["ZeroDivisionError", "NameError", "3"]


def test_a_cell_that_raises_ends_the_run_and_says_why_and_where(run_cells: RunCells) -> None:
    run = run_cells("1", "", "x = 2\ny = x / 0\n", code_cell("4", outputs=STALE))
    assert run.status is Status.FAILED
    assert texts(run) == ["1", "ZeroDivisionError", None]
    assert [cell.status for cell in run.cells] == [
        CellStatus.OK, CellStatus.ERROR, CellStatus.NOT_RUN,
    ]  # fmt: skip
    failure = run.failure
    assert failure is not None
    assert (
        failure.describe() == "ZeroDivisionError in cell 3, line 2: division by zero\n    y = x / 0"
    )
    assert "\x1b" not in failure.traceback
    assert "ZeroDivisionError" in failure.traceback


def test_it_runs_in_its_folder_with_the_environment_of_the_build(
    run_cells: RunCells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "its value")
    (tmp_path / "helper.py").write_text("value = 'imported'")
    code = "import helper, os\nprint(helper.value, os.environ['SOME_VARIABLE'], os.getcwd())"
    assert texts(run_cells(code)) == [f"imported its value {tmp_path}\n"]


def test_a_temporary_folder_is_empty_and_removed_afterwards(run_cells: RunCells) -> None:
    code = "import os\nprint(os.listdir())\nopen('file', 'w').close()\nprint(os.getcwd())"
    listing, folder = (texts(run_cells(code, folder=None))[0] or "").splitlines()
    assert listing == "[]"
    assert not Path(folder).exists()


def test_the_temporary_folder_of_a_failed_notebook_is_removed_too(run_cells: RunCells) -> None:
    run = run_cells("import os\nprint(os.getcwd())", "os._exit(3)", folder=None)
    assert run.status is Status.FAILED
    assert not Path((texts(run)[0] or "").strip()).exists()


class TestTimeout:
    """A cell that takes longer than it may."""

    @pytest.mark.parametrize(
        "code", ["while True:\n    pass", "import time; time.sleep(1000)"], ids=["busy", "waiting"]
    )
    def test_ends_the_run_and_the_kernel(self, run_cells: RunCells, code: str) -> None:
        before = time.monotonic()
        run = run_cells("1", code, "3", timeout_s=1.0)
        assert time.monotonic() - before < 20
        assert run.status is Status.TIMED_OUT
        assert [cell.status for cell in run.cells] == [
            CellStatus.OK, CellStatus.TIMED_OUT, CellStatus.NOT_RUN,
        ]  # fmt: skip
        assert run.failure is not None
        assert run.failure.place == "cell 2"
        assert run.failure.message == "the cell took longer than 1 s (nb_execution_timeout)"
        assert run.failure.code == code.splitlines()[0]

    def test_keeps_what_was_printed_before(self, run_cells: RunCells) -> None:
        code = "print('before', flush=True)\nimport time; time.sleep(1000)"
        assert texts(run_cells(code, timeout_s=1.0)) == ["before\n"]

    @pytest.mark.parametrize("timeout_s", [None, -1.0, 0.0])
    def test_never_comes_without_a_limit(
        self, run_cells: RunCells, timeout_s: float | None
    ) -> None:
        run = run_cells("import time; time.sleep(1.5); print('done')", timeout_s=timeout_s)
        assert texts(run) == ["done\n"]


class TestDeath:
    """A kernel that dies."""

    @pytest.mark.parametrize(
        "code",
        [
            "os._exit(1)",
            pytest.param(
                "os.kill(os.getpid(), 9)",
                marks=pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's"),
            ),
        ],
    )
    def test_is_a_failure_that_names_the_cell(self, run_cells: RunCells, code: str) -> None:
        run = run_cells("import os\nprint('before')", code, "3")
        assert run.status is Status.FAILED
        assert run.failure is not None
        assert (run.failure.name, run.failure.cell) == ("DeadKernelError", 2)
        assert run.failure.code == code
        assert [cell.status for cell in run.cells] == [
            CellStatus.OK, CellStatus.ERROR, CellStatus.NOT_RUN,
        ]  # fmt: skip
        assert texts(run)[0] == "before\n"

    def test_says_what_the_process_wrote_last(self, run_cells: RunCells) -> None:
        run = run_cells("import os\nos.write(2, b'last words')\nos._exit(1)")
        assert run.failure is not None
        assert "last words" in run.failure.traceback


def test_a_cell_that_asks_for_input_fails_at_once(run_cells: RunCells) -> None:
    run = run_cells("name = 1\nname = input('Who?')")
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert "asks for input" in run.failure.message
    assert run.failure.place == "cell 1, line 2"


class TestNoKernel:
    """A kernel that cannot be started."""

    def write_spec(self, folder: Path, *argv: str) -> None:
        spec = folder / "kernels" / "broken"
        spec.mkdir(parents=True)
        value = {"argv": [*argv, "{connection_file}"], "display_name": "B", "language": "python"}
        (spec / "kernel.json").write_text(json.dumps(value))

    def test_that_is_not_installed_is_a_failure_that_lists_those_that_are(
        self, run_cells: RunCells
    ) -> None:
        run = run_cells("1", "2", kernel="nowhere")
        assert run.status is Status.FAILED
        assert run.failure is not None
        assert "there is no kernel 'nowhere'; kernels found here: " in run.failure.message
        assert "python3" in run.failure.message
        assert "nb_kernel_rgx_aliases" in run.failure.message
        assert texts(run) == [None, None]

    def test_whose_interpreter_is_gone_is_a_failure_that_names_it(
        self, run_cells: RunCells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gone = str(tmp_path / "gone" / "python")
        self.write_spec(tmp_path, gone)
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        run = run_cells("1", kernel="broken")
        assert run.failure is not None
        assert run.failure.name == "KernelStartError"
        assert run.failure.message.startswith("kernel 'broken' did not start: ")
        assert gone in run.failure.message

    def test_that_ends_at_once_is_a_failure_with_its_last_words(
        self, run_cells: RunCells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.write_spec(tmp_path, sys.executable, "-c", "raise SystemExit('no ipykernel here')")
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        run = run_cells("1", kernel="broken")
        assert run.failure is not None
        assert run.failure.message.startswith("kernel 'broken' did not start: ")
        assert "no ipykernel here" in run.failure.message


def test_a_working_directory_that_is_gone_is_a_failure(run_cells: RunCells, tmp_path: Path) -> None:
    run = run_cells("1", folder=tmp_path / "gone")
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert "gone" in run.failure.message


def test_nothing_stays_in_the_folder_for_temporary_files(
    run_cells: RunCells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither connection files nor logs nor working directories, however a run ends."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    run_cells("1", folder=None)
    run_cells("import os; os._exit(1)", folder=None)
    run_cells("1", kernel="nowhere", folder=None)
    assert list(folder.iterdir()) == []


def test_the_state_of_widgets_is_kept(run_cells: RunCells) -> None:
    pytest.importorskip("ipywidgets")
    run = run_cells("import ipywidgets\nipywidgets.IntSlider(value=7)")
    state = run.outputs.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert 7 in [widget["state"].get("value") for widget in state.values()]


def test_what_stays_behind_in_the_background_is_ended(run_cells: RunCells) -> None:
    """``run_cells`` looks for processes itself."""
    run = run_cells(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print(child.poll())"
    )
    assert texts(run) == ["None\n"]


def test_exit_functions_of_the_notebook_run(run_cells: RunCells, tmp_path: Path) -> None:
    run_cells("import atexit, pathlib\natexit.register(pathlib.Path('ended').touch)")
    assert (tmp_path / "ended").exists()


class TestTimeOfAllCells:
    """A notebook whose cells together take longer than they may."""

    STUBBORN = (
        "print('before', flush=True)\n"
        "while True:\n"
        "    try:\n"
        "        while True:\n"
        "            pass\n"
        "    except BaseException:\n"
        "        pass"
    )

    @pytest.mark.parametrize("timeout_s", [60.0, None], ids=["with a limit for a cell", "without"])
    def test_ends_the_run_in_the_cell_that_it_is_at(
        self, run_cells: RunCells, timeout_s: float | None
    ) -> None:
        run = run_cells(
            "1", self.STUBBORN, "3", timeout_s=timeout_s, demands=Demands(timeout_s=1.5)
        )
        assert run.status is Status.TIMED_OUT
        assert [cell.status for cell in run.cells] == [
            CellStatus.OK, CellStatus.TIMED_OUT, CellStatus.NOT_RUN,
        ]  # fmt: skip
        assert texts(run) == ["1", "before\n", None]
        assert run.failure is not None
        assert (run.failure.name, run.failure.place) == ("NotebookTimeoutError", "cell 2")
        assert run.failure.message == (
            "the notebook took longer than 1.5 s; allow more with nbcache_notebook_timeout, "
            "or with nbcache: {timeout: ...} in its metadata"
        )

    def test_is_the_sum_of_what_each_takes(self, run_cells: RunCells) -> None:
        nap = "import time\ntime.sleep(0.8)"
        run = run_cells(nap, nap, nap, demands=Demands(timeout_s=1.2))
        assert [cell.status for cell in run.cells] == [
            CellStatus.OK, CellStatus.TIMED_OUT, CellStatus.NOT_RUN,
        ]  # fmt: skip

    def test_leaves_the_limit_for_one_cell_in_force(self, run_cells: RunCells) -> None:
        run = run_cells(self.STUBBORN, timeout_s=1.0, demands=Demands(timeout_s=60.0))
        assert run.failure is not None
        assert run.failure.name == "CellTimeoutError"

    def test_does_not_count_the_start_of_the_kernel(
        self, run_cells: RunCells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slow = "import time; time.sleep(1.5)\nfrom ipykernel import kernelapp\nkernelapp.main()"
        spec = tmp_path / "kernels" / "slow"
        spec.mkdir(parents=True)
        argv = [sys.executable, "-c", slow, "-f", "{connection_file}"]
        value = {"argv": argv, "display_name": "S", "language": "python"}
        (spec / "kernel.json").write_text(json.dumps(value))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        run = run_cells("1", kernel="slow", demands=Demands(timeout_s=1.4))
        assert (run.status, texts(run)) == (Status.RAN, ["1"])

    def test_does_not_stand_in_the_way_of_a_cancellation(self, tmp_path: Path) -> None:
        begun = tmp_path / "begun"
        cell = f"open({str(begun)!r}, 'w').close()\n{self.STUBBORN}"
        job = make_job(make_notebook(cell), tmp_path, demands=Demands(timeout_s=60.0))
        with create_executor(ExecutorRequest(config=Config(jobs=1))) as executor:
            future = executor.submit(job)
            assert wait_until(begun.exists)
        assert future.cancelled()


class TestRetries:
    """A notebook that is run again when it failed."""

    COUNT = (
        "from pathlib import Path\n"
        "tries = Path('tries')\n"
        "number = len(tries.read_text()) + 1 if tries.exists() else 1\n"
        "tries.write_text('x' * number)"
    )

    def test_counts_as_its_last_attempt_and_keeps_the_first_failure(
        self, run_cells: RunCells
    ) -> None:
        run = run_cells(self.COUNT, "assert number == 3, f'attempt {number}'\nnumber", retries=4)
        assert (run.status, run.failure, run.attempts) == (Status.RAN, None, 3)
        assert texts(run)[-1] == "3"
        assert run.first_failure is not None
        assert run.first_failure.headline == "AssertionError in cell 2, line 1: attempt 1"

    def test_is_run_no_more_often_than_asked(self, run_cells: RunCells, tmp_path: Path) -> None:
        run = run_cells(self.COUNT, "assert False, f'attempt {number}'", retries=2)
        assert (run.status, run.attempts) == (Status.FAILED, 3)
        assert run.failure is not None
        assert run.first_failure is not None
        assert (run.first_failure.message, run.failure.message) == ("attempt 1", "attempt 3")
        assert (tmp_path / "tries").read_text() == "xxx"

    @pytest.mark.parametrize(
        ("trouble", "changes", "name"),
        [
            ("import os; os._exit(1)", {}, "DeadKernelError"),
            ("while True: pass", {"timeout_s": 1.0}, "CellTimeoutError"),
            ("while True: pass", {"demands": Demands(timeout_s=1.0)}, "NotebookTimeoutError"),
        ],
    )
    def test_is_for_every_failure_of_a_cell(
        self, run_cells: RunCells, trouble: str, changes: dict[str, Any], name: str
    ) -> None:
        cell = f"if number == 1:\n    {trouble}"
        run = run_cells(self.COUNT, cell, retries=1, **changes)
        assert (run.status, run.attempts) == (Status.RAN, 2)
        assert run.first_failure is not None
        assert run.first_failure.name == name

    def test_is_not_for_what_went_well(self, run_cells: RunCells) -> None:
        run = run_cells("1", retries=3)
        assert (run.attempts, run.first_failure) == (1, None)

    def test_is_not_for_a_kernel_that_is_missing(self, run_cells: RunCells) -> None:
        run = run_cells("1", kernel="nowhere", retries=3)
        assert (run.status, run.attempts, run.first_failure) == (Status.FAILED, 1, None)

    def test_gives_each_attempt_an_empty_temporary_folder(self, run_cells: RunCells) -> None:
        run = run_cells(self.COUNT, "assert number == 2", folder=None, retries=1)
        assert (run.status, run.attempts) == (Status.FAILED, 2)


@pytest.mark.skipif(not can_limit_memory(), reason="only Linux limits memory")
class TestMemoryLimit:
    """A notebook that wants more memory than it may have."""

    LIMIT = "the kernel may use 512 MiB (nbcache_memory_limit)"

    def test_fails_and_says_what_the_limit_is(self, run_cells: RunCells) -> None:
        run = run_cells("much = bytearray(10**9)", memory_limit_bytes=512 * 2**20)
        assert run.failure is not None
        assert run.failure.headline == f"MemoryError in cell 1, line 1: {self.LIMIT}"

    def test_says_so_when_a_library_has_its_own_words(self, run_cells: RunCells) -> None:
        code = "import mmap\nmmap.mmap(-1, 10**9, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)"
        run = run_cells(code, memory_limit_bytes=512 * 2**20)
        assert run.failure is not None
        assert run.failure.message.endswith(f"Cannot allocate memory; {self.LIMIT}")

    def test_says_so_when_the_kernel_dies(self, run_cells: RunCells) -> None:
        run = run_cells("import os; os._exit(1)", memory_limit_bytes=512 * 2**20)
        assert run.failure is not None
        assert run.failure.message == f"the kernel died while it ran the cell; {self.LIMIT}"
