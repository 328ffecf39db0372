"""The name of a question: what is asked of a kernel."""

from __future__ import annotations

from typing import NewType

Key = NewType("Key", str)
"""sha256 of what is asked: code cells, kernel, parameters, working directory."""
