"""What the commands that look after the cache say of memos."""

from __future__ import annotations

from pathlib import Path

from sphinx_nbcache import memo
from tests.cli.conftest import Run


def test_memos_are_counted_carried_and_pruned(run: Run, project_folder: Path) -> None:
    assert memo.call_always(max, 1, 2) == 2  # in the project's folder, where ``run`` has gone
    assert "Memos: 1" in " ".join(run("stats").output.split())
    run("export", "cache.tar")
    run("cache", "clear", "-f")
    assert run("import", "cache.tar").output == "0 new entries, 1 new memo, 0 known already\n"
    assert (project_folder / ".nbcache/memos").is_dir()
    assert "removed: 0 entries, 1 memo," in run("prune", "--max-size", "10 B", "-f").output
    assert "Memos: 0" in " ".join(run("stats").output.split())
