"""A call that was made before is answered from the cache while all that counts is the same."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import textwrap
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sphinx_nbcache import memo
from sphinx_nbcache.errors import NotMemoizableError
from sphinx_nbcache.model import Memo
from sphinx_nbcache.store import Store
from tests.conftest import RunPython, StartPython
from tests.memo.conftest import Load

pytestmark = pytest.mark.usefixtures("memo_project")
CALLS = "from pathlib import Path\nfrom sphinx_nbcache import memo\ncalls = []\n"


def write(body: str, head: str = "") -> str:
    """Return a module with a memoized function."""
    text = "from sphinx_nbcache import memo\n" + textwrap.dedent(head)
    return f"{text}\n@memo(always=True)\n{textwrap.dedent(body)}"


def is_hit(module: Any, *args: Any, **kwargs: Any) -> bool:
    """Call the module's function; return whether it was answered from the cache."""
    before = module.f.cache_info().hits
    module.f(*args, **kwargs)
    return bool(module.f.cache_info().hits > before)


class TestCalls:
    """What is one call."""

    def test_a_second_call_does_not_run_the_function(self, load: Load) -> None:
        module = load(one=write("def f(x, y=2):\n    return [x, y]"))
        assert module.f(1) == [1, 2]
        assert [is_hit(module, 1), is_hit(module, x=1), is_hit(module, 1, y=2)] == [True] * 3
        assert not is_hit(module, 1, 3)
        assert module.f.cache_info() == (3, 2, 2)

    def test_the_value_is_a_new_one_each_time(self, load: Load) -> None:
        module = load(one=write("def f():\n    return [1]"))
        module.f().append(2)
        module.f().append(3)
        assert module.f() == [1]

    def test_named_arguments_have_no_order(self, load: Load) -> None:
        module = load(one=write("def f(*args, **options):\n    return options"))
        module.f(1, a=1, b=2)
        assert is_hit(module, 1, b=2, a=1)
        assert not is_hit(module, 1, b=2)

    def test_methods_count_by_what_their_object_holds(self, load: Load) -> None:
        head = """
            class Model:
                def __init__(self, n):
                    self.n = n
                @memo(always=True)
                def run(self, x):
                    return self.n * x
            """
        module = load(one=write("def f():\n    pass", head))
        assert [module.Model(n).run(2) for n in (3, 3, 4)] == [6, 6, 8]
        assert module.Model.run.cache_info()[:2] == (1, 2)

    def test_coroutine_functions_stay_ones(self, load: Load) -> None:
        module = load(one=write("async def f(x):\n    return x"))
        assert inspect.iscoroutinefunction(module.f)
        assert [asyncio.run(module.f(3)) for _ in range(2)] == [3, 3]
        assert module.f.cache_info()[:2] == (1, 1)

    def test_what_is_ignored_does_not_count(self, load: Load) -> None:
        text = write("def f(x, verbose=False):\n    return x")
        module = load(one=text.replace("always=True", "always=True, ignore=('verbose',)"))
        module.f(1)
        assert is_hit(module, 1, verbose=True)

    def test_a_wrong_call_fails_as_without_a_memo(self, load: Load) -> None:
        module = load(one=write("def f(x):\n    return x"))
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
            module.f()

    def test_what_a_call_raises_is_raised_and_not_stored(self, load: Load) -> None:
        module = load(one=write("def f(x):\n    return 1 / x"))
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                module.f(0)
        assert module.f.cache_info().currsize == 0

    def test_a_recursive_function_calls_its_own_memo(self, load: Load) -> None:
        module = load(one=write("def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)"))
        assert module.f(40) == 102334155
        assert module.f.cache_info().misses == 41

    def test_signature_name_and_doc_string_stay(self, load: Load) -> None:
        module = load(one=write('def f(x: int) -> int:\n    "Twice."\n    return 2 * x'))
        assert (module.f.__name__, module.f.__doc__) == ("f", "Twice.")
        assert str(inspect.signature(module.f)) == "(x: 'int') -> 'int'" or "int" in str(
            inspect.signature(module.f)
        )


class TestCode:
    """What of the code counts."""

    PLAIN = write(
        "def f(x):\n    return helper(x) * K", "K = 2\ndef helper(x):\n    return x + 1\n"
    )

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("return helper(x) * K", "# a comment\n    return helper(x)  *  K"),
            ("def f(x):\n", 'def f(x):\n    """A doc string."""\n\n'),
            ("K = 2", "UNUSED = 5\nK = 2"),
        ],
        ids=["comment", "doc string", "unused global"],
    )
    def test_what_changes_nothing_does_not_count(self, load: Load, old: str, new: str) -> None:
        load(one=self.PLAIN).f(1)
        assert is_hit(load(one=self.PLAIN.replace(old, new)), 1)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("return helper(x) * K", "return helper(x) + K"),
            ("K = 2", "K = 3"),
            ("return x + 1", "return x + 2"),
            ("def helper(x):", "def helper(x, y=K):"),
        ],
        ids=["body", "global", "helper", "default of helper"],
    )
    def test_what_it_does_and_uses_counts(self, load: Load, old: str, new: str) -> None:
        load(one=self.PLAIN).f(1)
        assert not is_hit(load(one=self.PLAIN.replace(old, new)), 1)

    def test_own_modules_count_by_what_is_used_of_them(self, load: Load) -> None:
        used = "import helpers\n"
        text = write("def f(x):\n    return helpers.scale(x)", used)
        helpers = "def scale(x):\n    return x * 2\ndef other(x):\n    return x\n"
        load(helpers=helpers, one=text).f(1)
        assert is_hit(load(helpers=helpers + "def third(): pass\n", one=text), 1)
        changed = helpers.replace("x * 2", "x * 3")
        assert not is_hit(load(helpers=changed, one=text), 1)

    @pytest.mark.parametrize(
        "body",
        [
            "def f(x):\n    from helpers import scale\n    return scale(x)",
            "def f(x):\n    import helpers as h\n    return h.scale(x)",
        ],
    )
    def test_modules_that_are_imported_inside_count_as_a_whole(self, load: Load, body: str) -> None:
        helpers = "def scale(x):\n    return x * 2\n"
        load(helpers=helpers, one=write(body)).f(1)
        assert is_hit(load(helpers=helpers, one=write(body)), 1)
        assert not is_hit(load(helpers=helpers.replace("2", "3"), one=write(body)), 1)

    @pytest.mark.parametrize(
        ("head", "old", "new"),
        [
            ("class Used:\n    best = max\n", "max", "min"),
            ("class Used:\n    @staticmethod\n    def m(*a): pass\n", "static", "class"),
            ("class Used:\n    def __hash__(self): return 2\n", "2", "3"),
            (
                "class M(type):\n    def __call__(s): return 2\n"
                "class Used(metaclass=M):\n    pass\n",
                "2",
                "3",
            ),
            (
                "import dataclasses\nUsed = dataclasses.make_dataclass('P', [('x', int, 2)])\n",
                "2",
                "3",
            ),
            (
                "import functools\n@functools.singledispatch\ndef Used(x=0): return 0\n"
                "@Used.register\ndef _(x: int): return 2\n",
                "2",
                "3",
            ),
            ("def Used(): return Used.k\nUsed.k = 2\n", "2", "3"),
        ],
        ids=["builtin", "kind", "hash", "metaclass", "made", "dispatch", "attribute"],
    )
    def test_all_that_a_class_or_function_is_made_of_counts(
        self, load: Load, head: str, old: str, new: str
    ) -> None:
        text = write("def f():\n    return [Used, Used.k] and 1", head)
        text = text if "Used.k =" in head else text.replace(", Used.k", "")
        load(one=text).f()
        assert is_hit(load(one=text))
        assert not is_hit(load(one=text.replace(old, new)))

    def test_a_method_that_uses_what_has_no_content_is_named(self, load: Load) -> None:
        head = "import threading\nlock = threading.Lock()\n"
        head += "class Model:\n    def run(self):\n        with lock:\n            return 2\n"
        module = load(one=write("def f():\n    return Model().run()", head))
        with pytest.warns(memo.MemoWarning, match="Model.run uses the global lock"):
            assert module.f() == 2

    def test_a_wrapper_counts_with_what_it_was_told(self, load: Load) -> None:
        head = """
            import functools
            def times(n):
                def decorate(function):
                    @functools.wraps(function)
                    def wrapper(*args, extra=1):
                        return function(*args) * n * extra
                    return wrapper
                return decorate
            """
        text = write("@times(2)\ndef f(x):\n    return x", head)
        module = load(one=text)
        assert [module.f(1), module.f(1, extra=3)] == [2, 6]
        assert is_hit(module, 1, extra=3)
        assert not is_hit(load(one=text.replace("times(2)", "times(5)")), 1)
        assert not is_hit(load(one=text.replace("extra=1", "extra=4")), 1)

    def test_many_functions_that_call_each_other_are_no_problem(self, load: Load) -> None:
        head = "".join(f"def g{n}(x):\n    return g{n + 1}(x)\n" for n in range(300))
        head += "def g300(x):\n    return x\n"
        text = write("def f(x):\n    return g250(x)", head)
        module = load(one=text)
        module.f(1)
        assert is_hit(module, 1)
        assert not is_hit(load(one=text.replace("return x\n", "return -x\n")), 1)

    def test_classes_that_use_each_other_are_no_problem(self, load: Load) -> None:
        head = "".join(
            f"class C{n}:\n" + "".join(f"    def m{k}(self): return C{k}\n" for k in range(12))
            for n in range(12)
        )
        module = load(one=write("def f():\n    return C0.__name__", head))
        module.f()
        assert is_hit(module)

    def test_an_abstract_protocol_is_a_class_like_others(self, load: Load) -> None:
        head = "from typing import Protocol\nclass P(Protocol):\n    def m(self): ...\n"
        head += "class Q(P):\n    def m(self): return 1\n"
        module = load(one=write("def f():\n    return Q().m()", head))
        module.f()
        assert is_hit(module)

    def test_what_pickle_notes_on_a_class_does_not_count(self, load: Load) -> None:
        text = write("def f():\n    return Result()", "class Result:\n    pass\n")
        module = load(one=text)
        module.f()
        assert "__slotnames__" in vars(module.Result)
        assert is_hit(module)

    @pytest.mark.parametrize(
        "body",
        [
            "def f():\n    from . import low\n    return low.k",
            "def f():\n    from .low import k\n    return k",
            "def f():\n    from package import low\n    return low.k",
            "def f():\n    import package.low as low\n    return low.k",
            "def f():\n    from package import middle\n    return middle.k",
            "def f():\n    from spread.part import k\n    return k",
        ],
    )
    def test_every_form_of_import_inside_a_function_is_followed(
        self, run_python: RunPython, memo_project: Path, body: str
    ) -> None:
        folder = memo_project / "package"
        for name in ("package", "spread"):
            (memo_project / name).mkdir()
        (folder / "__init__.py").touch()
        (folder / "middle.py").write_text("from .low import k\n")
        (folder / "main.py").write_text(write(body))
        found = []
        for value in ("2", "2", "3"):
            for path in (folder / "low.py", memo_project / "spread/part.py"):
                path.write_text(f"k = {value}\n")
            code = "from package.main import f; print(f(), f.cache_info().hits, f(), end='')"
            found.append(run_python(code).stdout)
        assert found == ["2 0 2", "2 1 2", "3 0 3"]

    def test_looking_what_is_imported_imports_nothing(self, load: Load, memo_project: Path) -> None:
        module = load(one=write("def f():\n    return 1\n    import heavy.part"))
        (memo_project / "heavy").mkdir()
        (memo_project / "heavy/__init__.py").write_text("raise SystemExit('imported')")
        (memo_project / "heavy/part.py").touch()
        module.f()
        assert is_hit(module)

    def test_classes_count_with_their_methods(self, load: Load) -> None:
        head = "class Model:\n    def run(self, x):\n        return x\n"
        text = write("def f(x):\n    return Model().run(x)", head)
        load(one=text).f(1)
        assert is_hit(load(one=text), 1)
        assert not is_hit(load(one=text.replace("return x\n", "return -x\n")), 1)

    def test_decorated_helpers_count_by_what_they_wrap(self, load: Load) -> None:
        head = "import functools\n@functools.lru_cache\ndef helper(x):\n    return x\n"
        text = write("def f(x):\n    return helper(x)", head)
        load(one=text).f(1)
        assert is_hit(load(one=text), 1)
        assert not is_hit(load(one=text.replace("return x\n", "return -x\n")), 1)

    def test_functions_that_call_each_other_have_an_end(self, load: Load) -> None:
        head = "def odd(n):\n    return n and even(n - 1)\n"
        head += "def even(n):\n    return not n or odd(n - 1)\n"
        text = write("def f(n):\n    return odd(n)", head)
        load(one=text).f(3)
        assert is_hit(load(one=text), 3)
        assert not is_hit(load(one=text.replace("not n or", "not n and")), 3)

    def test_a_function_that_is_given_counts_by_its_code(self, load: Load) -> None:
        text = write("def f(g, x):\n    return g(x)", "def double(x):\n    return 2 * x\n")
        module = load(one=text)
        module.f(module.double, 1)
        module = load(one=text)
        assert is_hit(module, module.double, 1)
        module = load(one=text.replace("2 * x", "3 * x"))
        assert not is_hit(module, module.double, 1)

    def test_a_global_that_has_no_content_is_named_and_can_be_ignored(self, load: Load) -> None:
        head = "import threading\nlock = threading.Lock()\n"
        text = write("def f(x):\n    with lock:\n        return x", head)
        with pytest.warns(memo.MemoWarning, match="uses the global lock.*no content"):
            assert load(one=text).f(1) == 1
        ignoring = load(one=text.replace("always=True", "always=True, ignore=['lock']"))
        ignoring.f(1)
        assert is_hit(ignoring, 1)


class TestSettings:
    """Groups, ages, thresholds."""

    def test_quick_calls_are_not_stored_unless_told(
        self, load: Load, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = write("def f(x):\n    return x").replace("(always=True)", "")
        module = load(one=text)
        module.f(1)
        assert not module.f.is_cached(1)
        monkeypatch.setattr(memo.config, "threshold_s", 0.0)
        module.f(1)
        assert module.f.is_cached(1)

    def test_the_threshold_is_three_seconds_and_can_be_set(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert memo.get_runtime_threshold() == 3
        monkeypatch.setattr(memo.config, "threshold_s", 3.0)
        memo.set_runtime_threshold(0.5)
        assert memo.config.threshold_s == 0.5
        with pytest.raises(ValueError, match="expected 0 or more"):
            memo.set_runtime_threshold(-1)

    def test_groups_do_not_know_each_other(self, load: Load) -> None:
        text = write("def f(x):\n    return x")
        load(one=text.replace("always=True", "always=True, key='a'")).f(1)
        assert is_hit(load(one=text.replace("always=True", "always=True, key='a'")), 1)
        assert not is_hit(load(one=text.replace("always=True", "always=True, key='b'")), 1)

    def test_what_is_too_old_is_computed_again(self, load: Load) -> None:
        text = write("def f(x):\n    return x").replace("always=True", "always=True, max_age=0.2")
        module = load(one=text)
        module.f(1)
        time.sleep(0.3)
        assert not is_hit(module, 1)

    def test_clearing_removes_the_values_of_one_function(self, load: Load) -> None:
        head = "@memo(always=True)\ndef g(x):\n    return x\n"
        module = load(one=write("def f(x):\n    return x", head))
        module.f(1)
        module.g(1)
        module.f.cache_clear()
        assert (module.f.is_cached(1), module.g.is_cached(1)) == (False, True)
        assert module.f.cache_info() == (0, 0, 0)

    @pytest.mark.parametrize(
        ("given", "text"),
        [({"ignore": ["nothing"]}, "no parameter"), ({"max_age": "soon"}, '"12h", "30d"')],
    )
    def test_wrong_settings_are_errors_at_once(self, given: dict[str, Any], text: str) -> None:
        with pytest.raises(ValueError, match=text):
            memo(**given)(lambda x: x)

    def test_generators_are_refused(self) -> None:
        def count() -> Any:
            yield 1

        with pytest.raises(NotMemoizableError, match="return a list"):
            memo(count)
        with pytest.raises(NotMemoizableError, match="below @staticmethod"):
            memo(staticmethod(len))

    def test_large_arrays_stay_in_their_files_on_request(self, load: Load) -> None:
        body = "def f(n):\n    import numpy as np\n    return np.zeros(n)"
        module = load(one=write(body).replace("always=True", "always=True, mmap=True"))
        module.f(2_000_000)
        found = module.f(2_000_000)
        assert isinstance(found, np.memmap)
        assert found.shape == (2_000_000,)


class TestSingleCalls:
    """``memo.call`` for functions that are not decorated."""

    def test_a_call_counts_by_the_code_of_the_function(self, load: Load) -> None:
        text = "calls = []\ndef g(x):\n    calls.append(x)\n    return x + 1\n"
        module = load(one=text.replace("    calls.append(x)\n", ""))
        assert memo.call_always(module.g, 1) == 2
        changed = load(one=text.replace("    calls.append(x)\n", "").replace("+ 1", "+ 5"))
        assert memo.call_always(changed.g, 1) == 6  # an old value would be 2

    def test_groups_and_builtins(self) -> None:
        assert memo.call_always("group", max, 1, 2) == 2
        assert memo.call("group", functools.partial(pow, 2), 3) == 8
        with pytest.raises(NotMemoizableError, match="give a function"):
            memo.call("group")

    def test_a_coroutine_function_gives_a_coroutine(self) -> None:
        async def later(x: int) -> int:
            return x

        assert asyncio.run(memo.call_always(later, 4)) == 4


class TestTrouble:
    """What cannot be stored, read or written: the call is made, and a warning says why."""

    def test_an_argument_without_content(self, load: Load) -> None:
        module = load(one=write("def f(x):\n    return 5"))
        with pytest.warns(memo.MemoWarning, match=r"one.f is not memoized: the argument x: gen"):
            assert module.f(i for i in (1,)) == 5

    def test_a_value_that_cannot_be_stored(self, load: Load) -> None:
        module = load(one=write("def f():\n    return (i for i in (1, 2))"))
        with pytest.warns(memo.MemoWarning, match="not stored.*generator"):
            assert list(module.f()) == [1, 2]

    def test_a_value_that_fails_when_it_is_taken_apart(self, load: Load) -> None:
        head = "class Odd:\n    def __reduce__(self):\n        raise OSError('closed')\n"
        module = load(one=write("def f():\n    return Odd()", head))
        with pytest.warns(memo.MemoWarning, match="not stored.*closed"):
            assert type(module.f()).__name__ == "Odd"

    def test_a_number_of_very_many_digits(self, load: Load) -> None:
        module = load(one=write("def f():\n    return 10**5000"))
        assert module.f() == 10**5000
        assert is_hit(module)

    def test_a_folder_that_cannot_be(self, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        module = load(one=write("def f():\n    return 5"))
        monkeypatch.setenv("NBCACHE_MEMO_PATH", "~nobodyhere/x")
        with pytest.warns(memo.MemoWarning, match="not memoized"):
            assert module.f() == 5

    def test_a_pickle_under_another_name_does_not_run(self, load: Load, memo_project: Path) -> None:
        head = "class Result:\n    pass\n"
        module = load(one=write("def f():\n    return Result()", head))
        module.f()
        store = Store(memo_project / ".nbcache")
        (path,) = store.memos.list_paths()
        known = store.memos.read(path)
        assert isinstance(known, Memo)
        store.memos.write(dataclasses.replace(known, is_pickled=False))
        with pytest.warns(memo.MemoWarning, match="NotTrustedError"):
            module.f()

    def test_objects_that_are_gone_are_no_answer(self, load: Load, memo_project: Path) -> None:
        module = load(one=write("def f():\n    return b'x' * 10_000"))
        module.f()
        for path in memo_project.glob(".nbcache/objects/*/*"):
            path.unlink()
        assert not module.f.is_cached()

    def test_a_damaged_record_is_computed_again(self, load: Load, memo_project: Path) -> None:
        module = load(one=write("def f():\n    return 5"))
        module.f()
        (path,) = memo_project.glob(".nbcache/memos/*/*/*.json")
        path.write_bytes(path.read_bytes().replace(b'"tree":5', b'"tree":6'))
        with pytest.warns(memo.MemoWarning, match="altered or torn"):
            assert module.f() == 5
        assert is_hit(module)

    def test_a_missing_object_is_computed_again(self, load: Load, memo_project: Path) -> None:
        module = load(one=write("def f():\n    return b'x' * 10_000"))
        module.f()
        for path in memo_project.glob(".nbcache/objects/*/*"):
            path.unlink()
        with pytest.warns(memo.MemoWarning, match="missing or damaged"):
            assert module.f() == b"x" * 10_000

    def test_a_pickle_whose_class_is_gone_is_computed_again(self, load: Load) -> None:
        head = "class Result:\n    pass\n"
        module = load(one=write("def f():\n    return make()", f"{head}make = Result\n"))
        module.f()
        del module.Result
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            module.f()
        assert "computed again" in str(caught[0].message)


COUNTING = """
import sys, time
from pathlib import Path
from sphinx_nbcache import memo

@memo(always=True)
def f(x):
    with Path("runs").open("a") as file:
        file.write("run\\n")
    time.sleep(1)
    return x

print(f(int(sys.argv[1])))
"""


def test_many_processes_compute_a_call_once(start_python: StartPython, memo_project: Path) -> None:
    children = [start_python(COUNTING, 7) for _ in range(6)]
    assert [child.communicate(timeout=60)[0] for child in children] == ["7\n"] * 6
    assert (memo_project / "runs").read_text() == "run\n"


def test_a_process_that_dies_does_not_hold_up_others(
    start_python: StartPython, run_python: RunPython, memo_project: Path
) -> None:
    child = start_python(COUNTING.replace("sleep(1)", "sleep(60)"), 7)
    while not (memo_project / "runs").exists():
        time.sleep(0.05)
    child.kill()
    child.communicate()
    assert run_python(COUNTING, 7).stdout == "7\n"


def test_who_has_waited_long_enough_computes_itself(
    start_python: StartPython, run_python: RunPython, memo_project: Path
) -> None:
    text = COUNTING.replace("sleep(1)", "sleep(60)")
    start_python(text, 7)
    while not (memo_project / "runs").exists():
        time.sleep(0.05)
    impatient = COUNTING.replace("@memo(", "memo.config.wait_s = 0.5\n@memo(", 1)
    assert run_python(impatient.replace("time.sleep(1)", "time.sleep(1 - 1)"), 7).stdout == "7\n"


def test_no_lock_stays_behind(load: Load, memo_project: Path) -> None:
    load(one=write("def f():\n    return 5")).f()
    assert list((memo_project / ".nbcache/locks").iterdir()) == []


def test_threads_compute_a_call_once(load: Load) -> None:
    from concurrent.futures import ThreadPoolExecutor

    module = load(one=write("def f(x):\n    time.sleep(0.3)\n    return x", "import time\n"))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(module.f, [1] * 4)) == [1] * 4
    assert module.f.cache_info().misses == 1


def test_coroutines_compute_a_call_once(load: Load) -> None:
    head = "import asyncio\n"
    module = load(one=write("async def f(x):\n    await asyncio.sleep(0.3)\n    return x", head))

    async def run() -> list[int]:
        return list(await asyncio.gather(*(module.f(1) for _ in range(4))))

    assert asyncio.run(run()) == [1] * 4
    assert module.f.cache_info().misses == 1
