"""A server of the S3 protocol on loopback that notes requests and fails as it is told to.

Run as a program with a folder: it writes its port and a line for each request there, and reads
from the file ``fault`` what to do wrong.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

Answer = Iterable[bytes]
_ERROR = b'<?xml version="1.0"?><Error><Code>%s</Code><Message>as told</Message></Error>'


class Faulty:
    """The server, with a fault in front of it."""

    def __init__(self, app: Callable[..., Answer], folder: Path) -> None:
        self._app = app
        self._folder = folder
        self._lock = threading.Lock()
        self._number = 0
        self._seen: set[str] = set()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
        with self._lock:
            self._number += 1
            number = self._number
            line = f"{method} {environ['PATH_INFO']}?{query}"
            is_new = line not in self._seen
            self._seen.add(line)
            with (self._folder / "requests").open("a") as file:
                file.write(f"{line}\n")
        fault, _, value = (self._folder / "fault").read_text().partition(" ")
        if fault == "die" and number >= int(value):
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "silent" and number >= int(value):
            time.sleep(3600)
        if fault == "slow":
            time.sleep(float(value))
        if fault == "errors" or (fault == "flaky" and is_new):
            return self._refuse(start, "503 Slow Down", b"SlowDown")
        if fault == "deny" and method in value:
            return self._refuse(start, "403 Forbidden", b"AccessDenied")
        is_file = method == "GET" and "list-type" not in query
        if fault == "corrupt" and is_file and value in environ["PATH_INFO"]:
            return [_flip(b"".join(self._app(environ, start)))]
        return self._app(environ, start)

    def _refuse(self, start: Callable[..., Any], status: str, code: bytes) -> Answer:
        start(status, [("Content-Type", "application/xml")])
        return [_ERROR % code]


def _flip(data: bytes) -> bytes:
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    return bytes(flipped)


def main(folder: Path) -> None:
    """Serve until killed."""
    app = Faulty(DomainDispatcherApplication(create_backend_app), folder)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    draft = folder / "port.draft"
    draft.write_text(str(server.server_port))
    draft.rename(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
