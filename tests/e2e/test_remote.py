"""``sphinx-build`` with a remote on a server of the S3 protocol, sound and troubled."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from tests.e2e.build import Result, run_build, write_site
from tests.s3 import S3Server, s3

pytestmark = pytest.mark.slow  # each test builds a site, most of them several times

__all__ = ["s3"]

PAGES = {
    "one": ("print('first ' + 'page')",),
    "two": ("open('made.csv', 'w').write('1,2')\nprint('second ' + 'page')",),
}
WORDS = {"one": "first page", "two": "second page"}


class Sharing:
    """Checkouts of one site that share a remote."""

    def __init__(self, folder: Path, server: S3Server) -> None:
        self.server = server
        self.folder = folder
        self.variables = {
            "NBCACHE_REMOTE": f"{server.make_bucket()}/docs",
            "NBCACHE_REMOTE_MODE": "read-write",
        }

    def build(self, name: str, *options: str) -> Result:
        """Build a new checkout."""
        source = write_site(self.folder / name, PAGES)
        return run_build(source, *options, variables=self.variables)


@pytest.fixture
def sharing(s3: S3Server, tmp_path: Path) -> Sharing:
    """Return checkouts whose remote is empty."""
    return Sharing(tmp_path, s3)


def is_right(result: Result) -> bool:
    """Return whether all pages show what their notebooks print."""
    shown = all(word in result.read(name) for name, word in WORDS.items())
    return shown and (result.outdir.parent / "docs/made.csv").read_text() == "1,2"


def list_warnings(result: Result) -> list[str]:
    return [line for line in result.stderr.splitlines() if "WARNING" in line]


def test_a_second_checkout_starts_no_kernel(sharing: Sharing) -> None:
    first, second = sharing.build("first", "-W"), sharing.build("second", "-W")
    assert [first.totals["ran"], second.totals["ran"]] == [2, 0]
    assert second.totals["hits"] == 2
    assert second.find("one")["reason"] == "outputs from the remote cache"
    assert is_right(first)
    assert is_right(second)


MEMO = """from sphinx_nbcache import memo

@memo(always=True)
def compute(x):
    print("comp" + "uting")
    return x * 111

print(compute(5))"""


def build_memo(sharing: Sharing, name: str, *cells: str) -> Result:
    """Build a new checkout of one page that memoizes."""
    source = write_site(sharing.folder / name, {"page": (MEMO, *cells)})
    return run_build(source, "-W", variables=sharing.variables)


def test_what_a_notebook_memoized_another_checkout_does_not_compute(sharing: Sharing) -> None:
    first = build_memo(sharing, "first").read("page")
    assert ("computing" in first, "555" in first) == (True, True)
    second = build_memo(sharing, "second", "print('an' + 'other cell')")
    assert second.totals["ran"] == 1
    shown = second.read("page")
    assert [word in shown for word in ("computing", "555", "another cell")] == [False, True, True]


@pytest.mark.parametrize("fault", ["errors", "silent 0", "corrupt /memos/", "deny GET"])
def test_a_troubled_remote_is_one_warning_and_memos_are_computed(
    sharing: Sharing, fault: str
) -> None:
    build_memo(sharing, "first")
    sharing.server.set_fault(fault)
    sharing.variables["NBCACHE_REMOTE_TIMEOUT"] = "4"
    source = write_site(sharing.folder / "second", {"page": (MEMO, "print(1)")})
    result = run_build(source, variables=sharing.variables)
    assert (result.status, result.totals["ran"], len(list_warnings(result))) == (0, 1, 1)
    shown = result.read("page")
    assert [word in shown for word in ("computing", "555", "Warning")] == [True, True, False]


def test_a_remote_that_is_not_there_is_one_warning(sharing: Sharing) -> None:
    sharing.server.process.kill()
    result = sharing.build("first")
    assert (result.status, result.totals["ran"]) == (0, 2)
    (warning,) = list_warnings(result)
    assert "the build goes on without the remote cache" in warning
    assert "[nbcache.remote]" in warning
    assert is_right(result)


def test_a_remote_that_may_only_be_read_is_one_warning(sharing: Sharing) -> None:
    sharing.server.set_fault("deny PUTPOST")
    result = sharing.build("first")
    assert (result.status, result.totals["ran"]) == (0, 2)
    (warning,) = list_warnings(result)
    assert "new outputs are not all in the remote cache" in warning


@pytest.mark.parametrize("fault", ["errors", "silent 0", "corrupt /objects/", "corrupt /entries/"])
def test_a_troubled_remote_is_one_warning_and_right_pages(sharing: Sharing, fault: str) -> None:
    sharing.build("first")
    sharing.server.set_fault(fault)
    if fault.startswith("silent"):
        sharing.variables["NBCACHE_REMOTE_TIMEOUT"] = "4"
    result = sharing.build("second")
    assert (result.status, result.totals["ran"], len(list_warnings(result))) == (0, 2, 1)
    assert is_right(result)


@pytest.mark.parametrize("fault", ["slow 0.3", "flaky"])
def test_a_slow_remote_still_answers(sharing: Sharing, fault: str) -> None:
    sharing.build("first")
    sharing.server.set_fault(fault)
    result = sharing.build("second", "-W")
    assert (result.status, result.totals["hits"]) == (0, 2)
    assert is_right(result)


@pytest.mark.parametrize("position", range(1, 12, 2))
def test_a_remote_that_is_killed_in_the_middle_leaves_right_pages(
    sharing: Sharing, position: int
) -> None:
    sharing.build("first")
    sharing.server.set_fault(f"die {sharing.server.count_requests() + position}")
    result = sharing.build("second")
    assert (result.status, result.totals["failed"]) == (0, 0)
    assert len(list_warnings(result)) <= 1
    assert is_right(result)


@pytest.mark.parametrize("position", range(1, 12, 3))
def test_a_remote_that_is_killed_while_it_is_filled_stays_sound(
    sharing: Sharing, position: int
) -> None:
    sharing.server.set_fault(f"die {sharing.server.count_requests() + position}")
    result = sharing.build("first")
    assert (result.status, result.totals["ran"]) == (0, 2)
    assert is_right(result)


def test_a_page_that_is_changed_while_it_is_read_asks_a_dead_remote_once(
    sharing: Sharing,
) -> None:
    sharing.server.process.kill()
    conf = (
        "def setup(app):\n"
        "    def change(app, name, text):\n"
        "        text[0] = text[0].replace('page', 'sheet')\n"
        "    app.connect('source-read', change)"
    )
    source = write_site(sharing.folder / "first", PAGES, conf)
    result = run_build(source, variables=sharing.variables)
    assert "first sheet" in result.read("one")
    assert len(list_warnings(result)) == 1


WORKFLOW = Path(__file__).parents[2] / "docs/guide/ci/github-remote.yml"


def test_the_workflow_of_the_docs_shares_what_main_ran_with_pull_requests(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    steps = workflow["jobs"]["build"]["steps"]
    ours, theirs = (step["env"] for step in steps if "env" in step)
    remote = {"NBCACHE_REMOTE": sharing.variables["NBCACHE_REMOTE"]}
    assert workflow["env"].keys() == remote.keys()
    secrets = {name: "secret-0123456789" for name in ours if "secrets." in ours[name]}
    sharing.variables = {**remote, **ours, **secrets}
    assert sharing.build("main", "-W").totals["ran"] == 2
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    sharing.server.let_all_read(remote["NBCACHE_REMOTE"])
    sharing.variables = {**remote, **theirs}
    assert sharing.build("pull-request", "-W").totals["ran"] == 0


def test_credentials_and_keys_are_written_nowhere(sharing: Sharing) -> None:
    secrets = [os.environ["AWS_SECRET_ACCESS_KEY"], "key-of-a-test-0123456789", "pass-word"]
    sharing.variables["NBCACHE_SIGNING_KEY"] = secrets[1]
    result = sharing.build("first", "-v", "-v")
    sharing.variables["NBCACHE_REMOTE"] = f"nowhere://me:{secrets[2]}@host"
    other = sharing.build("second", "-v", "-v")
    texts = [result.stdout, result.stderr, other.stdout, other.stderr]
    texts += [
        path.read_bytes().decode("latin-1") for path in sharing.folder.rglob("*") if path.is_file()
    ]
    assert len(texts) > 20
    assert re.findall("|".join(secrets), "".join(texts)) == []
