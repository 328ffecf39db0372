"""What can go wrong in a benchmark, told to people."""

from __future__ import annotations


class BenchmarkError(Exception):
    """Root of the benchmark's errors; its text is written for people."""


class MissingPackageError(BenchmarkError):
    """Packages that the benchmark needs are not installed."""

    def __init__(self, names: list[str], install: str) -> None:
        self.names = names
        verb = "is" if len(names) == 1 else "are"
        super().__init__(f"{', '.join(names)} {verb} not installed: run `{install}`.")


class BuildFailedError(BenchmarkError):
    """A build ended badly, or its pages lack outputs of notebooks."""

    def __init__(self, what: str, reason: str, exit_code: int, output: str) -> None:
        self.reason = reason
        self.exit_code = exit_code
        self.output = output
        super().__init__(f"{what}: {reason}. The build printed:\n\n{output.rstrip()}")
