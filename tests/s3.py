"""S3 for tests: a server in a process of its own, which can be watched, troubled and killed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import wait_until

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "dummy-id",
    "AWS_SECRET_ACCESS_KEY": "dummy-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class S3Server:
    """A running server."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self.process = process
        self.url = f"http://127.0.0.1:{(folder / 'port').read_text()}"

    def make_bucket(self) -> str:
        """Return the address of a new bucket."""
        name = f"bucket-{uuid.uuid4().hex}"
        self.request("PUT", name)
        return f"s3://{name}"

    def let_all_read(self, address: str) -> None:
        """Let those without credentials list and read a bucket."""
        bucket = address.removeprefix("s3://").partition("/")[0]
        allowed = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"]}
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        policy = {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": resources}]}
        self.request("PUT", f"{bucket}?policy", json.dumps(policy).encode())

    def request(self, method: str, path: str, data: bytes | None = None) -> bytes:
        """Ask without credentials, which the server does not look at."""
        headers = {"Content-Type": "application/json"}  # else it is taken for a form
        asked = urllib.request.Request(f"{self.url}/{path}", data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return bytes(answer.read())

    def set_fault(self, fault: str) -> None:
        """Have it do something wrong from now on; empty for nothing."""
        (self._folder / "fault").write_text(fault)

    def take_requests(self) -> list[str]:
        """Return the requests since the last time."""
        path = self._folder / "requests"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def count_requests(self) -> int:
        """Return how many requests there were."""
        path = self._folder / "requests"
        return len(path.read_text().splitlines()) if path.exists() else 0


@contextmanager
def run_s3() -> Iterator[S3Server]:
    """Run a server for this context."""
    with tempfile.TemporaryDirectory(prefix="nbcache-s3-") as name:
        folder = Path(name)
        (folder / "fault").touch()
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("s3_server.py")), name],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert wait_until((folder / "port").exists, 60)
            yield S3Server(folder, process)
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """Return a server that this process and its children find by their environment."""
    with run_s3() as server:
        for name, value in VARIABLES.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server
