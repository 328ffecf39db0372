"""Generators of random numbers that were made while modules were imported, and new seeds.

Part of the fork server: standard library only, in the syntax of Python 3.8.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterable, Iterator
from typing import Any

_PLAIN: Any = random.Random.__base__  # `_random.Random`, which the collector does not track


_Random: Any = random.Random


class SeedWatch:
    """Remembers which generators were given a seed while the context was open.

    A library that says ``Random(0)`` has the same numbers in every process; such a
    generator must keep its state, or a forked kernel differs from a started one.
    """

    def __init__(self) -> None:
        self._fixed: dict[int, Any] = {}

    def __enter__(self) -> SeedWatch:  # noqa: PYI034 - no Self before Python 3.11
        """Begin to look at what is given to ``seed``."""
        self._original = original = random.Random.seed

        def seed(generator: Any, a: Any = None, version: int = 2) -> None:
            if a is None:
                self._fixed.pop(id(generator), None)
            else:
                self._fixed[id(generator)] = generator
            original(generator, a, version)

        _Random.seed = seed
        return self

    def __exit__(self, *error: object) -> None:
        """Leave ``seed`` as it was."""
        _Random.seed = self._original

    def is_fixed(self, generator: Any) -> bool:
        """Return whether a generator has a state that every process would have."""
        return id(generator) in self._fixed or _has_fixed_state(generator)


def find_generators(watch: SeedWatch | None = None) -> list[Any]:
    """Return every generator in this process that has a random state of its own.

    Instances of ``random.Random`` and its subclasses, and numpy's bit generators, from which
    ``RandomState`` and ``Generator`` draw. To be called before ``gc.freeze()``, which hides
    objects, and after the imports.
    """
    found = {id(item): item for item in _list_candidates() if _is_generator(item)}
    return [item for item in found.values() if watch is None or not watch.is_fixed(item)]


def reseed(generators: Iterable[Any]) -> None:
    """Give each generator a state of its own, from the entropy of the system."""
    for item in generators:
        kind = type(item)
        if issubclass(kind, random.Random):
            random.Random.seed(item)  # a subclass may ask for a seed, or refuse one
        elif issubclass(kind, _PLAIN):
            item.seed()
        else:
            # With its seed sequence, from which others may be spawned.
            item.__setstate__(kind().__getstate__())


def _list_candidates() -> Iterator[Any]:
    yield from gc.get_objects()
    for module in list(sys.modules.values()):
        yield from list((getattr(module, "__dict__", None) or {}).values())


def _is_generator(item: Any) -> bool:
    kind = type(item)  # not isinstance: it asks `__class__`, which lazy proxies answer by importing
    if issubclass(kind, _PLAIN):
        return not issubclass(kind, random.SystemRandom)
    return str(kind.__module__).startswith("numpy.random") and hasattr(kind, "random_raw")


def _has_fixed_state(item: Any) -> bool:
    """Return whether a bit generator of numpy was seeded with numbers, and not from entropy."""
    if issubclass(type(item), _PLAIN):
        return False
    sequence = getattr(item, "seed_seq", None) or getattr(item, "_seed_seq", None)
    entropy = getattr(sequence, "entropy", None)
    if entropy is not None and not (isinstance(entropy, int) and entropy >= 2**64):
        return True  # numpy takes 128 bits from the system
    key = item.state.get("state", {}).get("key")
    if type(item).__name__ != "MT19937" or key is None:
        return False
    # RandomState(7) and numpy.random.seed(7) fill the state from the first word on.
    words = [int(word) for word in key[:4]]
    return all(
        after == (1812433253 * (before ^ (before >> 30)) + number) & 0xFFFFFFFF
        for number, (before, after) in enumerate(zip(words, words[1:]), 1)  # noqa: B905, RUF007 - Python 3.8
    )
