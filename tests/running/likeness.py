"""What two runs of a notebook have in common: their outputs without what always varies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

# What differs between two started kernels as well.
_VARYING = (
    (re.compile(r"0x[0-9a-f]{6,}"), "0xADDRESS"),
    (re.compile(r"ipykernel_\d+"), "ipykernel_PID"),
    (re.compile(r"\btmp[a-z0-9_]{8}\b"), "tmpNAME"),
    (re.compile(r"\bpid=\d+"), "pid=PID"),
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"), "ID"),
    (re.compile(r"^(?:CPU times|Wall time): .*$", re.MULTILINE), "TIMES"),
    (re.compile(r"^.* per loop \(mean .*$", re.MULTILINE), "TIMES"),
)


def join_streams(outputs: Iterable[Any]) -> list[Any]:
    """Join what is printed between two displays: when it is flushed is a matter of time."""
    joined: list[Any] = []
    streams: dict[str, str] = {}
    for output in [*outputs, None]:
        if output is not None and output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + output["text"]
        else:
            joined += [*sorted(streams.items()), *([] if output is None else [output])]
            streams = {}
    return joined


def replace_varying(value: Any, names: Mapping[str, str]) -> Any:
    """Return JSON without what differs between two started kernels.

    :param names: texts, such as the path of a folder, and the words to put in their place.
    """
    if isinstance(value, Mapping):
        items = [(replace_varying(k, names), replace_varying(v, names)) for k, v in value.items()]
        if len(dict(items)) < len(items):  # by random names, as the models of widgets are
            return sorted(json.dumps(item, sort_keys=True) for item in items)
        return dict(items)
    if isinstance(value, list | tuple):
        return [replace_varying(item, names) for item in value]
    if not isinstance(value, str):
        return value
    for text, word in names.items():
        value = value.replace(text, word)
    for pattern, word in _VARYING:
        value = pattern.sub(word, value)
    return value
