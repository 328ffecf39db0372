"""Small things to keep in a store."""

from __future__ import annotations

from pathlib import Path

from sphinx_nbcache.model import (
    CellOutputs,
    CellRun,
    CellStatus,
    Entry,
    Input,
    Inputs,
    Key,
    Outputs,
    digest_bytes,
)
from sphinx_nbcache.store import Problem, Store
from sphinx_nbcache.store.objects import read_digest


def make_key(name: str = "key") -> Key:
    """Return a key that looks like one."""
    return Key(digest_bytes(name.encode()))


def make_outputs(text: str = "output", *, size: int = 1) -> Outputs:
    """Return outputs of one cell; ``size`` repeats the text."""
    stream = {"output_type": "stream", "name": "stdout", "text": text * size}
    return Outputs((CellOutputs(1, [stream]),), {"language_info": {"name": "python"}})


def make_entry(
    outputs: str, *, key: str = "key", inputs: tuple[Input, ...] = (), executed_at: float = 1.0
) -> Entry:
    """Return an entry that names an outputs object."""
    return Entry(
        key=make_key(key),
        inputs=Inputs(inputs),
        outputs=outputs,
        kernel="python3",
        executed_at=executed_at,
        seconds=2.0,
        cells=(CellRun(1, CellStatus.OK, 1.0, 2.0),),
        source=f"{key}.ipynb",
    )


def fill(store: Store, *names: str) -> list[Entry]:
    """Store an entry with outputs of its own for each name."""
    entries = []
    for name in names:
        digest = store.save_outputs(make_outputs(f"output of {name}\n", size=100))
        entries.append(make_entry(digest, key=name))
        store.save_entry(entries[-1])
    return entries


def find_outputs(folder: Path) -> Path:
    """Return the file of the only outputs in a cache."""
    store = Store(folder)
    (path,) = store.entries.list_paths()
    entry = store.entries.read(path)
    assert isinstance(entry, Entry)
    paths = {read_digest(path): path for path in store.objects.list_paths()}
    return paths[entry.outputs]


def find_damage(store: Store) -> list[Problem]:
    """Return what is lost in a store; objects that nobody needs are not."""
    return [problem for problem in store.verify() if problem.is_damage]
