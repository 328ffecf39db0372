"""Memoized cells: what one asks, under which conditions its result holds, how it is put back.

A result is kept with the conditions under which it was made: the values of variables that
counted only perhaps, and what the files hold that the cell opened. Where they do not hold now,
they become a part of the question, and it is asked again.
"""

from __future__ import annotations

import ast
import time
from dataclasses import dataclass
from typing import Any

from sphinx_nbcache.errors import NotMemoizableError, StoreError
from sphinx_nbcache.memo.cell_body import CellBody, read_body, run_again, run_body
from sphinx_nbcache.memo.cell_files import CellFiles, find_states
from sphinx_nbcache.memo.cell_imports import list_imported
from sphinx_nbcache.memo.cell_line import CellLine
from sphinx_nbcache.memo.cell_outputs import (
    Recording,
    find_unkept,
    has_figures,
    prepare_figures,
    show_again,
)
from sphinx_nbcache.memo.cell_question import CellQuestion, digest_variables, make_question
from sphinx_nbcache.memo.cell_settings import (
    SettingsBefore,
    digest_settings,
    is_risky_to_set,
    set_again,
)
from sphinx_nbcache.memo.cell_variables import (
    Before,
    collect_variables,
    find_identities,
    find_inner_change,
    find_unstorable,
    make_before,
    put_back,
)
from sphinx_nbcache.memo.engine import Engine, Question, Terms
from sphinx_nbcache.memo.mentions import list_commands
from sphinx_nbcache.memo.names import find_names

Conditions = dict[str, dict[str, str]]
"""``variables``, ``files`` and ``settings``: name to digest."""
_RESULT = {"variables", "deleted", "settings", "outputs", "has_figures", "conditions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRun:
    """How a memoized cell ended, for those who look at it."""

    number: int
    title: str
    is_hit: bool
    seconds: float
    """What computing it took, now or once."""
    names: tuple[str, ...] = ()
    """The variables that were restored or kept."""
    problem: str | None = None
    """Why its result was not kept."""


class _NotKeptError(Exception):
    """A cell has run, and its result cannot be kept; says why."""


def run_cell(shell: Any, engine: Engine, line: CellLine, text: str) -> CellRun:
    """Run a cell, or put back what it did when it was asked the same before.

    Raises what the cell raises.
    """
    body = read_body(shell, text)
    title = _find_title(body)
    cell = _MemoizedCell(shell, line, body, title)
    cell.run(engine)
    return CellRun(
        number=shell.displayhook.prompt_count,
        title=title,
        is_hit=cell.is_hit,
        seconds=cell.seconds,
        names=cell.kept,
        problem=cell.problem,
    )


def _find_title(body: CellBody) -> str:
    """Return the first line of code, by which people know a cell; comments do not count."""
    nodes = body.tree.body
    return ast.unparse(nodes[0]).partition("\n")[0] if nodes else ""


def _explain(error: NotMemoizableError | StoreError, line: CellLine) -> str:
    if isinstance(error, StoreError) or line.inputs is not None:
        return str(error)
    return f"{error}; name what counts: input=v1,v2"


def _is_risky(result: dict[str, Any]) -> bool:
    """Return whether putting a result back may have code run; raises for what is no result."""
    if result.keys() != _RESULT:
        raise ValueError("it is no result of a cell")
    return is_risky_to_set(result["settings"])


def _describe_changed(files: CellFiles) -> str | None:
    name = files.find_changed()
    return name and f"it changes {name}, which it has read"


class _MemoizedCell:
    """One cell on its way through the engine."""

    def __init__(self, shell: Any, line: CellLine, body: CellBody, title: str) -> None:
        self.is_hit = False
        self.seconds = 0.0
        self.kept: tuple[str, ...] = ()
        self.problem: str | None = None
        self._shell = shell
        self._line = line
        self._body = body
        self._names = find_names(body.tree)
        self._title = title
        self._files = CellFiles()
        self._has_begun = False
        self._is_defined = False

    def run(self, engine: Engine) -> None:
        """Put back a result that holds, or run the cell."""
        try:
            question = make_question(self._shell, self._line, self._body, self._names)
            self._define()
            value = self._ask(engine, question)
        except (NotMemoizableError, StoreError) as error:
            if self._has_begun:  # the cell itself raised it
                raise
            self.problem = _explain(error, self._line)
            value = None
        except _NotKeptError as error:
            self.problem = str(error)
            return
        if self.is_hit and value is not None:
            self._put_back(value)
        elif not self._has_begun:
            self._run_plain()

    def _ask(self, engine: Engine, question: CellQuestion) -> dict[str, Any] | None:
        """Ask until a result holds or the cell has run; None if nothing but a run helps."""
        held: list[Conditions] = []
        while True:
            asked = Question(
                name=f"cell: {self._title}",
                asked={**question.asked, "conditions": held},
                group=self._line.key,
            )
            terms = Terms(always=self._line.always, is_risky=_is_risky)
            answer = engine.ask(asked, terms).answer(lambda: self._compute(question))
            self.seconds = answer.seconds
            if not answer.is_hit:
                if answer.problem is not None:
                    self.problem = find_unstorable(answer.value["variables"]) or answer.problem
                return None
            now = self._find_conditions(answer.value["conditions"])
            if now == answer.value["conditions"]:
                self.is_hit = True
                return answer.value
            if now in held:
                return None  # it changes what it depends on, so it is never asked the same
            held.append(now)

    def _find_conditions(self, conditions: Conditions) -> Conditions:
        """Return what the conditions of a result are now."""
        return {
            "variables": digest_variables(self._shell.user_ns, conditions["variables"]),
            "files": find_states(conditions["files"]),
            "settings": digest_settings(conditions["settings"]),
        }

    def _compute(self, question: CellQuestion) -> dict[str, Any]:
        """Run the cell and return its result. Raises _NotKeptError, or what the cell raises."""
        self._has_begun = True
        files, recording = self._files, Recording(self._shell)
        before = self._look_before(question)
        number = self._shell.displayhook.prompt_count
        settings = SettingsBefore.look(self._shell.history_manager.input_hist_parsed[:number])
        begun_at = time.perf_counter()
        with recording.listen():
            with files.listen():
                # A terminal runs commands in ways that are not audited.
                for command in list_commands(self._body.tree):
                    files.note_command(self._shell.var_expand(command), None)
                run_body(self._shell, self._body)
            recording.flush_figures()
        self.seconds = time.perf_counter() - begun_at
        found = collect_variables(self._shell.user_ns, self._line.outputs, self._names, before)
        problem = (
            found.problem
            or find_unkept(recording.outputs)
            or _describe_changed(files)
            or settings.find_lost()
            or find_inner_change(self._shell.user_ns, self._roots, before)
        )
        if problem is not None:
            raise _NotKeptError(problem)
        self.kept = tuple(sorted(found.values))
        states = files.find_states(list_imported(self._body.tree))
        conditions: Conditions = {
            "variables": question.doubtful,
            "files": states,
            "settings": settings.find_conditions(is_showing=bool(recording.outputs)),
        }
        return {
            "variables": found.values,
            "deleted": list(found.deleted),
            "settings": settings.find_left(ast.unparse(self._body.tree)),
            "outputs": recording.outputs,
            "has_figures": has_figures(),
            "conditions": conditions,
        }

    @property
    def _roots(self) -> set[str]:
        return {*self._names.roots, *self._names.doubtful}

    def _look_before(self, question: CellQuestion) -> Before:
        variables = self._shell.user_ns
        if self._line.outputs is not None:  # nothing else comes back
            return Before(find_identities(variables), {})
        return make_before(variables, self._roots, question.changeable)

    def _define(self) -> None:
        """Define the cell's functions and classes, which results with instances name."""
        repeatable, read = self._names.repeatable, self._roots
        has_more = any(not isinstance(node, ast.Import | ast.ImportFrom) for node in repeatable)
        # A name that is read before it is defined anew has to keep its value until then.
        if has_more and not read & {*self._names.repeated}:
            self._is_defined = run_again(self._shell, self._body, repeatable)

    def _put_back(self, value: dict[str, Any]) -> None:
        self.kept = tuple(sorted(value["variables"]))
        put_back(self._shell.user_ns, value["variables"], value["deleted"])
        set_again(value["settings"])
        if not self._is_defined:
            run_again(self._shell, self._body, self._names.repeatable)
        if value["has_figures"]:
            prepare_figures()
        result = self._names.result
        known = self._shell.user_ns.get(result) if result else None
        show_again(self._shell, value["outputs"], known)

    def _run_plain(self) -> None:
        begun_at = time.perf_counter()
        try:
            run_body(self._shell, self._body)
        finally:
            self.seconds = time.perf_counter() - begun_at
