"""Memoized functions: a call that was made before, anywhere, is answered from the cache."""

from __future__ import annotations

import functools
import inspect
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, Generic, NamedTuple, ParamSpec, Protocol, TypeVar, cast, overload

from sphinx_nbcache.config import check_duration
from sphinx_nbcache.errors import NbCacheError, NotMemoizableError
from sphinx_nbcache.memo.code import describe_code, is_own_file
from sphinx_nbcache.memo.definitions import Called
from sphinx_nbcache.memo.engine import (
    Answer,
    Asking,
    Question,
    Terms,
    name_family,
)
from sphinx_nbcache.memo.notices import MemoWarning
from sphinx_nbcache.memo.opening import get_engine
from sphinx_nbcache.memo.settings import MemoConfig

_P = ParamSpec("_P")
_R_co = TypeVar("_R_co", covariant=True)
_T = TypeVar("_T")


class CacheInfo(NamedTuple):
    """How a function's calls were answered."""

    hits: int
    """Calls of this process that were answered from the cache."""
    misses: int
    """Calls of this process that ran the function."""
    currsize: int
    """Values of the function in the cache, of every process and colleague."""


class Memoized(Protocol[_P, _R_co]):
    """A function whose calls are answered from the cache."""

    @property
    def __wrapped__(self) -> Callable[_P, _R_co]:
        """Return the function itself."""

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Return the stored value of this call, or run the function."""

    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        """Become a method, as functions do."""

    def cache_info(self) -> CacheInfo:
        """Return how calls were answered."""

    def cache_clear(self) -> None:
        """Remove all values of the function from the cache."""

    def is_cached(self, *args: _P.args, **kwargs: _P.kwargs) -> bool:
        """Return whether a call would be answered from the cache."""


class Memoizer(Generic[_T]):
    """What turns calls of one function into questions, and counts how they were answered.

    :param function: anything that can be called.
    :param group: answers of one group are not found under another.
    :param always: store also what took less than the threshold.
    :param ignore: parameters, and global names the function uses, that do not count.
    :param max_age: how old a stored value may be: seconds, or a text such as "30d".
    :param mmap: leave large arrays in their files, read-only, until they are looked at.

    Raises NotMemoizableError for what gives no value, ValueError for wrong settings.
    """

    def __init__(  # noqa: PLR0913 - one for each setting
        self,
        function: Callable[..., Any],
        *,
        group: str = "",
        always: bool = False,
        ignore: Iterable[str] = (),
        max_age: float | str | None = None,
        mmap: bool = False,
    ) -> None:
        self.name = _name(function)
        _require_value(self.name, function)
        self._function = function
        self._group = group
        self._terms = Terms(always=always, max_age_s=_read_age(max_age), is_mapped=mmap)
        self._signature = _read_signature(function)
        self._ignored = frozenset([ignore] if isinstance(ignore, str) else ignore)
        self._asked = self._describe_function()
        self.hits = 0
        self.misses = 0

    def _describe_function(self) -> Mapping[str, Any]:
        function, ignored = self._function, self._ignored
        names = set(self._signature.parameters) if self._signature else set()
        is_own = isinstance(function, types.FunctionType) and is_own_file(
            function.__code__.co_filename
        )
        if not is_own:
            _require_known(self.name, ignored, names)
            return {"the function": function}
        assert isinstance(function, types.FunctionType)
        facts = describe_code(function.__code__)
        _require_known(self.name, ignored, names | {found.name for found in facts.references})
        return {"the function": Called(function, ignored)}

    def ask(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Asking | None:
        """Begin with a call; None when it cannot be memoized, after a warning that says why."""
        try:
            asked = self._describe_call(args, kwargs)
            question = Question(name=self.name, group=self._group, asked=asked)
            return get_engine().ask(question, self._terms)
        except (NbCacheError, OSError, RuntimeError) as error:  # the latter two: no such folder
            _warn(f"{self.name} is not memoized: {error}")
        return None

    def _describe_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = None if self._signature is None else self._signature.bind(*args, **kwargs)
        except TypeError:
            bound = None  # a wrapper may take more than it shows; else the function says it best
        if bound is None:
            return {**self._asked, "the arguments": args, "the named arguments": kwargs}
        bound.apply_defaults()
        asked = dict(self._asked)
        for name, value in bound.arguments.items():
            if name not in self._ignored:
                asked[f"the argument {name}"] = value
        return asked

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _T:
        """Answer a call."""
        asking = self.ask(args, kwargs)
        compute = functools.partial(self._function, *args, **kwargs)
        if asking is None:
            self.misses += 1
            return cast("_T", compute())
        return self._take(asking.answer(compute))

    async def call_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _T:
        """Answer a call of a coroutine function."""
        asking = self.ask(args, kwargs)
        compute = functools.partial(self._function, *args, **kwargs)
        if asking is None:
            self.misses += 1
            return cast("_T", await compute())
        return self._take(await asking.answer_async(compute))

    def _take(self, answer: Answer[_T]) -> _T:
        self.hits += answer.is_hit
        self.misses += not answer.is_hit
        if answer.problem is not None:
            _warn(answer.problem)
        return answer.value

    def is_cached(self, *args: Any, **kwargs: Any) -> bool:
        """Return whether a call would be answered from the cache."""
        asking = self.ask(args, kwargs)
        memo = None if asking is None else asking.find()
        return memo is not None and get_engine().store.lfs.has(memo.objects)

    def cache_info(self) -> CacheInfo:
        """Return how calls were answered."""
        paths = get_engine().store.memos.list_paths_of(name_family(self.name, self._group))
        return CacheInfo(self.hits, self.misses, len(paths))

    def cache_clear(self) -> None:
        """Remove all values of the function, in this group, from the cache."""
        get_engine().store.memos.remove_family(name_family(self.name, self._group))
        self.hits = self.misses = 0


def _name(function: Callable[..., Any]) -> str:
    if isinstance(function, functools.partial):
        return _name(function.func)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or 'builtins'}.{name}"


def _require_value(name: str, function: Callable[..., Any]) -> None:
    if isinstance(function, staticmethod | classmethod | property):
        kind = type(function).__name__
        raise NotMemoizableError(name, f"put @memo below @{kind}, on the function itself")
    if not callable(function):
        raise NotMemoizableError(repr(function), "it cannot be called")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        reason = "a generator is used up when it is read; return a list"
        raise NotMemoizableError(name, reason)


def _read_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some functions that are written in C have none
        return None


def _read_age(value: float | str | None) -> float | None:
    try:
        return check_duration(value)
    except (TypeError, ValueError) as error:
        text = f'max_age={value!r}: expected seconds, or a text such as "12h", "30d"'
        raise ValueError(text) from error


def _require_known(name: str, ignored: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted({*ignored}.difference(known))
    if unknown:
        raise ValueError(
            f"ignore={unknown}: {name} has no parameter, and uses no global, of this name"
        )


def _warn(text: str) -> None:
    warnings.warn(text, MemoWarning, stacklevel=5)


class Decorator(ModuleType):
    """The module ``sphinx_nbcache.memo``, which is its own decorator."""

    config: MemoConfig

    @overload
    def __call__(self, function: Callable[_P, _R_co], /) -> Memoized[_P, _R_co]: ...

    @overload
    def __call__(
        self,
        /,
        *,
        key: str = "",
        always: bool = False,
        ignore: Iterable[str] = (),
        max_age: float | str | None = None,
        mmap: bool = False,
    ) -> Callable[[Callable[_P, _R_co]], Memoized[_P, _R_co]]: ...

    def __call__(  # noqa: PLR0913 - one parameter for each setting
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        key: str = "",
        always: bool = False,
        ignore: Iterable[str] = (),
        max_age: float | str | None = None,
        mmap: bool = False,
    ) -> Any:
        """Answer calls of a function from the cache: ``@memo``, or ``@memo(always=True)``.

        What counts: the function's code, the code of your own functions and the values of
        the globals that it uses, and the values of its arguments.

        :param key: a group; values of one group are not found under another.
        :param always: store also what took less than ``memo.config.threshold_s``.
        :param ignore: names of parameters, and of globals that the function uses, that do
            not count.
        :param max_age: how old a stored value may be: seconds, or a text such as "30d".
        :param mmap: leave large arrays in their files, read-only, until they are looked at.

        Raises NotMemoizableError for generator functions, and what cannot be called;
        ValueError for wrong settings.
        """
        settings: dict[str, Any] = {"group": key, "always": always, "ignore": ignore}
        settings |= {"max_age": max_age, "mmap": mmap}
        if function is None:
            return functools.partial(_wrap, **settings)
        return _wrap(function, **settings)

    @staticmethod
    def always(function: Callable[_P, _R_co], /) -> Memoized[_P, _R_co]:
        """Answer calls of a function from the cache, however quick it is."""
        return cast("Memoized[_P, _R_co]", _wrap(function, always=True))

    @staticmethod
    def call(*args: Any, **kwargs: Any) -> Any:
        """Answer one call from the cache: ``memo.call(f, x)``, or ``memo.call("group", f, x)``.

        Raises NotMemoizableError where no function is given, and what the function raises.
        """
        return _call(args, kwargs, always=False)

    @staticmethod
    def call_always(*args: Any, **kwargs: Any) -> Any:
        """Answer one call from the cache, however quick it is; see ``call``."""
        return _call(args, kwargs, always=True)

    @property
    def set_runtime_threshold(self) -> Callable[[float], None]:
        """Set from how many seconds on calls are stored."""
        return self.config.set_runtime_threshold

    @property
    def get_runtime_threshold(self) -> Callable[[], float]:
        """Return from how many seconds on calls are stored."""
        return self.config.get_runtime_threshold


def _wrap(function: Callable[..., Any], **settings: Any) -> Any:
    memoizer: Memoizer[Any] = Memoizer(function, **settings)
    wrapper: Any
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await memoizer.call_async(args, kwargs)

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return memoizer.call(args, kwargs)

    wrapper.cache_info = memoizer.cache_info
    wrapper.cache_clear = memoizer.cache_clear
    wrapper.is_cached = memoizer.is_cached
    return wrapper


def _call(args: tuple[Any, ...], kwargs: dict[str, Any], *, always: bool) -> Any:
    group = ""
    if args and isinstance(args[0], str):
        group, *rest = args
        args = tuple(rest)
    if not args:
        raise NotMemoizableError("memo.call", "give a function, after the name of a group if any")
    function, *values = args
    # A memoized function is called through its own code: its settings are for its own calls.
    plain = function.__wrapped__ if _is_memoized(function) else function
    memoizer: Memoizer[Any] = Memoizer(plain, group=group, always=always)
    run = memoizer.call_async if inspect.iscoroutinefunction(plain) else memoizer.call
    return run(tuple(values), kwargs)


def _is_memoized(function: Any) -> bool:
    owner = getattr(getattr(function, "cache_info", None), "__self__", None)
    return isinstance(owner, Memoizer)
