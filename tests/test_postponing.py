"""What notebooks do not need is not compiled by every process, and still there for others."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.build import run_build, write_site

pytest.importorskip("rfc3987_syntax", reason="nothing to postpone")
RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

POSTPONE = """
import sys
from sphinx_nbcache.postponing import postpone_iri_grammar
postpone_iri_grammar()
"""
CHECK = """
import jsonschema
is_iri = lambda text: jsonschema.FormatChecker().conforms(text, "iri")
"""


def test_nbformat_compiles_no_grammar_and_iris_are_checked_as_ever(run_python: RunPython) -> None:
    code = POSTPONE + "import nbformat\nprint('lark' in sys.modules)\n" + CHECK
    code += "print(is_iri('http://ä.de/x'), is_iri('no address'), 'lark' in sys.modules)"
    assert run_python(code).stdout.split() == ["False", "True", "False", "True"]


@pytest.mark.parametrize(
    "use",
    [
        "import rfc3987_syntax; rfc3987_syntax.parse; check = rfc3987_syntax.is_valid_syntax",
        "from rfc3987_syntax.syntax_helpers import is_valid_syntax as check",
    ],
)
def test_who_uses_the_grammar_has_it(run_python: RunPython, use: str) -> None:
    done = run_python(f"{POSTPONE}{use}\nprint(check('iri', 'http://a/b'), check('iri', '%%'))")
    assert (done.stdout, done.stderr) == ("True False\n", "")


def test_a_name_that_it_has_not_is_an_attribute_error(run_python: RunPython) -> None:
    code = POSTPONE + "import rfc3987_syntax\nprint(hasattr(rfc3987_syntax, 'nothing'))"
    assert run_python(code).stdout == "False\n"


def test_a_process_that_has_it_keeps_it(run_python: RunPython) -> None:
    code = "import rfc3987_syntax as before" + POSTPONE
    assert run_python(code + "print(sys.modules['rfc3987_syntax'] is before)").stdout == "True\n"


def test_where_it_is_not_installed_nothing_is_done(run_python: RunPython) -> None:
    code = "import importlib.util\nimportlib.util.find_spec = lambda name: None\n" + POSTPONE
    assert run_python(code + "print('rfc3987_syntax' in sys.modules)").stdout == "False\n"


def test_builds_and_commands_do_not_compile_it(tmp_path: Path, run_python: RunPython) -> None:
    show = "import sys, atexit\natexit.register(lambda: print('lark' in sys.modules))\n"
    source = write_site(tmp_path, {"one": ("1",)}, conf=show)
    assert run_build(source).stdout.splitlines()[-1] == "False"
    code = show + "from sphinx_nbcache.cli import main\nmain(['execute', sys.argv[1]])"
    assert run_python(code, source).stdout.splitlines()[-1] == "False"
