"""Whoever can write to the remote: what was altered there is a miss, and runs nothing."""

from __future__ import annotations

import base64
import json
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sphinx_nbcache.config import Config
from sphinx_nbcache.memo import Engine, MemoWarning, Question, config
from sphinx_nbcache.memo.engine import name_family
from sphinx_nbcache.memo.notices import Notices
from sphinx_nbcache.memo.remote_memos import RemoteMemos
from sphinx_nbcache.memo.values import encode
from sphinx_nbcache.model import Memo
from sphinx_nbcache.store import SigningKeys, Store
from tests.conftest import RunPython

KEY, OTHER_KEY = "first-key-" + "x" * 16, "other-key-" + "y" * 16
QUESTION = Question(name="work.compute", asked={"x": 1})
FAMILY = name_family(QUESTION.name, "")


class Evil:
    """A value that leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (open, (str(self._mark), "w"))


class Attack:
    """A remote, and machines that ask it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "remote"
        self.mark = folder / "mark"
        self._made = folder / "machine"

    def make_engine(self, keys: str = "", *, mode: str = "read") -> Engine:
        """Return a machine with an empty cache."""
        if self._made.exists():
            shutil.rmtree(self._made)
        store = Store(self._made, SigningKeys.from_text(keys))
        options = {"remote": self.folder.as_uri(), "remote_mode": mode}
        told = Config.from_values(options, {})
        return Engine(store, config, remote=RemoteMemos(store, told, Notices()))

    def fill(self, value: Any, keys: str = "") -> None:
        """Have a machine compute a value, and put it there."""
        engine = self.make_engine(keys, mode="read-write")
        engine.answer(QUESTION, lambda: value, always=True)
        assert engine.remote is not None
        engine.remote.finish()

    def ask(self, keys: str = "") -> tuple[str, bool]:
        """Return what another machine gets, and whether it was told of something."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", MemoWarning)
            answer = self.make_engine(keys).answer(QUESTION, lambda: "computed", always=True)
        assert not self.mark.exists(), "foreign code ran"
        return str(answer.value), bool(caught)

    def list_files(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*/*/**/*") if path.is_file())

    @property
    def record(self) -> Path:
        (path,) = self.folder.glob("memos/*/*/*.json")
        return path

    def forge(self, keys: str = "", **changes: Any) -> None:
        """Alter the memo as somebody would who knows the format."""
        memo = replace(Memo.from_bytes(self.record.read_bytes()), **changes)
        if keys:
            signing = SigningKeys.from_text(keys).derive("memo")
            memo = replace(memo, signature=signing.sign("memo", memo.to_signable()))
        self.record.write_bytes(memo.to_bytes())

    def put_pickle(self, *, is_pickled: bool, keys: str = "") -> None:
        """Put a pickle there that leaves a mark."""
        encoded = encode(Evil(self.mark))
        assert encoded.is_pickled
        store = Store(self.folder)
        digests = tuple(store.objects.write(b"".join(part)) for part in encoded.parts)
        self.forge(keys, tree=encoded.tree, objects=digests, is_pickled=is_pickled)


@pytest.fixture
def attack(tmp_path: Path) -> Attack:
    """Return an empty remote."""
    return Attack(tmp_path)


VALUES: dict[str, Any] = {
    "plain": {"a": [1, 2.5, "text"], "b": b"bytes"},
    "array": np.arange(3000, dtype="f4"),
    "frame": pd.DataFrame({"a": range(2000), "b": [f"text {n}" for n in range(2000)]}),
}


def flip_each(path: Path, most: int) -> Iterator[int]:
    """Change one bit of a byte after another, and put it back; of many bytes, of some."""
    data = path.read_bytes()
    places = range(len(data))
    if len(data) > most:
        places = sorted(random.Random(5).sample(places, most))  # type: ignore[assignment]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        path.write_bytes(bytes(changed))
        yield place
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["", KEY], ids=["without a key", "with a key"])
@pytest.mark.parametrize("name", VALUES)
def test_each_flipped_byte_is_a_miss_with_a_warning(attack: Attack, name: str, keys: str) -> None:
    attack.fill(VALUES[name], keys)
    right = str(VALUES[name])
    assert attack.ask(keys) == (right, False)
    for path in attack.list_files():
        for place in flip_each(path, most=1000 if (name, keys) == ("plain", "") else 60):
            assert attack.ask(keys) == ("computed", True), f"{path.name}, byte {place}"
    assert attack.ask(keys) == (right, False)


def test_swapped_objects_are_a_miss(attack: Attack) -> None:
    attack.fill([np.arange(3000), np.ones(5000)])
    one, other = (path for path in attack.list_files() if "objects" in path.parts)
    texts = one.read_bytes(), other.read_bytes()
    other.write_bytes(texts[0])
    one.write_bytes(texts[1])
    assert attack.ask() == ("computed", True)


def test_objects_in_another_order_are_refused_with_a_key(attack: Attack) -> None:
    attack.fill([np.arange(3000), np.ones(5000)], KEY)
    objects = Memo.from_bytes(attack.record.read_bytes()).objects
    attack.forge(objects=objects[::-1])
    assert attack.ask(KEY) == ("computed", True)


@pytest.mark.parametrize("name", ["../../../evil", "/etc/passwd", "A" * 64, "a" * 63, ""])
def test_objects_that_are_named_by_a_path_are_a_miss(attack: Attack, name: str) -> None:
    attack.fill(VALUES["array"])
    attack.forge(objects=(name,))
    assert attack.ask() == ("computed", True)


@pytest.mark.parametrize("keys", ["", OTHER_KEY], ids=["unsigned", "signed with another key"])
def test_with_a_key_what_it_has_not_signed_is_refused(attack: Attack, keys: str) -> None:
    attack.fill("right", KEY)
    attack.forge(keys, tree="wrong", signature="")
    assert attack.ask(KEY) == ("computed", True)


def test_the_signature_of_one_memo_is_none_of_another(attack: Attack) -> None:
    attack.fill("right", KEY)
    attack.forge(tree="wrong")
    assert attack.ask(KEY) == ("computed", True)


def test_the_signature_of_an_entry_is_none_of_a_memo(attack: Attack) -> None:
    attack.fill("right", KEY)
    memo = replace(Memo.from_bytes(attack.record.read_bytes()), tree="wrong", signature="")
    attack.forge(tree="wrong", signature=SigningKeys([KEY]).sign("entry", memo.to_signable()))
    assert attack.ask(KEY) == ("computed", True)


@pytest.mark.parametrize("is_pickled", [True, False], ids=["said", "hidden"])
def test_a_pickle_without_a_signature_does_not_run(attack: Attack, *, is_pickled: bool) -> None:
    attack.fill("right")
    attack.put_pickle(is_pickled=is_pickled)
    assert attack.ask() == ("computed", True)


@pytest.mark.parametrize("keys", ["", OTHER_KEY], ids=["unsigned", "signed with another key"])
def test_with_a_key_a_pickle_of_others_does_not_run(attack: Attack, keys: str) -> None:
    attack.fill("right", KEY)
    attack.put_pickle(is_pickled=True, keys=keys)
    assert attack.ask(KEY) == ("computed", True)


def test_a_pickle_that_hides_does_not_run_even_when_it_is_signed(attack: Attack) -> None:
    attack.fill("right", KEY)
    attack.put_pickle(is_pickled=False, keys=KEY)
    assert attack.ask(KEY) == ("computed", True)


def make_array(**changes: Any) -> dict[str, Any]:
    """Return an array whose header says something else."""
    header = {"descr": "<f8", "fortran_order": False, "shape": (2,), **changes}
    text = f"{header!r}\n".encode()
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)
    return {"t": "array", "v": base64.b64encode(data).decode()}


def nest(depth: int) -> Any:
    tree: Any = 1
    for _ in range(depth):
        tree = [tree]
    return tree


IMAGE = {"mode": "RGB", "size": [100_000, 100_000], "info": {"t": "dict", "v": []}}
FORGED: dict[str, Any] = {
    "an array of objects": make_array(descr="|O"),
    "an array without end": make_array(shape=(1 << 60,)),
    "an array of terabytes": make_array(shape=(1 << 40,)),
    "a header that is code": make_array(descr="__import__('os')"),
    "a frame that is none": {"t": "frame", "v": "AAAA", "d": {"t": "dict", "v": []}},
    "a number without end": {"t": "Fraction", "v": "1e999999999"},
    "an unknown kind": {"t": "exec", "v": "1"},
    "a kind that is none": {"t": ["list"], "v": "1"},
    "nothing of a kind": {},
    "a part that is not there": {"t": "bytes", "v": 7},
    "a part before the first": {"t": "array", "v": -3},
    "what was not yet made": {"t": "same", "n": 5},
    "a key that cannot be one": {"t": "dict", "v": [[[], 1]]},
    "bytes that are none": {"t": "bytes", "v": "?"},
    "an image larger than it is": {
        "t": "image",
        "v": "AAAA",
        "d": {"t": "dict", "v": [[key, value] for key, value in IMAGE.items()]},
    },
    "a date that is none": {"t": "date", "v": "2025-02-30"},
    "a pickle without parts": {"t": "pickle", "buffers": 3, "part": 0},
}


@pytest.mark.parametrize("name", FORGED)
def test_a_tree_that_no_value_has_is_a_miss(attack: Attack, name: str) -> None:
    attack.fill("right")
    attack.forge(tree=FORGED[name])
    assert attack.ask() == ("computed", True)


def test_a_tree_that_is_nested_too_deeply_is_a_miss(attack: Attack) -> None:
    attack.fill("right")
    memo = Memo.from_bytes(attack.record.read_bytes())
    text = json.dumps({"tree": nest(500)}).replace("[" * 500, "[" * 100_000)
    body = memo.to_bytes().replace(b'"tree":"right"', text[1:-1].encode())
    attack.record.write_bytes(body)
    assert attack.ask() == ("computed", True)


def test_a_memo_in_the_place_of_another_is_a_miss(attack: Attack) -> None:
    attack.fill("right")
    attack.forge(key="0" * 64)
    assert attack.ask() == ("computed", True)


def test_a_memo_that_is_too_large_is_not_read(attack: Attack) -> None:
    attack.fill("right")
    with attack.record.open("ab") as file:
        file.truncate(200 << 20)
    assert attack.ask() == ("computed", True)


def test_names_that_are_none_of_ours_are_passed_over(attack: Attack) -> None:
    attack.fill("right")
    folder = attack.record.parent
    for name in ("x.json", "..%2F..%2Fevil.json", f"{'a' * 64}.json.exe"):
        (folder / name).write_text("x")
    assert attack.ask() == ("right", False)


def test_frames_with_altered_bytes_do_not_break_the_process(run_python: RunPython) -> None:
    """Whoever can write to the remote can make digests that fit."""
    code = """
import random
import pandas as pd
from sphinx_nbcache.memo.values import decode, encode

class Part:
    def __init__(self, data):
        self._data = data
    def read(self):
        return self._data
    def find_path(self):
        return None

frame = pd.DataFrame({"a": range(500), "b": [f"text {n}" for n in range(500)],
                      "c": pd.Categorical(["x", "y"] * 250)})
encoded = encode(frame)
(part,) = (b"".join(pieces) for pieces in encoded.parts)
random = random.Random(7)
for number in range(3000):
    data = bytearray(part)
    for _ in range(random.choice((1, 3, 20))):
        data[random.randrange(len(data))] = random.randrange(256)
    try:
        str(decode(encoded.tree, [Part(bytes(data))], is_trusted=False))
    except Exception:
        pass
print("alive")
"""
    done = run_python(code, timeout=120)
    assert done.stdout.strip() == "alive", done.stderr[-2000:]
