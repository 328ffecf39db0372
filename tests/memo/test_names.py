"""What a cell reads and binds, told from its text."""

from __future__ import annotations

import ast

import pytest

from sphinx_nbcache.memo.names import find_names

READS = {
    "y = x": "x",
    "x = 1; y = x": "",
    "x = x + 1": "x",
    "x += 1": "x",
    "x: int = y": "int y",
    "x: int": "int",
    "a, (b, *c) = d": "d",
    "print(a.b.c(d.e))": "a.b.c d.e print",
    "a.b = c": "a c",
    "df['x'] = y": "df y",
    "df.loc[i, 'x'] += y": "df.loc i y",
    "f().g": "f",
    "del x": "x",
    "import numpy as np; np.ones(n)": "n",
    "from a import b; b.c(d)": "d",
    "import a.b; a.b.c()": "",
    "[i * k for i in xs]": "k xs",
    "{i: j for i, j in xs if j > k}": "k xs",
    "sum(x for x in x)": "sum x",
    "def f(): return [i for i in xs]": "xs",
    "[[i, j] for i in xs for j in i]": "xs",
    "(y := x) + y": "x",
    "lambda a, b=c: a + b + d": "c d",
    "def f(a, b=c): return a + b + d": "c d",
    "def f(n): return f(n - 1)": "",
    "def f(): return g()\ndef g(): return f()": "",
    "def f(): return x\ny = f()\nx = 1": "x",
    "def f():\n  y = x\n  return y": "x",
    "def f():\n  def g(): return y + z\n  y = 1\n  return g": "z",
    "@wrap(a)\ndef f() -> T: pass": "T a wrap",
    "class C(B):\n  k = v\n  def m(self): return C, w, self.k": "B v w",
    "class C:\n  def m(self):\n    nonlocal __class__\n    return v": "__class__ def nonlocal "
    "return self v",
    "with open(p) as f:\n  t = f.read()\nprint(t)": "open p print",
    "for i in xs:\n  y = i\n  z = y": "xs",
    "for i in xs:\n  if i: continue\n  break\nelse:\n  y": "break continue xs y",
    "while True:\n  break": "break",
    "get_ipython().run_line_magic('say', 'return x')": "return x",
    "try:\n  a = b\nexcept E as e:\n  a = e": "E b",
    "if c:\n  x = 1\nelse:\n  x = 2\nprint(x)": "c print",
    "match v:\n  case [a, *b]: r = a, b\n  case K.x: r = q": "K.x q v",
    "eval('x')": "eval",
    "get_ipython().run_line_magic('time', 'y = f(x)')\ny": "f x",
    "get_ipython().run_cell_magic('time', '', 'y = f(x)\\nz = y')": "f x",
    "get_ipython().system('ls {folder} -l')": "folder l ls",
    "get_ipython().run_line_magic('matplotlib', 'inline')": "inline",
    "await f(x)": "f x",
    "return_ = f'{x:{w}}'": "w x",
}


@pytest.mark.parametrize("code", READS)
def test_a_name_is_read_that_is_not_bound_before(code: str) -> None:
    assert [*find_names(ast.parse(code)).reads] == sorted(READS[code].split())


BINDS = {
    "x = 1": "x",
    "a, (b, *c) = d": "a b c",
    "x += 1": "x",
    "x: int": "",
    "df['x'] = 1; a.b = 2": "",
    "import a.b, c as d; from e import f, g as h": "a d f h",
    "def f(): y = 1": "f",
    "def f():\n  global y\n  y = 1": "f y",
    "class C: k = 1": "C",
    "for i, j in xs: k = i": "i j k",
    "with a as b, c as (d, e): pass": "b d e",
    "[y := i for i in xs]": "y",
    "if a: b = 1": "b",
    "try: pass\nexcept E as e: x = 1": "e x",
    "del x": "x",
    "match v:\n  case {'a': a, **rest}: pass": "a rest",
    "get_ipython().run_line_magic('time', 'y = f(x)')": "y",
    "x = get_ipython().getoutput('ls')": "x",
    "while a: b = 1": "b",
}


@pytest.mark.parametrize("code", BINDS)
def test_a_name_is_bound(code: str) -> None:
    assert [*find_names(ast.parse(code)).binds] == sorted(BINDS[code].split())


DOUBTFUL = {
    "x = 1": "",
    "if a: x = 1": "x",
    "if a: x = 1\nelse: x = 2": "",
    "if a: x = 1\nx = 2": "",
    "for i in xs: y = i": "i y",
    "for i in xs: y = i\nprint(y)": "i y",
    "while a: x = 1": "x",
    "with a: x = 1": "",
    "with suppress(E): x = 1": "x",
    "with contextlib.suppress(E): x = 1": "x",
    "try: x = 1\nexcept E: x = 2": "",
    "try: x = 1\nexcept E: pass": "x",
    "try: x = 1\nexcept E: raise": "",
    "try: pass\nfinally: x = 1": "",
    "def f():\n  global y\n  y = 1": "y",
    "def f():\n  global n\n  n += 1": "n",
    "match v:\n  case 1: x = 1": "x",
}


@pytest.mark.parametrize("code", DOUBTFUL)
def test_what_is_bound_on_some_ways_only_is_doubtful(code: str) -> None:
    assert [*find_names(ast.parse(code)).doubtful] == sorted(DOUBTFUL[code].split())


REPEATED = {
    "import a; from b import c as d": "a d",
    "from __future__ import annotations": "annotations",
    "def f(x=1): return x": "f",
    "def f(x=y): return x": "f",
    "y = 1\ndef f(x=y): return x": "",
    "y = 1\ndef f(x): return y": "f",
    "@wrap\ndef f(): pass": "f",
    "wrap = make()\n@wrap\ndef f(): pass": "",
    "def f(): pass\nf = wrap(f)": "",
    "k = 1\nf = lambda x: k * x": "f",
    "k = 1\nf = lambda x=k: x": "",
    "f = g(lambda x: x)": "",
    "P = namedtuple('P', 'x y')": "P",
    "P = collections.namedtuple('P', ['x'])\nT = TypeVar('T')": "P T",
    "k = 1\nP = namedtuple('P', k)": "",
    "import a\na = 1": "",
    "if x: import a": "",
    "class C(B):\n  k = v\n  def m(self): return w": "C",
    "w = 1\nclass C:\n  def m(self): return w": "C",
    "v = 1\nclass C:\n  k = v": "",
    "v = 1\nclass B:\n  k = v\nclass C(B): pass": "",
}


@pytest.mark.parametrize("code", REPEATED)
def test_definitions_can_be_run_again_that_need_nothing_computed(code: str) -> None:
    assert [*find_names(ast.parse(code)).repeated] == REPEATED[code].split()


def test_a_cell_that_calls_eval_may_use_any_name() -> None:
    assert find_names(ast.parse("eval('x'); globals()")).unseen == ("eval", "globals")


def test_the_variable_that_is_shown_is_known() -> None:
    assert find_names(ast.parse("x = 1\nx")).result == "x"
    assert find_names(ast.parse("x = 1\nx + 1")).result is None


UNSEEN = {
    "vars()": "vars",
    "vars(x)": "",
    "dir()": "dir",
    "get_ipython().user_ns['x']": "user_ns",
    "import __main__": "__main__",
}


@pytest.mark.parametrize("code", UNSEEN)
def test_a_cell_may_see_all_variables(code: str) -> None:
    assert [*find_names(ast.parse(code)).unseen] == UNSEEN[code].split()


MENTIONED = {
    "df.query('a > @limit')": "limit",
    "df.query(f'a > @limit and b < {c}')": "and b limit",
    "df.eval('a + @b')": "b",
    "duckdb.sql('from table')": "from table",
    "print('some @text')": "",
}


@pytest.mark.parametrize("code", MENTIONED)
def test_names_in_the_texts_of_queries_are_known(code: str) -> None:
    assert {*MENTIONED[code].split()} <= {*find_names(ast.parse(code)).mentioned}
