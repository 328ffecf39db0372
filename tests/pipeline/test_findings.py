"""An unchanged notebook is not parsed again, and the answer is what parsing it would give."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sphinx_nbcache.config import Config
from sphinx_nbcache.model import Entry, Inputs, Mode, Notebook, Outcome, Settings
from sphinx_nbcache.pipeline import (
    NotebookCache,
    Project,
    Source,
    apply_execution_metadata,
    build,
    find_exclusion,
    make_plan,
)
from sphinx_nbcache.reading import FileReader
from sphinx_nbcache.testing import (
    RecordingProgress,
    code_cell,
    make_run,
    markdown_cell,
    write_notebook,
)

FROZEN = Config(frozen=True)


@dataclass
class CountingReading:
    """Reads files, and remembers which ones."""

    settings: Settings = field(default_factory=Settings)
    version: str = "1"
    read_names: list[str] = field(default_factory=list)

    def read(self, source: Source, text: str) -> tuple[Notebook, Settings] | None:
        """Read a file."""
        self.read_names.append(source.name)
        notebook = FileReader().read(source.path, text)
        if notebook is None:
            return None
        return notebook, apply_execution_metadata(self.settings, notebook.metadata)

    def describe(self, source: Source) -> str:
        """Return the settings and the version."""
        settings = self.settings
        exclusion = find_exclusion(source.path, settings.excludepatterns)
        flags = [settings.mode, settings.allow_errors, settings.in_temp]
        return json.dumps([self.version, flags, settings.kernel_rgx_aliases, exclusion])


@dataclass
class Bench:
    """A project whose notebooks are asked for without a kernel."""

    root: Path
    config: Config = FROZEN

    @property
    def project(self) -> Project:
        """Return the project as a process sees it that has just started."""
        return Project.open(self.root, replace(self.config, path=self.root / ".nbcache"))

    def ask(
        self, reading: CountingReading, *, rerun: tuple[str, ...] = ()
    ) -> tuple[dict[str, Outcome], list[str]]:
        """Build all that lies in the project; return the outcomes, and what was parsed."""
        reading.read_names.clear()
        report = build(
            self.list_sources(),
            reading=reading,
            project=self.project,
            rerun=dict.fromkeys(rerun, "asked to"),
            progress=RecordingProgress(),
        )
        return {o.name: o for o in report.outcomes}, list(reading.read_names)

    def list_sources(self) -> list[Source]:
        """Return all files that may be notebooks."""
        files = (path for path in self.root.rglob("*") if path.suffix in {".md", ".ipynb"})
        return [Source(self.project.relate(path), path) for path in sorted(files)]

    def fill(self, reading: CountingReading) -> None:
        """Store outputs for all notebooks that want some, as an earlier build did."""
        project = self.project
        for source in self.list_sources():
            found = reading.read(source, source.path.read_text())
            job = found and make_plan(source.name, *found, project=project).job
            if job:
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
                        source=source.name,
                    )
                )

    def snapshot(self) -> dict[str, tuple[int, int]]:
        """Return size and time of all that is in the cache."""
        stats = {str(path): path.stat() for path in (self.root / ".nbcache").rglob("*")}
        return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


@pytest.fixture
def bench(project_folder: Path) -> Bench:
    """Return a project with a notebook of each kind, and their outputs in the cache."""
    bench = Bench(project_folder)
    write_notebook(bench.root / "code.ipynb", "print(1)")
    write_notebook(bench.root / "myst.md", "print(2)")
    write_notebook(bench.root / "prose.ipynb", markdown_cell("no code"))
    (bench.root / "text.md").write_text("# No notebook")
    bench.fill(CountingReading())
    return bench


ALL = ["code.ipynb", "myst.md", "prose.ipynb", "text.md"]


def test_what_is_unchanged_is_parsed_once(bench: Bench) -> None:
    reading = CountingReading()
    first, parsed = bench.ask(reading)
    assert parsed == ALL
    again, parsed = bench.ask(reading)
    assert parsed == []
    assert again == first
    assert {name: str(o.status) for name, o in again.items()} == {
        "code.ipynb": "hit", "myst.md": "hit", "prose.ipynb": "hit",
    }  # fmt: skip


def test_only_what_was_edited_is_parsed_again(bench: Bench) -> None:
    reading = CountingReading()
    bench.ask(reading)
    write_notebook(bench.root / "code.ipynb", "print(1)", markdown_cell("new prose"))
    assert bench.ask(reading)[1] == ["code.ipynb"]
    write_notebook(bench.root / "code.ipynb", "print('new code')")
    outcomes, parsed = bench.ask(reading)
    assert parsed == ["code.ipynb"]
    assert outcomes["code.ipynb"].status.is_failure
    write_notebook(bench.root / "code.ipynb", "print(1)")
    assert bench.ask(reading)[1] == [], "the first text is known from before"


def test_what_is_not_in_the_cache_goes_the_full_way_each_time(bench: Bench) -> None:
    write_notebook(bench.root / "new.ipynb", "print('new')")
    reading = CountingReading()
    for parsed in ([*ALL[:2], "new.ipynb", *ALL[2:]], ["new.ipynb"], ["new.ipynb"]):
        outcomes, found = bench.ask(reading)
        assert found == parsed
        assert outcomes["new.ipynb"].failure is not None


def test_what_is_asked_to_run_again_is_parsed(bench: Bench) -> None:
    reading = CountingReading()
    bench.ask(reading)
    assert bench.ask(reading, rerun=("myst.md",))[1] == ["myst.md"]


def test_builds_of_hits_leave_the_cache_alone_from_the_second_on(bench: Bench) -> None:
    reading = CountingReading()
    bench.ask(reading)
    before = bench.snapshot()
    for _ in range(2):
        bench.ask(reading)
        assert bench.snapshot() == before


def test_builds_with_a_failure_leave_the_cache_alone_too(bench: Bench) -> None:
    write_notebook(bench.root / "new.ipynb", "print('new')")
    (bench.root / "torn.ipynb").write_text("{")
    reading = CountingReading()
    bench.ask(reading)
    before = bench.snapshot()
    bench.ask(reading)
    assert bench.snapshot() == before


def test_two_folders_with_the_same_text_have_answers_of_their_own(bench: Bench) -> None:
    write_notebook(bench.root / "other" / "code.ipynb", "print(1)")
    reading = CountingReading()
    for _ in range(2):
        outcomes, _ = bench.ask(reading)
        assert outcomes["code.ipynb"].failure is None
        assert outcomes["other/code.ipynb"].failure is not None
        assert outcomes["code.ipynb"].key != outcomes["other/code.ipynb"].key


CHANGES: dict[str, Settings] = {
    "mode": Settings(mode=Mode.OFF),
    "force": Settings(mode=Mode.FORCE),
    "alias": Settings(kernel_rgx_aliases=(("python.*", "other"),)),
    "exclude": Settings(excludepatterns=("*.ipynb",)),
    "errors": Settings(allow_errors=True),
    "folder": Settings(in_temp=True),
}


@pytest.mark.parametrize("settings", CHANGES.values(), ids=CHANGES)
def test_another_configuration_plans_anew(bench: Bench, settings: Settings) -> None:
    bench.ask(CountingReading())
    expected, _ = Bench(bench.root).ask(CountingReading(settings, version="unknown"))
    found, parsed = bench.ask(CountingReading(settings))
    assert found == expected
    assert "code.ipynb" in parsed
    back, parsed = bench.ask(CountingReading())
    assert parsed == []
    assert back["code.ipynb"].reason == "outputs in the cache"


def test_an_executor_in_temporary_folders_plans_anew(bench: Bench) -> None:
    bench.ask(CountingReading())
    bench.config = Config(frozen=True, executor="temp-serial")
    outcomes, parsed = bench.ask(CountingReading())
    assert parsed == ALL
    assert outcomes["code.ipynb"].failure is not None


def test_another_version_of_a_reader_plans_anew(bench: Bench) -> None:
    bench.ask(CountingReading())
    assert bench.ask(CountingReading(version="2"))[1] == ALL


def test_code_from_another_file_is_read_in_every_build(bench: Bench) -> None:
    page = bench.root / "load.md"
    text = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
    page.write_text(f"{text}```{{code-cell}}\n:load: code.py\n```\n")
    (bench.root / "code.py").write_text("print('first')")
    bench.fill(CountingReading())
    for _ in range(2):
        outcomes, parsed = bench.ask(CountingReading())
        assert outcomes["load.md"].failure is None
        assert "load.md" in parsed
    (bench.root / "code.py").write_text("print('second')")
    assert bench.ask(CountingReading())[0]["load.md"].failure is not None


def test_metadata_that_is_not_understood_is_told_by_every_build(bench: Bench) -> None:
    write_notebook(bench.root / "odd.ipynb", "print(1)", metadata={"nbcache": {"colour": 1}})
    bench.ask(CountingReading())
    assert bench.ask(CountingReading())[1] == ["odd.ipynb"]


def _delete(index: Path) -> None:
    index.unlink()


def _damage(index: Path) -> None:
    index.write_bytes(b"damaged" * 1000)


def _tear(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:5000])


def _take_tables_away(index: Path) -> None:
    with closing(sqlite3.connect(index)) as db:
        db.executescript("DROP TABLE findings; DROP TABLE stamps")


def _write_nonsense(index: Path) -> None:
    with closing(sqlite3.connect(index)) as db, db:
        db.execute("UPDATE findings SET finding = '[1'")


HARMS = (_delete, _damage, _tear, _take_tables_away, _write_nonsense)


@pytest.mark.parametrize("harm", HARMS)
def test_without_a_sound_index_all_is_parsed_and_the_next_build_knows_again(
    bench: Bench, harm: Callable[[Path], None]
) -> None:
    expected, _ = bench.ask(CountingReading())
    harm(bench.root / ".nbcache" / "index.sqlite")
    for parsed in (ALL, []):
        assert bench.ask(CountingReading()) == (expected, parsed)


def test_an_index_that_another_process_is_writing_is_read(bench: Bench) -> None:
    bench.ask(CountingReading())
    index = bench.root / ".nbcache" / "index.sqlite"
    with closing(sqlite3.connect(index, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert bench.ask(CountingReading())[1] == []
        db.execute("ROLLBACK")


def test_damage_is_a_miss_with_a_warning_although_the_text_is_known(bench: Bench) -> None:
    bench.ask(CountingReading())
    for path in (bench.root / ".nbcache" / "objects").glob("*/*"):
        path.write_bytes(b"damaged")
    progress = RecordingProgress()
    report = build(
        bench.list_sources(),
        reading=CountingReading(),
        project=bench.project,
        rerun={},
        progress=progress,
    )
    assert len(report.failures) == 2
    assert len(progress.warnings) == 2
    assert all("missing or damaged" in line for line in progress.warnings)


def test_the_python_api_knows_a_file_that_is_no_notebook_only_below_a_folder(
    project_folder: Path,
) -> None:
    text = project_folder / "text.md"
    text.write_text("# Only text")
    cache = NotebookCache(project=project_folder)
    write_notebook(project_folder / "a.ipynb", markdown_cell("no code"))
    cache.path.mkdir()
    for _ in range(2):
        assert [o.name for o in cache.execute([project_folder]).outcomes] == ["a.ipynb"]
        (outcome,) = cache.execute([text]).outcomes
        assert outcome.failure is not None


sources = st.sampled_from(["", "print(1)", "x = 1\n", " \n"])
cells = st.lists(
    st.builds(
        lambda source, tags, outputs: code_cell(source, tags=tags, outputs=outputs),
        sources,
        st.lists(st.sampled_from(["skip-execution", "hide-input"]), unique=True),
        st.sampled_from([[], [{"output_type": "stream", "name": "stdout", "text": "x"}]]),
    )
    | st.builds(markdown_cell, sources),
    max_size=3,
)
metadata = st.fixed_dictionaries(
    {},
    optional={
        "execution": st.fixed_dictionaries({"allow_errors": st.booleans()}),
        "nbcache": st.sampled_from([{"exclusive": True}, {"colour": 1}]),
    },
)
all_settings = st.builds(
    Settings,
    mode=st.sampled_from(list(Mode)),
    allow_errors=st.booleans(),
    in_temp=st.booleans(),
    excludepatterns=st.sampled_from([(), ("a.*",), ("sub/*",)]),
    kernel_rgx_aliases=st.sampled_from([(), (("python.", "p"),), (("p.*", "q"),)]),
)
_NUMBERS = itertools.count()


@given(
    texts=st.lists(st.tuples(cells, metadata, st.sampled_from(["python3", "p", None])), max_size=4),
    order=st.lists(all_settings, min_size=1, max_size=4),
)
def test_what_is_known_of_a_text_is_what_parsing_it_gives(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[tuple[list[dict[str, object]], dict[str, object], str | None]],
    order: list[Settings],
) -> None:
    root = tmp_path_factory.mktemp(f"project{next(_NUMBERS)}")
    (root / "pyproject.toml").touch()
    names = ("a.ipynb", "b.ipynb", "sub/a.ipynb", "sub/c.md")
    for name, (content, own, kernel) in zip(names, texts, strict=False):
        write_notebook(root / name, *content, metadata=own, kernel=kernel)
    bench = Bench(root)
    bench.fill(CountingReading())
    bench.project.store.path.mkdir(exist_ok=True)
    for number, settings in enumerate([*order, *order]):
        expected, _ = bench.ask(CountingReading(settings, version=f"never {number}"))
        assert bench.ask(CountingReading(settings))[0] == expected
