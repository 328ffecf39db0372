"""What the line of a memoized cell says, however it is typed."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from sphinx_nbcache.memo.cell_line import CellLine, parse_cell_line

SAID = {
    "": CellLine(),
    "   ": CellLine(),
    "input=a": CellLine(inputs=("a",)),
    "input=a,b output=c": CellLine(inputs=("a", "b"), outputs=("c",)),
    "output=c  input=b": CellLine(inputs=("b",), outputs=("c",)),
    "  input=a   output=b  ": CellLine(inputs=("a",), outputs=("b",)),
    "\tinput=a\toutput=b": CellLine(inputs=("a",), outputs=("b",)),
    "input=a, b ,c": CellLine(inputs=("a", "b", "c")),
    "input = a output = b": CellLine(inputs=("a",), outputs=("b",)),
    "input=a,": CellLine(inputs=("a",)),
    "input=a,a": CellLine(inputs=("a",)),
    "input=": CellLine(inputs=()),
    "input= output=b": CellLine(inputs=(), outputs=("b",)),
    "input= always": CellLine(inputs=(), always=True),
    "input=f(x, y),len(v)": CellLine(inputs=("f(x, y)", "len(v)")),
    "input=d['a b'],{1: 2}": CellLine(inputs=("d['a b']", "{1: 2}")),
    "input=x==y": CellLine(inputs=("x == y",)),
    r"input=g('it\'s (')": CellLine(inputs=('g("it\'s (")',)),
    "input=open('always').read()": CellLine(inputs=("open('always').read()",)),
    "input='a,b' output=\"c, d\"": CellLine(inputs=("a", "b"), outputs=("c", "d")),
    "input=größe": CellLine(inputs=("größe",)),
    "key=runs": CellLine(key="runs"),
    "key='my runs'": CellLine(key="my runs"),
    "key=2024": CellLine(key="2024"),
    "always": CellLine(always=True),
    "always=True": CellLine(always=True),
    "always=false": CellLine(always=False),
    "always = True": CellLine(always=True),
    "input=a always output=b": CellLine(inputs=("a",), outputs=("b",), always=True),
    "magic=True": CellLine(always=True, says_magic=True),
}


@pytest.mark.parametrize("line", SAID)
def test_a_line_says_what_it_says(line: str) -> None:
    assert parse_cell_line(line) == SAID[line]


WRONG = {
    "inputs=a": "inputs=a is not understood",
    "a": "a is not understood",
    "input=a b": "b is not understood",
    "input=a+": "expected names or expressions",
    "input=f(a": "a bracket is not closed",
    "key='a": "the quote ' is not closed",
    "input": "input needs names",
    "input=a input=b": "input is given twice",
    "output=f(a)": "only names of variables",
    "output=a.b": "only names of variables",
    "key=": "key needs a name",
    "key": "key needs a name",
    "always=maybe": "expected True or False",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_a_line_cannot_say_is_refused_in_a_sentence(line: str) -> None:
    with pytest.raises(UsageError, match=WRONG[line].replace("(", "\\(")):
        parse_cell_line(line)
