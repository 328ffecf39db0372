"""Executors of plug-ins: real distributions in a folder of their own on the import path."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from sphinx_nbcache import NotebookCache
from sphinx_nbcache.cli import main
from sphinx_nbcache.config import EXECUTORS, Config, list_executors
from sphinx_nbcache.errors import ConfigurationError
from sphinx_nbcache.running import Executor, ExecutorRequest, LocalExecutor, create_executor
from sphinx_nbcache.testing import check_executor, write_notebook
from tests.conftest import RunPython

Install = Callable[..., None]

MODULE = """
from sphinx_nbcache.errors import MissingExtraError
from sphinx_nbcache.running import LocalExecutor

def open_rowing(request):
    options = dict(request.config.executor_options)
    return LocalExecutor(options.get("boats", 1))

def open_nothing(request):
    return object()

def open_sinking(request):
    raise OSError("water")

def open_poor(request):
    raise MissingExtraError("oars", "row")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a distribution with one entry point."""
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(str(folder))

    def install_one(name: str, value: str, group: str = "nbcache.executors") -> None:
        metadata = folder / f"{name.replace('-', '_')}_plugin-1.2.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.2\n"
        )
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
        (folder / "boats.py").write_text(MODULE)
        importlib.invalidate_caches()

    return install_one


def create(name: str, **options: object) -> Executor:
    """Return the executor of a name."""
    given = tuple(options.items())
    config = Config(executor=name, executor_options=given)
    return create_executor(ExecutorRequest(config=config))


def test_a_plug_in_is_taken_by_its_name_and_gets_its_options(
    install: Install, project_folder: Path
) -> None:
    install("rowing", "boats:open_rowing")
    write_notebook(project_folder / "a.ipynb", "1")
    report = NotebookCache(project=project_folder).execute(
        [project_folder], executor="rowing", executor_options={"boats": 2}
    )
    assert [str(outcome.status) for outcome in report.outcomes] == ["ran"]


def test_the_variable_and_the_command_line_take_it_too(
    install: Install, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("rowing", "boats:open_rowing")
    write_notebook(project_folder / "a.ipynb", "1")
    monkeypatch.chdir(project_folder)
    monkeypatch.setenv("NBCACHE_EXECUTOR", "temp-serial")
    arguments = ["execute", ".", "-e", "rowing", "--executor-options", "boats=2"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    monkeypatch.setenv("NBCACHE_EXECUTOR", "rowing")
    assert Config.from_values({}, {"NBCACHE_EXECUTOR": "rowing"}).executor == "rowing"


def test_the_shell_completes_its_name(install: Install) -> None:
    install("rowing", "boats:open_rowing")
    assert list_executors() == [*EXECUTORS, "rowing"]
    environment = {
        "_NBCACHE_COMPLETE": "bash_complete",
        "COMP_WORDS": "nbcache execute -e r",
        "COMP_CWORD": "3",
    }
    result = CliRunner().invoke(main, [], prog_name="nbcache", env=environment)
    assert result.output == "plain,rowing\n"


def test_a_plug_in_can_be_checked_with_the_test_kit(install: Install) -> None:
    install("rowing", "boats:open_rowing")
    config = Config(executor="rowing", executor_options=(("boats", 2),))
    check_executor(lambda: create_executor(ExecutorRequest(config=config)))


def test_an_unknown_name_is_an_error_that_lists_what_is_installed(install: Install) -> None:
    install("rowing", "boats:open_rowing")
    with pytest.raises(ConfigurationError) as caught:
        Config.from_values({"executor": "sailing"}, {}, prefix="nbcache_")
    assert str(caught.value) == (
        "nbcache_executor = 'sailing': expected one of local-serial, local-parallel, temp-serial, "
        "temp-parallel, dask, or the name of an installed plug-in; installed plug-ins: rowing"
    )


def test_an_executor_of_jupyter_cache_is_refused_with_the_reason(install: Install) -> None:
    install("sailing", "boats:open_rowing", "jcache.executors")
    with pytest.raises(ConfigurationError) as caught:
        Config.from_values({"executor": "sailing"}, {})
    assert "boats:open_rowing of sailing-plugin 1.2" in str(caught.value)
    assert "works on jupyter-cache's own database" in str(caught.value)


def test_a_plug_in_cannot_take_a_built_in_name(install: Install) -> None:
    install("local-serial", "boats:open_sinking")
    with create("local-serial") as executor:
        assert isinstance(executor, LocalExecutor)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("boats:open_sinking", "failed with OSError: water"),
        ("boats:open_gone", "failed with AttributeError: "),
        ("boats_gone:open", "failed with ModuleNotFoundError: No module named 'boats_gone'"),
        ("boats:open_nothing", "which is no executor: it has no __enter__, __exit__, submit"),
    ],
)
def test_a_plug_in_that_does_not_work_is_an_error_that_names_it(
    install: Install, value: str, reason: str
) -> None:
    install("sinking", value)
    with pytest.raises(ConfigurationError) as caught:
        create("sinking")
    message = str(caught.value)
    assert f"sinking = {value} (nbcache.executors) of sinking-plugin 1.2 " in message
    assert reason in message


def test_a_plug_in_may_say_itself_what_the_user_has_to_mend(install: Install) -> None:
    install("poor", "boats:open_poor")
    with pytest.raises(Exception, match="oars is not installed") as caught:
        create("poor")
    assert type(caught.value).__name__ == "MissingExtraError"


def test_nobody_looks_for_plug_ins_when_a_built_in_executor_is_used(run_python: RunPython) -> None:
    program = (
        "import sys\n"
        "from sphinx_nbcache.config import Config\n"
        "Config.from_values({'executor': 'dask'}, {'NBCACHE_EXECUTOR': 'temp-serial'})\n"
        "print('importlib.metadata' in sys.modules)\n"
    )
    assert run_python(program).stdout == "False\n"
