"""Running the stale with a fake executor: order, groups, failures, interruptions, claims."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.config import Config
from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.model import (
    Demands,
    Entry,
    Failure,
    Inputs,
    Job,
    Outcome,
    Run,
    Settings,
    Status,
    Topic,
)
from sphinx_nbcache.pipeline import Lookup, Project, make_plan
from sphinx_nbcache.pipeline.collect import Stale
from sphinx_nbcache.pipeline.explanation import Explanation
from sphinx_nbcache.pipeline.flight import Flight
from sphinx_nbcache.pipeline.plan import Plan
from sphinx_nbcache.pipeline.restoring import Restorer
from sphinx_nbcache.reading import FileReader, read_text
from sphinx_nbcache.running import can_limit_memory
from sphinx_nbcache.store import Store
from sphinx_nbcache.testing import (
    FakeExecutor,
    RecordingProgress,
    make_notebook,
    make_run,
    markdown_cell,
    write_notebook,
)

FAILURE = Failure(name="E", message="m", cell=1, line=1)


def plan(project: Project, name: str, *cells: str, rerun_reason: str = "", **demands: Any) -> Plan:
    """Return the plan of a notebook that prints its own name, or has the given cells."""
    notebook = make_notebook(
        *(cells or (f"print({name!r})",)),
        path=project.root / name,
        metadata={"nbcache": demands},
    )
    return make_plan(name, notebook, Settings(), project=project, rerun_reason=rerun_reason)


def fly(
    project: Project,
    *plans: Plan,
    executor: FakeExecutor | None = None,
    progress: RecordingProgress | None = None,
) -> list[Outcome]:
    """Run plans and return the outcomes as they came."""
    landed: list[Outcome] = []
    progress = progress or RecordingProgress()
    lookup = Lookup(project)
    flight = Flight(
        project,
        progress,
        lookup=lookup,
        edges={},
        restorer=Restorer(project, lookup.present, progress),
        landed=landed.append,
    )
    flight.run([explain(one) for one in plans], executor or FakeExecutor(), lambda written: [])
    return landed


def explain(plan: Plan) -> Stale:
    """Return a notebook that has to run."""
    return Stale(plan, Explanation(plan.run_reason or "never run"))


def names(jobs: list[Job]) -> list[str]:
    """Return the names of jobs."""
    return [job.name for job in jobs]


def fail_for(*failing: str) -> Callable[[Job], Run]:
    """Return an answer in which the named notebooks fail."""
    return lambda job: make_run(job, failure=FAILURE if job.name in failing else None)


def test_a_run_that_ended_well_is_stored(project: Project) -> None:
    one = plan(project, "a.ipynb")
    assert one.job is not None
    (outcome,) = fly(project, one)
    ((entry,), problems) = project.store.find_entries(one.job.key)
    assert (outcome.status, outcome.reason) == (Status.RAN, "never run")
    assert outcome.outputs == entry.outputs
    assert (entry.source, entry.kernel, entry.seconds) == ("a.ipynb", "python3", 1.0)
    assert problems == []
    outputs = project.store.load_outputs(entry.outputs)
    assert outputs is not None
    assert outputs == make_run(one.job).outputs


def test_a_failure_is_not_stored_but_its_outputs_are_kept(project: Project) -> None:
    one = plan(project, "a.ipynb")
    assert one.job is not None
    (outcome,) = fly(project, one, executor=FakeExecutor(fail_for("a.ipynb")))
    assert (outcome.status, outcome.failure) == (Status.FAILED, FAILURE)
    assert project.store.find_entries(one.job.key) == ([], [])
    assert outcome.outputs is not None
    assert project.store.load_outputs(outcome.outputs) == make_run(one.job).outputs


def test_a_success_is_never_lost_because_others_failed(project: Project) -> None:
    plans = [plan(project, name) for name in "abcde"]
    outcomes = fly(project, *plans, executor=FakeExecutor(fail_for("a", "c", "e"), capacity=2))
    assert {o.name for o in outcomes if o.status is Status.RAN} == {"b", "d"}
    for one in plans:
        assert one.job is not None
        assert bool(project.store.find_entries(one.job.key)[0]) == (one.name in "bd")


def test_what_took_longest_comes_first_and_what_is_unknown_before_it(project: Project) -> None:
    seconds = {"a": 1.0, "b": 5.0, "c": 3.0}
    old = [plan(project, name, f"old = {name!r}") for name in seconds]
    fly(project, *old, executor=FakeExecutor(lambda job: make_run(job, seconds=seconds[job.name])))
    executor = FakeExecutor()
    fly(project, *(plan(project, name) for name in ("a", "b", "new", "c")), executor=executor)
    assert names(executor.jobs) == ["new", "b", "c", "a"]


def test_notebooks_that_ask_the_same_run_once(project: Project) -> None:
    executor = FakeExecutor()
    outcomes = fly(project, *(plan(project, name, "1") for name in "abc"), executor=executor)
    assert names(executor.jobs) == ["a"]
    assert [(o.name, o.status, o.reason) for o in outcomes] == [
        ("a", Status.RAN, "never run"),
        ("b", Status.HIT, "same code as a"),
        ("c", Status.HIT, "same code as a"),
    ]
    assert len({outcome.outputs for outcome in outcomes}) == 1


def test_notebooks_that_ask_the_same_fail_together(project: Project) -> None:
    executor = FakeExecutor(fail_for("a"))
    outcomes = fly(project, *(plan(project, name, "1") for name in "ab"), executor=executor)
    assert [(o.name, o.status) for o in outcomes] == [("a", Status.FAILED), ("b", Status.FAILED)]
    assert all(outcome.failure == FAILURE for outcome in outcomes)


def test_a_failure_is_located_in_the_file_of_each_notebook(project: Project) -> None:
    plans = []
    for name, prose in (("a.md", "# A"), ("b.md", "# B\n\nlonger")):
        path = write_notebook(project.root / name, markdown_cell(prose), "1 / 0")
        notebook = FileReader().read(path, read_text(path))
        assert notebook is not None
        plans.append(make_plan(name, notebook, Settings(), project=project))
    outcomes = fly(project, *plans, executor=FakeExecutor(fail_for("a.md")))
    for outcome in outcomes:
        assert outcome.failure is not None
        assert outcome.failure.file_line is not None
        line = outcome.path.read_text().splitlines()[outcome.failure.file_line - 1]
        assert line == "1 / 0"
    assert outcomes[0].failure != outcomes[1].failure


class Scripted(FakeExecutor):
    """Answers when exactly these notebooks fly, one set after another; others must not."""

    def __init__(self, *script: str, capacity: int) -> None:
        super().__init__(capacity=capacity)
        self.script = [set(names) for names in script]
        self._answers: dict[str, tuple[Future[Run], Run]] = {}

    def submit(self, job: Job) -> Future[Run]:
        future: Future[Run] = Future()
        self._answers[job.name] = future, super().submit(job).result()
        assert self._answers.keys() <= self.script[0]
        if self._answers.keys() == self.script[0]:
            del self.script[0]
            for answered, run in self._answers.values():
                answered.set_result(run)
            self._answers.clear()
        return future


def test_no_more_jobs_are_submitted_than_there_is_room_for(project: Project) -> None:
    executor = Scripted("ab", "cd", "e", capacity=2)
    fly(project, *(plan(project, name) for name in "abcde"), executor=executor)
    assert executor.script == []


def test_what_is_exclusive_runs_first_and_alone(project: Project) -> None:
    executor = Scripted("c", "e", "abd", capacity=4)
    plans = [plan(project, name, exclusive=name in "ce") for name in "abcde"]
    fly(project, *plans, executor=executor)
    assert executor.script == []


def test_a_resource_is_never_shared_by_more_than_its_capacity_and_others_overtake(
    project: Project,
) -> None:
    project = replace(project, config=Config(resources=(("licence", 2),)))
    executor = Scripted("acdf", "be", capacity=4)
    wants = {"a": "gpu", "b": ["gpu", "licence"], "c": "licence", "d": "licence", "e": "licence"}
    plans = [plan(project, name, resource=wants.get(name, [])) for name in "abcdef"]
    fly(project, *plans, executor=executor)
    assert executor.script == []


def test_what_is_exclusive_but_run_by_another_build_holds_nobody_up(project: Project) -> None:
    plans = [plan(project, name, exclusive=name == "a") for name in "abc"]
    assert plans[0].job is not None
    claim = project.store.try_claim(plans[0].job.key)
    assert claim is not None
    other = claim
    executor = Scripted("bc", "a", capacity=2)

    class Waiting(RecordingProgress):
        def wait(self, names: list[str]) -> None:
            other.release()

    fly(project, *plans, executor=executor, progress=Waiting())
    assert executor.script == []


def test_one_run_for_several_notebooks_meets_the_demands_of_all(project: Project) -> None:
    executor = FakeExecutor()
    plans = [
        plan(project, "a", "1", resource="gpu", timeout=5),
        plan(project, "b", "1", exclusive=True, timeout=9),
        plan(project, "c", "1", fresh=True, resource="licence", timeout=7),
    ]
    fly(project, *plans, executor=executor)
    (job,) = executor.jobs
    assert job.demands == Demands(
        is_fresh=True, is_exclusive=True, resources=("gpu", "licence"), timeout_s=9
    )


def test_the_first_failure_of_a_notebook_that_was_run_again_is_told_but_not_stored(
    project: Project,
) -> None:
    def answer(job: Job) -> Run:
        return replace(make_run(job), attempts=3, first_failure=FAILURE)

    plans = [plan(project, name, "1") for name in "ab"]
    for outcome in fly(project, *plans, executor=FakeExecutor(answer)):
        assert (outcome.attempts, outcome.first_failure, outcome.failure) == (3, FAILURE, None)
    for outcome in fly(project, *plans):
        assert (outcome.status, outcome.attempts) == (Status.HIT, 1)
        assert outcome.first_failure is None


def test_what_the_executor_has_to_say_becomes_warnings(project: Project) -> None:
    class Talking(FakeExecutor):
        def submit(self, job: Job) -> Future[Run]:
            self.notices.append(f"about {job.name}")
            return super().submit(job)

    progress = RecordingProgress()
    executor = Talking()
    fly(project, plan(project, "a"), plan(project, "b"), executor=executor, progress=progress)
    assert progress.warnings == ["about a", "about b"]
    assert progress.topics == [(Topic.KERNEL, "")] * 2
    assert executor.notices == []


def test_a_limit_of_memory_that_nobody_enforces_is_told_once(project: Project) -> None:
    project = replace(project, config=Config(memory_limit=2**30))
    progress = RecordingProgress()
    fly(project, plan(project, "a"), plan(project, "b"), progress=progress)
    expected = [] if can_limit_memory() else [(Topic.KERNEL, "")]
    assert progress.topics == expected


def test_progress_is_told_of_every_start(project: Project) -> None:
    progress = RecordingProgress()
    fly(project, plan(project, "a"), plan(project, "b"), progress=progress)
    assert progress.started == ["a", "b"]


def test_what_another_build_finished_meanwhile_is_not_run_again(project: Project) -> None:
    one = plan(project, "a")
    fly(project, one)
    executor = FakeExecutor()
    (outcome,) = fly(project, one, executor=executor)
    assert executor.jobs == []
    assert (outcome.status, outcome.reason) == (Status.HIT, "run by another build")


def test_what_is_to_run_again_runs_although_it_is_there(project: Project) -> None:
    fly(project, plan(project, "a"))
    executor = FakeExecutor()
    (outcome,) = fly(project, plan(project, "a", rerun_reason="force"), executor=executor)
    assert names(executor.jobs) == ["a"]
    assert (outcome.status, outcome.reason) == (Status.RAN, "force")


def test_a_key_that_another_build_runs_is_waited_for(project: Project) -> None:
    one = plan(project, "a")
    assert one.job is not None
    job, claim = one.job, project.store.try_claim(one.job.key)
    assert claim is not None
    other = claim
    polls: list[list[str]] = []

    class Waiting(RecordingProgress):
        def wait(self, names: list[str]) -> None:
            polls.append(names)
            if len(polls) == 3:  # the other build ends
                save(project, job)
                other.release()

    executor = FakeExecutor()
    (outcome,) = fly(project, one, executor=executor, progress=Waiting())
    assert polls == [["a"]] * 3
    assert executor.jobs == []
    assert outcome.reason == "run by another build"


def save(project: Project, job: Job) -> None:
    """Store an entry for a job, as another build does."""
    run = make_run(job)
    project.store.save_entry(
        Entry(
            key=job.key,
            inputs=Inputs(),
            outputs=project.store.save_outputs(run.outputs),
            kernel=job.kernel,
            executed_at=run.started_at,
            seconds=run.seconds,
            cells=run.cells,
            source=job.name,
        )
    )


def test_others_go_on_while_a_key_is_run_elsewhere(project: Project) -> None:
    plans = [plan(project, name) for name in "abc"]
    assert plans[0].job is not None
    claim = project.store.try_claim(plans[0].job.key)
    assert claim is not None
    other = claim
    executor = FakeExecutor()

    class Waiting(RecordingProgress):
        def wait(self, names: list[str]) -> None:
            assert [job.name for job in executor.jobs] == ["b", "c"]
            other.release()

    fly(project, *plans, executor=executor, progress=Waiting())
    assert names(executor.jobs) == ["b", "c", "a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_interrupted_it_keeps_what_was_finished_and_gives_all_claims_back(
    project: Project, error: type[BaseException]
) -> None:
    def answer(job: Job) -> Run:
        if job.name == "c":
            raise error
        return make_run(job)

    plans = [plan(project, name) for name in "abcd"]
    with pytest.raises(error):
        fly(project, *plans, executor=FakeExecutor(answer, capacity=3))
    stored = {p.name for p in plans if p.job and project.store.find_entries(p.job.key)[0]}
    assert stored == {"a", "b"}
    for one in plans:
        assert one.job is not None
        claim = project.store.try_claim(one.job.key)
        assert claim is not None
        claim.release()


def test_a_store_that_cannot_be_written_is_an_error_before_anything_runs(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    broken = replace(project, store=Store(tmp_path / "file" / "cache"))
    executor = FakeExecutor()
    with pytest.raises(StoreError, match="cannot be written"):
        fly(broken, plan(project, "a"), executor=executor)
    assert executor.jobs == []
    assert not executor.is_open


def test_a_store_that_breaks_while_it_runs_is_an_error_and_the_claims_are_given_back(
    project: Project,
) -> None:
    def answer(job: Job) -> Run:
        objects = project.store.path / "objects"
        if not objects.exists():
            objects.touch()  # a file in the place of the folder
        return make_run(job)

    plans = [plan(project, name) for name in "ab"]
    with pytest.raises(StoreError, match="cannot be written"):
        fly(project, *plans, executor=FakeExecutor(answer, capacity=2))
    for one in plans:
        assert one.job is not None
        claim = Store(project.store.path).try_claim(one.job.key)
        assert claim is not None
        claim.release()
