"""A plain nbclient, begun again when its kernel lost the race for a port."""

from __future__ import annotations

from nbclient import NotebookClient

_TRIES = 3
_LOST_RACE = "Kernel died before replying to kernel_info"
"""Jupyter chooses ports that are free; another process may take one before the kernel does."""


def execute(client: NotebookClient) -> None:
    """Execute a client's notebook."""
    for remaining in reversed(range(_TRIES)):
        try:
            client.execute()
        except RuntimeError as error:
            if _LOST_RACE not in str(error) or not remaining:
                raise
        else:
            return
