"""What users set for memos in their process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class MemoConfig:
    """Settings of memoized functions and cells; changes hold for what is called next."""

    threshold_s: float = 3.0
    """Calls that take no longer are not stored, unless they are told to be always."""
    wait_s: float = 600.0
    """How long to wait for another process that computes the same; then it is computed here."""

    def set_runtime_threshold(self, seconds: float) -> None:
        """Store only what takes longer than some seconds. Raises ValueError below 0."""
        if not seconds >= 0:
            raise ValueError(f"a threshold of {seconds} s: expected 0 or more")
        self.threshold_s = float(seconds)

    def get_runtime_threshold(self) -> float:
        """Return from how many seconds on calls are stored."""
        return self.threshold_s


config = MemoConfig()
"""The settings of this process."""
