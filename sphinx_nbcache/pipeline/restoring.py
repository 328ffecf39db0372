"""The files that notebooks write, in one build: kept after a run, put back on a hit.

Owns what is known of them: which contents at a path are a notebook's, and which files are
new in this build.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from sphinx_nbcache.model import Artifact, Inputs, Run, Status, Topic
from sphinx_nbcache.observing import Present
from sphinx_nbcache.pipeline.artifacts import Artifacts, Restored
from sphinx_nbcache.pipeline.progress import Progress
from sphinx_nbcache.pipeline.project import Project

NO_INPUTS = Inputs()


class Restorer:
    """Keeps and restores artifacts, and warns of what cannot be.

    :param is_dry: put nothing in its place: what would be put there counts as present.
    """

    def __init__(
        self, project: Project, present: Present, progress: Progress, *, is_dry: bool = False
    ) -> None:
        self.written: set[str] = set()
        """Names of the files that were put back."""
        self.noted: set[tuple[str, str]] = set()
        """Name and digest of what notebooks, or this build, have put there."""
        self._project = project
        self._present = present
        self._progress = progress
        self._artifacts = Artifacts(project, self, is_dry=is_dry)
        self._is_dry = is_dry
        self._before: set[tuple[str, str]] = set()
        """What notebooks found in files before they changed them."""

    def keep(self, run: Run) -> tuple[Artifact, ...]:
        """Store the files that a run wrote, if it ended well.

        Raises StoreError when the store cannot be written.
        """
        if run.observation is None:
            return ()
        if run.status is not Status.RAN:
            self._artifacts.note(run.observation.writes)
            return ()
        saved = self._artifacts.save(run.observation.writes)
        self._warn(saved.problems, run.job.name)
        return saved.artifacts

    def restore(
        self, name: str, artifacts: Iterable[Artifact], inputs: Inputs = NO_INPUTS
    ) -> Restored:
        """Put the files of a notebook in their place.

        What the user has changed is kept, and told.

        :param inputs: what the notebook read: a file that it read and then changed is to be
            as it left it.
        """
        wanted = [item for item in artifacts if not self._is_contested(item)]
        if not wanted:
            return Restored()
        own = {item.path for item in wanted}
        before = {(item.name, item.digest) for item in inputs.items if item.name in own}
        self._before |= before
        restored = self._artifacts.restore(wanted, notebook=name)
        self._warn(restored.problems, name)
        self.written.update(restored.written)
        if self._is_dry:
            for artifact in wanted:
                if artifact.path in restored.written:
                    self._present.foresee(artifact.path, artifact.digest)
        elif restored.written:
            self._present.renew()
        return restored

    def digest_file(self, path: str) -> str | None:
        """Return the digest of a file now; None where there is no readable one."""
        return self._present.find_file(path)

    def is_ours(self, path: str, digest: str) -> bool:
        """Return whether a content at a path was put there by a notebook, now or before."""
        known = (self.noted, self._before, self._known)
        if any((path, digest) in contents for contents in known):
            return True
        if self._project.has_open_remote:  # anybody may have put a user's own file into it
            return False
        # Where the index was lost: what lies in the store is no user's work that could be lost.
        return self._project.store.objects.has(digest)

    def note(self, path: str, digest: str, stamp: tuple[int, int, int]) -> None:
        """Remember what was put in its place."""
        if (path, digest) not in self._known:
            self.noted.add((path, digest))
        self._present.digests.note(path, stamp, digest)

    def _is_contested(self, artifact: Artifact) -> bool:
        """Return whether several notebooks write a file that is there.

        Each would put its own in its place, in every build; tools that watch the folder
        would build for ever.
        """
        path = self._project.root / artifact.path
        return artifact.path in self._contested and path.exists()

    def _warn(self, problems: Iterable[str], name: str) -> None:
        for problem in problems:
            self._progress.warn(problem, Topic.ARTIFACT, name)

    @cached_property
    def _contested(self) -> frozenset[str]:
        flows = self._project.store.index.find_flows()
        # A notebook that was renamed does not contend with itself.
        there = [flow for source, flow in flows.items() if (self._project.root / source).is_file()]
        writers = Counter(path for flow in there for path in flow.writes)
        return frozenset(path for path, number in writers.items() if number > 1)

    @cached_property
    def _known(self) -> frozenset[tuple[str, str]]:
        return self._project.store.index.find_written()
