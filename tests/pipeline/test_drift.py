"""The drift check, with real kernels: what it finds, and that it leaves no trace."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sphinx_nbcache.errors import ConfigurationError, NotebookNotFoundError
from sphinx_nbcache.model import CellOutputs, Outputs
from sphinx_nbcache.pipeline import Drift, NotebookCache
from sphinx_nbcache.pipeline.comparison import CellDrift, Normaliser, compare_outputs
from sphinx_nbcache.testing import make_notebook, write_notebook
from tests.pipeline.test_standing import execute, take_picture


def check(folder: Path, **options: Any) -> dict[str, Drift]:
    """Check all notebooks of a project; return the results by name."""
    results = NotebookCache(project=folder).check(**options)
    return {drift.name.removesuffix(".ipynb"): drift for drift in results}


SAME_IN_OTHER_WORDS = """
import os, tempfile, sys
print(object())
print(os.getcwd(), flush=True)
print(tempfile.mkdtemp(), file=sys.stderr)
print("/tmp/ipykernel_%d/1.py" % os.getpid())
object()
""".strip()
TOUCHING = """
from pathlib import Path
import own
print(own.VALUE, Path('data/x.csv').read_text(), sorted(p.name for p in Path('data').iterdir()))
Path('made.txt').write_text('made')
Path('data/x.csv').write_text('1')
""".strip()


def test_only_what_is_not_deterministic_differs_and_nothing_is_written(
    project_folder: Path,
) -> None:
    (project_folder / "data").mkdir()
    (project_folder / "data" / "x.csv").write_text("1")
    (project_folder / "data" / "y.csv").write_text("2")
    (project_folder / "own.py").write_text("VALUE = 5")
    write_notebook(project_folder / "words.ipynb", SAME_IN_OTHER_WORDS)
    write_notebook(project_folder / "touching.ipynb", TOUCHING)
    write_notebook(project_folder / "dice.ipynb", "1", "import random\nrandom.random()")
    execute(project_folder)
    (project_folder / "made.txt").write_text("the user's own")
    before = take_picture(project_folder)
    results = check(project_folder)
    assert take_picture(project_folder) == before
    assert {name: drift.has_drifted for name, drift in results.items()} == {
        "words": False, "touching": False, "dice": True,
    }  # fmt: skip
    ((cell, what, diff),) = results["dice"].cells
    assert (cell, what) == (2, "text/plain")
    assert [line[0] for line in diff.splitlines()] == ["-", "+"]


def test_what_fails_the_second_time_has_drifted(project_folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"from pathlib import Path\nPath({str(mark)!r}).touch(exist_ok=False)"
    write_notebook(project_folder / "once.ipynb", code)
    execute(project_folder)
    drift = check(project_folder)["once"]
    assert drift.has_drifted
    assert drift.failure.startswith("FileExistsError in cell 1, line 2")


def test_what_is_stale_or_runs_in_every_build_is_not_checked(project_folder: Path) -> None:
    path = write_notebook(project_folder / "edited.ipynb", "1 + 1")
    write_notebook(project_folder / "always.ipynb", "1", metadata={"nbcache": {"cache": False}})
    off = {"mystnb": {"execution_mode": "off"}}
    write_notebook(project_folder / "off.ipynb", "1", metadata=off)
    execute(project_folder)
    write_notebook(path, "2")
    reasons = {name: drift.skip_reason for name, drift in check(project_folder).items()}
    assert reasons == {
        "edited": "stale: cell 1 changed",
        "always": "stale: cache: false in its metadata",
        "off": "execution mode off",
    }


def test_an_artifact_that_only_the_cache_has_is_there_and_a_large_file_is_a_link(
    project_folder: Path,
) -> None:
    write_notebook(project_folder / "a.ipynb", "open('made.txt', 'w').write('x')")
    write_notebook(
        project_folder / "b.ipynb",
        "import os\nopen('made.txt').read()",
        "open('big', 'rb').read(1); os.path.islink('big')",
        metadata={"nbcache": {"after": "a"}},
    )
    with (project_folder / "big").open("wb") as file:
        file.truncate(65 << 20)
    execute(project_folder)
    (project_folder / "made.txt").unlink()
    results = check(project_folder)
    assert not results["a"].has_drifted
    assert results["b"].cells == (CellDrift(2, "text/plain", "-False\n+True"),)
    assert not (project_folder / "made.txt").exists()


SHORTEN = "with open('big', 'r+b') as file: file.write(b'x')"
ADD = "with open('big', 'ab') as file: file.write(b'x')"
INSERT = """
import sqlite3
with sqlite3.connect('big.db') as db:
    db.execute("INSERT INTO t VALUES (1)")
db.close()
""".strip()
LIST_AND_ADD = f"import os; names = os.listdir()\n{ADD}"


@pytest.mark.parametrize("code", [SHORTEN, ADD, INSERT, LIST_AND_ADD])
def test_a_large_file_that_the_notebook_changes_is_a_copy(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr("sphinx_nbcache.pipeline.scratch._LARGEST_COPY_BYTES", 10)
    (project_folder / "big").write_bytes(bytes(1000))
    with closing(sqlite3.connect(project_folder / "big.db")) as db, db:
        db.execute("CREATE TABLE t (n INTEGER)")
    write_notebook(project_folder / "a.ipynb", code)
    execute(project_folder)
    before = take_picture(project_folder)
    drift = check(project_folder)["a"]
    assert (drift.skip_reason, drift.failure) == ("", "")
    assert take_picture(project_folder) == before


def test_without_the_index_nothing_is_linked(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sphinx_nbcache.pipeline.scratch._LARGEST_COPY_BYTES", 10)
    (project_folder / "big").write_bytes(bytes(1000))
    code = "import os\nopen('big', 'rb').read(1); os.path.islink('big')"
    write_notebook(project_folder / "a.ipynb", code)
    execute(project_folder)
    assert check(project_folder)["a"].has_drifted
    for path in (project_folder / ".nbcache").glob("index.sqlite*"):
        path.unlink()
    drift = check(project_folder)["a"]
    assert (drift.has_drifted, drift.skip_reason) == (False, "")


def test_patterns_choose_and_expressions_are_ignored(
    project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        write_notebook(project_folder / f"{name}.ipynb", "import time; print(time.time(), 's')")
    execute(project_folder)
    assert not check(project_folder, patterns=["b*"], ignore=[r"[\d.]+ s"])["b"].has_drifted
    monkeypatch.setenv("NBCACHE_CHECK_IGNORE", r"[\d.]+ s")
    assert list(check(project_folder, patterns=["a*"])) == ["a"]
    assert not check(project_folder, patterns=["a*"])["a"].has_drifted
    with pytest.raises(NotebookNotFoundError, match=r"nix\*: no notebook"):
        check(project_folder, patterns=["a*", "nix*"])
    with pytest.raises(ConfigurationError, match="check_ignore"):
        check(project_folder, ignore=["("])
    monkeypatch.setenv("NBCACHE_FROZEN", "1")
    with pytest.raises(ConfigurationError, match="it starts kernels"):
        check(project_folder)


def test_a_notebook_outside_of_the_root_is_not_checked(project_folder: Path) -> None:
    path = write_notebook(project_folder.parent / "outside.ipynb", "1")
    cache = NotebookCache(project=project_folder)
    cache.execute([path])
    (drift,) = cache.check([path])
    assert drift.skip_reason == "it lies outside of the project root"


def compare(old: list[dict[str, Any]], new: list[dict[str, Any]], *ignore: str) -> list[CellDrift]:
    """Compare the outputs of one cell."""
    notebook = make_notebook("1")
    before, now = (Outputs((CellOutputs(1, list(items)),)) for items in (old, new))
    return list(compare_outputs(notebook, before, now, Normaliser(ignore, {"/scratch": "/home"})))


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def display(**data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": rename(data)}


def rename(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "/", 1).replace("_", "."): value for name, value in data.items()}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([stream("ab")], [stream("a"), stream("b")]),
        ([stream("a"), stream("b", "stderr")], [stream("b", "stderr"), stream("a")]),
        ([stream("<x at 0x7f00aa11bb>")], [stream("<x at 0x7FFFFFFFFF>")]),
        ([stream("/tmp/tmpab12cd34/x")], [stream("/tmp/tmpzz99__yy/x")]),
        ([stream("/home/a")], [stream("/scratch/a")]),
        ([display(image__png="aGFsbG8=")], [display(image__png="aGFs\nbG8=\n")]),
    ],
)
def test_what_is_the_same_in_other_words_does_not_differ(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    assert not compare(old, new)


@pytest.mark.parametrize(
    ("old", "new", "drift"),
    [
        ([stream("a\nb")], [stream("a\nc")], ("stdout", "-b\n+c")),
        ([stream("a")], [], ("stdout", "-a")),
        ([stream("0x12")], [stream("0x13")], ("stdout", "-0x12\n+0x13")),
        ([display(image__png="aGFsbG8=")], [display(image__png="aGFsbA==")],
         ("image/png", "5 bytes -> 4 bytes")),
        ([display(image__png="aGFsbG8=")], [display(text__plain="a")],
         ("image/png", "5 bytes -> nothing")),
        ([display(text__plain="a")], [], ("outputs", "1 -> 0")),
        ([display(application__json={"b": 1})], [display(application__json={"b": 2})],
         ("application/json", '- "b": 1\n+ "b": 2')),
        ([{"output_type": "error", "ename": "E", "evalue": "1", "traceback": []}],
         [{"output_type": "error", "ename": "E", "evalue": "2", "traceback": []}],
         ("error", "-E: 1\n+E: 2")),
    ],
)  # fmt: skip
def test_what_differs_is_named_with_a_short_diff(
    old: list[dict[str, Any]], new: list[dict[str, Any]], drift: tuple[str, str]
) -> None:
    assert compare(old, new)[0] == (1, *drift)


def test_widgets_have_a_new_name_in_each_run() -> None:
    mime = "application/vnd.jupyter.widget-view+json"
    views = [
        {"output_type": "display_data", "metadata": {}, "data": {mime: {"model_id": name}}}
        for name in ("1f", "2e")
    ]
    assert not compare([views[0]], [views[1]])


def test_a_long_diff_is_cut_to_lines_of_both_sides() -> None:
    texts = ["".join(f"{word} {n}\n" for n in range(100)) for word in ("old", "new")]
    ((_, _, diff),) = compare([stream(texts[0])], [stream(texts[1])])
    assert diff.splitlines()[:2] == ["-old 0", "+new 0"]
    assert diff.endswith("... 192 more lines")


def test_the_json_form_has_the_names_that_the_documentation_promises() -> None:
    drift = Drift(name="a", path=Path("/root/a"), cells=(CellDrift(1, "stdout", "-1"),))
    value = json.loads(json.dumps(drift.to_json(Path("/root"))))
    page = Path(__file__).parents[2] / "docs" / "guide" / "command-line.md"
    text = page.read_text(encoding="utf-8")
    names = [*value, *value["cells"][0]]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert (value["path"], value["has_drifted"]) == ("a", True)
