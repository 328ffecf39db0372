"""The engine: a question that was answered before is answered from the store.

Ask -> digest -> look up -> compute once, whoever asks -> store. Functions, calls and cells
are its callers; what a value looks like in the store is not known here.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.memo.content import digest_values
from sphinx_nbcache.memo.notices import MemoWarning, Notices
from sphinx_nbcache.memo.remote_memos import RemoteMemos
from sphinx_nbcache.memo.settings import MemoConfig
from sphinx_nbcache.memo.values import Encoded, NotStorableError, NotTrustedError, decode, encode
from sphinx_nbcache.model import Key, Memo, Topic, digest_json
from sphinx_nbcache.store import Problem, Store

_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.1
_T = TypeVar("_T")
_held: ContextVar[frozenset[str]] = ContextVar("held", default=frozenset())
"""The claims that whoever runs here holds already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be computed."""

    name: str
    """What people call it: ``module.function``, or the notebook of a cell."""
    asked: Mapping[str, Any]
    """Part of the question, as people call it, to a value of any kind, which counts by content."""
    group: str = ""
    """Answers of one group are not found under another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[_T]):
    """A value, and how it was come by."""

    value: _T
    is_hit: bool
    seconds: float
    """What computing it took, now or then."""
    problem: str | None = None
    """Why it was not stored; None if it was, or was too quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for an answer."""

    always: bool = False
    """Store it however quick it was."""
    max_age_s: float | None = None
    """How old a stored answer may be."""
    is_mapped: bool = False
    """Leave large arrays of a stored answer in their files, read-only."""
    is_risky: Callable[[Any], bool] = lambda value: False
    """Whether an answer may have code run when it is used; raises for what is none."""


class Asking:
    """One question on its way to an answer.

    Raises NotMemoizableError when it has parts whose content cannot be told.
    """

    def __init__(self, engine: Engine, question: Question, terms: Terms) -> None:
        self._engine = engine
        self._question = question
        self._terms = terms
        self.family = name_family(question.name, question.group)
        self.key = digest_values(question.asked)
        self._claim_name = Key(f"memo-{self.key}")
        self._known: Answer[Any] | None = None
        self._warned: set[str] = set()

    def find(self) -> Memo | None:
        """Return what is stored, if it is not too old; None, and a warning, if it is damaged."""
        if not self._engine.may_keep:
            return None
        found = self._engine.store.find_memo(self.family, self.key)
        if isinstance(found, Problem):
            self._warn(f"{found.reason}; it is computed again")
            return None
        return found if found is not None and self._is_young_enough(found) else None

    def _is_young_enough(self, memo: Memo) -> bool:
        limit = self._terms.max_age_s
        return limit is None or time.time() - memo.executed_at <= limit

    def answer(self, compute: Callable[[], _T]) -> Answer[_T]:
        """Return the stored answer, or compute it; of many who ask at once, one computes.

        Raises what ``compute`` raises; nothing is stored then.
        """
        with ExitStack() as stack:
            for pause_s in self._approach(stack):
                time.sleep(pause_s)
            if self._known is None:
                self._bring()
            if self._known is not None:
                return self._known
            clock = time.perf_counter()
            value = compute()
            return self._finish(value, time.perf_counter() - clock)

    async def answer_async(self, compute: Callable[[], Awaitable[_T]]) -> Answer[_T]:
        """Return the stored answer, or await it; others run while this one waits."""
        import asyncio

        with ExitStack() as stack:
            for pause_s in self._approach(stack):
                await asyncio.sleep(pause_s)
            if self._known is None and self._engine.remote is not None:
                await asyncio.to_thread(self._bring)
            if self._known is not None:
                return self._known
            clock = time.perf_counter()
            value = await compute()
            return self._finish(value, time.perf_counter() - clock)

    def _approach(self, stack: ExitStack) -> Iterator[float]:
        """Yield how many seconds to wait, until there is an answer or it is to be computed here.

        :param stack: what is held for computing is let go with it.
        """
        waited_s = 0.0
        while not self._look():
            if self._try_start(stack, waited_s):
                # Whoever held the claim may have stored it since this one looked.
                self._look()
                return
            pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, waited_s / 4))
            waited_s += pause_s
            yield pause_s

    def _bring(self) -> None:
        """Ask the remote for what is not here."""
        remote = self._engine.remote
        if remote is not None and remote.bring(self.family, self.key, self._is_young_enough):
            self._look()

    def _look(self) -> bool:
        """Return whether there is a stored answer that can be read."""
        memo = self.find()
        if memo is None:
            return False
        parts = [_StoredPart(self._engine.store, digest) for digest in memo.objects]
        try:
            # A record that says it holds no pickle is not believed to hold one.
            value = decode(
                memo.tree, parts, is_trusted=memo.is_pickled, is_mapped=self._terms.is_mapped
            )
            if not memo.is_pickled and self._terms.is_risky(value):
                raise NotTrustedError("it may have code run, and does not say so")
        except Exception as error:  # noqa: BLE001 - a pickle runs anything
            if self._engine.store.lfs.fetch(memo.objects):
                return self._look()
            if self._engine.store.lfs.keeps(memo.objects):
                self._tell_of_lfs()
                return False
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            self._warn(f"what is stored cannot be read ({reason}); it is computed again")
            return False
        self._known = Answer(value=value, is_hit=True, seconds=memo.seconds)
        return True

    def _tell_of_lfs(self) -> None:
        notice = self._engine.store.lfs.take_notice()
        if notice:
            self._engine.notices.tell(notice, Topic.STORE)

    def _try_start(self, stack: ExitStack, waited_s: float) -> bool:
        """Return whether to compute now; False while somebody else may be computing it.

        In the end everybody computes: a limit of waiting keeps two that wait for each other
        from doing so for ever.
        """
        if self._claim_name in _held.get() or waited_s > self._engine.config.wait_s:
            return True
        try:
            claim = self._engine.store.try_claim(self._claim_name)
        except StoreError:
            return True  # where nothing can be written nobody can be waited for
        if claim is None:
            return False
        stack.callback(self._engine.store.end_claim, self._claim_name, claim)
        token = _held.set(_held.get() | {self._claim_name})
        stack.callback(_let_go, token)
        return True

    def _finish(self, value: _T, seconds: float) -> Answer[_T]:
        """Store a value that took some seconds, if that is worth it."""
        is_kept = self._engine.may_keep and (
            self._terms.always or seconds > self._engine.config.threshold_s
        )
        problem = self._store(value, seconds) if is_kept else None
        return Answer(value=value, is_hit=False, seconds=seconds, problem=problem)

    def _store(self, value: Any, seconds: float) -> str | None:
        try:
            encoded = encode(value)
        except NotStorableError as error:
            return f"{self._question.name}: the value is not stored: {error}"
        try:
            is_pickled = encoded.is_pickled or self._terms.is_risky(value)
            self._save(replace(encoded, is_pickled=is_pickled), seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, the value is not to be lost
            return f"{self._question.name}: the value is not stored: {error}"
        return None

    def _save(self, encoded: Encoded, seconds: float) -> None:
        memo = Memo(
            key=self.key,
            family=self.family,
            source=self._question.name,
            executed_at=time.time(),
            seconds=seconds,
            tree=encoded.tree,
            is_pickled=encoded.is_pickled,
        )
        store, remote = self._engine.store, self._engine.remote
        memo = store.save_value(memo, encoded.parts, is_plain=self._terms.is_mapped)
        if remote is not None:
            remote.offer(memo)

    def _warn(self, text: str) -> None:
        """Say something once, however often it is looked at."""
        if text in self._warned:
            return
        self._warned.add(text)
        warnings.warn(f"{self._question.name}: {text}", MemoWarning, stacklevel=4)


class Engine:
    """The memos of one cache.

    :param notices: where what concerns more than one value is told.
    :param remote: what is asked for what is not there.
    :param may_keep: False where values have to be signed, and cannot be.
    """

    def __init__(
        self,
        store: Store,
        config: MemoConfig,
        *,
        notices: Notices | None = None,
        remote: RemoteMemos | None = None,
        may_keep: bool = True,
    ) -> None:
        self.store = store
        self.config = config
        self.notices = notices or Notices()
        self.remote = remote
        self.may_keep = may_keep

    def ask(self, question: Question, terms: Terms = Terms()) -> Asking:
        """Begin with a question.

        Raises NotMemoizableError when it has parts whose content cannot be told.
        """
        return Asking(self, question, terms)

    def answer(
        self,
        question: Question,
        compute: Callable[[], _T],
        *,
        always: bool = False,
        max_age_s: float | None = None,
    ) -> Answer[_T]:
        """Return the stored answer, or compute it; of many who ask at once, one computes.

        :param always: store it however quick it was.
        :param max_age_s: how old a stored answer may be.

        Raises NotMemoizableError before anything is computed; and what ``compute`` raises.
        """
        terms = Terms(always=always, max_age_s=max_age_s)
        return self.ask(question, terms).answer(compute)


@dataclass(frozen=True, slots=True)
class _StoredPart:
    """A large part of a value, as an object of the store."""

    store: Store
    digest: str

    def read(self) -> bytes:
        """Return its bytes, verified."""
        data = self.store.objects.read(self.digest)
        if data is None:
            raise OSError(f"object {self.digest} is missing or damaged")
        return data

    def find_path(self) -> Path | None:
        """Return the file that holds just these bytes."""
        return self.store.objects.find_plain(self.digest)

    def open(self) -> io.RawIOBase | None:
        """Return a file to read these bytes from, if they lie in chunks."""
        return self.store.objects.open_chunked(self.digest)


def _let_go(token: Token[frozenset[str]]) -> None:
    with suppress(ValueError):  # a coroutine that is closed from outside
        _held.reset(token)


@lru_cache(maxsize=10_000)
def name_family(name: str, group: str) -> str:
    """Return the digest that all answers to questions of one name and group share."""
    return digest_json([name, group])
