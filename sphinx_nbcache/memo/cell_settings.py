"""What is set outside of all variables: how libraries show things, random states, environment.

It counts for cells that show something or draw numbers, and comes back with their results.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import CodeType
from typing import Any

from sphinx_nbcache.errors import NotMemoizableError
from sphinx_nbcache.memo.content import digest_values

_ABSENT = ""
_SEEDING_ALL = r"(?<![\w.])seed\(|seed_\w*\(|_seed\("
"""``seed(1)``, ``seed_everything(1)``, ``set_random_seed(1)``."""
_SEEDING = {
    "random": re.compile(rf"(?<![\w.])random\.(seed|setstate)\(|{_SEEDING_ALL}"),
    "numpy.random": re.compile(rf"(np|numpy)\.random\.(seed|set_state)\(|{_SEEDING_ALL}"),
}
_OF_A_BACKEND = frozenset({"backend", "backend_fallback", "interactive"})
_ENVIRONMENT = "environment"
_RISKY = re.compile(r"backend|path|preamble")
"""Parts of the names of options that stand for modules, programs and what TeX is told."""
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that is set for the whole process."""

    module: str
    """Without it nothing can be set; as long as it is not imported, nothing is."""
    read: Callable[[Any], Values]
    write: Callable[[Any, Values], None]
    find_defaults: Callable[[Any], Mapping[str, Any]] = lambda module: {}


def _read_plots(matplotlib: Any) -> Values:
    return _list_plot_options(matplotlib.rcParams)


def _list_plot_options(options: Any) -> Values:
    # The dict's own method: looking up the backend would choose one.
    pairs = dict.items(options)
    return {name: value for name, value in pairs if name not in _OF_A_BACKEND}


def _find_plot_defaults(matplotlib: Any) -> Values:
    return _list_plot_options(matplotlib.rcParamsOrig)


def _write_plots(matplotlib: Any, values: Values) -> None:
    matplotlib.rcParams.update(values)


def _read_tables(options: Any) -> Values:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some options are on their way out
        return {name: options.get_option(name) for name in _list_options(options)}


def _list_options(options: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = options._registered_options  # noqa: SLF001 - nothing else lists all
    return found


def _write_tables(options: Any, values: Values) -> None:
    for name, value in values.items():
        options.set_option(name, value)


def _find_table_defaults(options: Any) -> Values:
    return {name: option.defval for name, option in _list_options(options).items()}


def _find_print_defaults(numpy: Any) -> Mapping[str, Any]:
    module = sys.modules.get(f"{numpy.__name__}._core.printoptions")  # from NumPy 2.1 on
    defaults: dict[str, Any] = getattr(module, "default_printoptions_dict", {})
    return defaults


def _write_environment(os_module: Any, values: Values) -> None:
    for name, value in values.items():
        if value is None:
            os_module.environ.pop(name, None)
        else:
            os_module.environ[name] = value


_RANDOM = {
    "random": Setting(
        "random",
        lambda random: {"state": random.getstate()},
        lambda random, values: random.setstate(values["state"]),
    ),
    "numpy.random": Setting(
        "numpy.random",
        lambda random: {"state": random.get_state()},
        lambda random, values: random.set_state(values["state"]),
    ),
}
_SHOWING = {
    "matplotlib": Setting("matplotlib", _read_plots, _write_plots, _find_plot_defaults),
    "numpy": Setting(
        "numpy",
        lambda numpy: dict(numpy.get_printoptions()),
        lambda numpy, values: numpy.set_printoptions(**values),
        _find_print_defaults,
    ),
    "pandas": Setting("pandas._config.config", _read_tables, _write_tables, _find_table_defaults),
}
_SETTINGS = {
    **_RANDOM,
    **_SHOWING,
    _ENVIRONMENT: Setting("os", lambda os_module: dict(os_module.environ), _write_environment),
}


_LOST: dict[str, Callable[[], Any]] = {
    "the working directory": os.getcwd,
    "sys.path": lambda: [*sys.path],
    "how the root logger logs": lambda: (logging.root.level, [*map(id, logging.root.handlers)]),
}
"""What a hit does not set again: it would mean something else elsewhere, or cannot be stored."""


@dataclass(frozen=True, slots=True)
class SettingsBefore:
    """All settings before a cell runs."""

    values: Mapping[str, Values | None]
    """None: the module was not imported."""
    lost: Mapping[str, Any]
    seeded: frozenset[str]
    """The random generators whose state the notebook has set; that of others is chance."""

    @classmethod
    def look(cls, texts: Iterable[str]) -> SettingsBefore:
        """Note what is set now.

        :param texts: the cells that have run.
        """
        return cls({name: _read(name) for name in _SETTINGS}, _read_lost(), find_seeded(texts))

    def find_conditions(self, *, is_showing: bool) -> dict[str, str]:
        """Return the settings that counted for a cell that has run, with their digests.

        :param is_showing: whether the cell has shown anything.
        """
        names = [*_SHOWING] if is_showing else []
        names += [name for name in self.seeded if _find_changed(name, self.values[name])]
        return {name: _digest(name, self.values[name]) for name in names}

    def find_lost(self) -> str | None:
        """Return what the cell has set that a hit would not set, for people."""
        now = _read_lost()
        changed = [name for name, value in self.lost.items() if now[name] != value]
        return f"it changes {changed[0]}: do that in a cell of its own" if changed else None

    def find_left(self, text: str) -> dict[str, Values]:
        """Return what the cell has set.

        :param text: the cell's code.
        """
        chance = _RANDOM.keys() - self.seeded - find_seeded([text])
        names = (name for name in _SETTINGS if name not in chance)
        found = {name: _find_changed(name, self.values[name]) for name in names}
        return {name: changed for name, changed in found.items() if changed}


def _read_lost() -> dict[str, Any]:
    return {name: read() for name, read in _LOST.items()}


def find_seeded(texts: Iterable[str]) -> frozenset[str]:
    """Return the random generators whose state code sets, as far as its text tells."""
    joined = "\n".join(texts)
    return frozenset(name for name, pattern in _SEEDING.items() if pattern.search(joined))


def digest_settings(names: Iterable[str]) -> dict[str, str]:
    """Return the digests of settings as they are now."""
    return {name: _digest(name, _read(name)) for name in names}


def is_risky_to_set(left: Mapping[str, Values]) -> bool:
    """Return whether settings may have code run: LD_PRELOAD does, and the path of a program.

    Raises KeyError for what is no setting.
    """
    names = [name for key, values in left.items() if _SETTINGS[key] for name in values]
    return _ENVIRONMENT in left or any(map(_RISKY.search, names))


def set_again(left: Mapping[str, Values]) -> None:
    """Set what a cell has set when it ran."""
    for name, values in left.items():
        setting = _SETTINGS[name]
        __import__(setting.module)
        with suppress(KeyError, TypeError, ValueError):  # another version has no such option
            setting.write(sys.modules[setting.module], values)


def find_environment(codes: Iterable[CodeType]) -> dict[str, str | None]:
    """Return the environment variables that code reads by their names, with what they are."""
    names = {name for code in codes for name in _list_variables(code)}
    return {name: os.environ.get(name) for name in sorted(names)}


def _list_variables(code: CodeType) -> Iterator[str]:
    if {"environ", "getenv"} & {*code.co_names}:
        # Which text belongs to the call is not looked at: a few too many do no harm.
        texts = (text for text in code.co_consts if isinstance(text, str))
        yield from filter(str.isidentifier, texts)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _list_variables(constant)


def _read(name: str) -> Values | None:
    setting = _SETTINGS[name]
    module = sys.modules.get(setting.module)
    try:
        return None if module is None else setting.read(module)
    except AttributeError:  # it is being imported, or another version has it elsewhere
        return None


def _find_defaults(name: str) -> Mapping[str, Any]:
    setting = _SETTINGS[name]
    module = sys.modules.get(setting.module)
    return {} if module is None else setting.find_defaults(module)


def _digest(name: str, values: Values | None) -> str:
    """Return a digest of what is not as it is by itself."""
    if values is None:
        return _ABSENT
    defaults = _find_defaults(name)
    given = {key: item for key, item in values.items() if _is_other(item, defaults.get(key))}
    return _digest_plain(given) if given else _ABSENT


def _find_changed(name: str, before: Values | None) -> Values:
    now = _read(name)
    if now is None:
        return {}
    if before is None:
        before = dict(_find_defaults(name))  # it was imported since
    changed = {key: item for key, item in now.items() if _is_other(item, before.get(key))}
    return changed | (dict.fromkeys(before.keys() - now.keys()))


def _is_other(one: Any, other: Any) -> bool:
    return one is not other and _digest_plain({"": one}) != _digest_plain({"": other})


def _digest_plain(values: Values) -> str:
    try:
        return digest_values(values)
    except NotMemoizableError:
        return digest_values({"text": repr(values)})
