"""The objects of a remote: found, taken and sent, chunked ones with the chunks that are lacking.

Looks come in batches. What comes is believed in nothing: it is compared with its digest while it
comes in, and a listing is read within limits before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from sphinx_nbcache.errors import StoreError
from sphinx_nbcache.store.chunked import parse_listing
from sphinx_nbcache.store.chunks import LARGEST_CHUNK_BYTES, LARGEST_LISTING_BYTES, Listing
from sphinx_nbcache.store.foreign import OBJECT_FILE
from sphinx_nbcache.store.objects import COMPRESSED, is_listing, read_digest
from sphinx_nbcache.store.pieces import OversizedError, UnreadableError
from sphinx_nbcache.store.remote_files import Listed, RemoteFiles
from sphinx_nbcache.store.store import Store
from sphinx_nbcache.store.transfers import Transfers

LARGEST_OBJECT_BYTES = 4 << 30
"""As it is stored; of a chunked one, all that its chunks hold."""
FEW_FOLDERS = 32
"""So many are listed one by one; for more than that all is listed at once."""
_ALL_SHARDS = frozenset(f"{number:02x}" for number in range(256))
_T = TypeVar("_T")


class Gather(Protocol):
    """What makes several calls at once."""

    def __call__(self, calls: Iterable[Callable[[], _T]]) -> list[_T]:
        """Return what they return, in their order."""


class Flaws:
    """What of a remote cannot be used."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        """Why; sentences for people."""
        self.names: set[str] = set()
        """Files that are to be replaced when there is a right one."""

    def note(self, name: str, reason: str) -> None:
        """Take note that a file is not right."""
        self.names.add(name)
        self.problems.append(f"{name}: {reason}")


class RemoteObjects:
    """The objects of one remote, as far as they were looked for.

    :param store: where what is taken goes.
    :param gather: makes calls that wait for the remote.
    """

    def __init__(
        self,
        files: RemoteFiles,
        transfers: Transfers,
        store: Store,
        *,
        gather: Gather,
        flaws: Flaws,
    ) -> None:
        self._files = files
        self._transfers = transfers
        self._store = store
        self._gather = gather
        self._flaws = flaws
        self._objects: dict[str, Listed] = {}
        self._shards: set[str] = set()

    def list_below(self, folders: Iterable[str]) -> list[Listed]:
        """Return all files below some folders of the remote."""
        found = self._gather([partial(self._files.list_below, folder) for folder in folders])
        return [item for items in found for item in items]

    def list_found(self) -> dict[str, Listed]:
        """Return what was found up to now, by digest."""
        return dict(self._objects)

    def _note_objects(self, listed: Iterable[Listed]) -> None:
        for item in listed:
            if OBJECT_FILE.fullmatch(item.name):
                self._objects.setdefault(read_digest(Path(item.name)), item)

    def locate(self, digests: Iterable[str]) -> None:
        """Find out which objects are there, and under which names."""
        shards = {digest[:2] for digest in digests} - self._shards
        if len(shards) > FEW_FOLDERS:
            self.locate_all()
        elif shards:
            self._note_objects(self.list_below(f"objects/{shard}" for shard in sorted(shards)))
            self._shards |= shards

    def locate_all(self) -> None:
        """Find out which objects there are at all."""
        if not self._shards >= _ALL_SHARDS:
            self._note_objects(self.list_below(["objects"]))
            self._shards |= _ALL_SHARDS

    def read_chunks(self, listed: Iterable[Listed]) -> dict[str, frozenset[str]]:
        """Return of which chunks those of some objects are made that are chunked, by digest."""
        digests = (read_digest(Path(item.name)) for item in listed if is_listing(Path(item.name)))
        return {digest: found.digests for digest, found in self._read_listings(digests).items()}

    def _read_listings(self, digests: Iterable[str]) -> dict[str, Listing]:
        digests = list(digests)
        found = self._gather([partial(self._read_listing, self._objects[d]) for d in digests])
        return {digest: listing for digest, listing in zip(digests, found, strict=True) if listing}

    def _read_listing(self, listed: Listed) -> Listing | None:
        """Return the listing of a chunked object; None, and a problem, where it is not right."""
        try:
            if listed.size_bytes > LARGEST_LISTING_BYTES:
                raise OversizedError(f"it is larger than {LARGEST_LISTING_BYTES} bytes")
            listing = parse_listing(b"".join(self._files.iterate(listed)))
            if listing.size_bytes > LARGEST_OBJECT_BYTES:
                raise OversizedError(f"its chunks are more than {LARGEST_OBJECT_BYTES} bytes")
        except FileNotFoundError:
            self._flaws.note(listed.name, "it is gone")
        except UnreadableError as error:
            self._flaws.note(listed.name, f"damaged: {error}")
        else:
            return listing
        return None

    def take(self, digests: Iterable[str]) -> None:
        """Take objects that are there into the store, with the chunks of theirs that it lacks."""
        single: list[str] = []
        chunked: list[str] = []
        for digest in digests:
            is_chunked = is_listing(Path(self._objects[digest].name))
            (chunked if is_chunked else single).append(digest)
        listings = self._read_listings(chunked)
        needed = frozenset().union(*(listing.digests for listing in listings.values()))
        lacking = sorted(d for d in needed if self._store.objects.find_sound(d) is None)
        self.locate(lacking)
        parts = [digest for digest in lacking if digest in self._objects]
        calls = [partial(self._take, self._objects[digest], digest) for digest in single]
        calls += [partial(self._take_chunk, self._objects[digest], digest) for digest in parts]
        self._gather(calls)
        self._gather([partial(self._join, digest, found) for digest, found in listings.items()])

    def _take_chunk(self, listed: Listed, digest: str) -> None:
        if listed.size_bytes > LARGEST_CHUNK_BYTES or is_listing(Path(listed.name)):
            self._flaws.note(listed.name, f"it is no chunk of at most {LARGEST_CHUNK_BYTES} bytes")
        else:
            self._take(listed, digest)

    def _join(self, digest: str, listing: Listing) -> None:
        """Take the listing of an object whose chunks have come."""
        try:
            self._store.objects.chunked.take(digest, listing.to_bytes())
        except UnreadableError as error:
            self._flaws.note(self._objects[digest].name, f"damaged: {error}")
        except OSError as error:
            raise StoreError(self._store.path, f"cannot be written: {error}") from error

    def _take(self, listed: Listed, digest: str) -> None:
        """Take an object into the store; note a problem where it is not to be used."""
        if listed.size_bytes > LARGEST_OBJECT_BYTES:
            self._flaws.note(listed.name, f"it is larger than {LARGEST_OBJECT_BYTES} bytes")
            return
        is_packed = listed.name.endswith(COMPRESSED)
        try:
            pieces = self._files.iterate(listed)
            self._store.objects.take(digest, pieces, is_packed=is_packed)
        except FileNotFoundError:
            self._flaws.note(listed.name, "it is gone")
        except UnreadableError as error:
            self._flaws.note(listed.name, f"damaged: {error}")
        except OSError as error:
            raise StoreError(self._store.path, f"cannot be written: {error}") from error

    def send(self, files: list[Path]) -> None:
        """Have an object there: its file, or its chunks and then their listing.

        Raises FileNotFoundError when it is gone here. For use inside of a transfer.
        """
        *chunks, last = files
        # Where all was looked at anyway, a chunk that was lost under its listing is seen.
        is_known = self._shards >= _ALL_SHARDS
        if chunks and (is_known or not self._is_there(read_digest(last))):
            shards = {read_digest(path)[:2] for path in chunks} - self._shards
            if (
                len(shards) > FEW_FOLDERS
            ):  # not _locate: a transfer does not wait for others to begin
                self._note_objects(self._files.list_below("objects"))
                self._shards |= _ALL_SHARDS
            self._transfers.share(self._send_object, chunks)
        self._send_object(last)

    def _is_there(self, digest: str) -> bool:
        if digest[:2] not in self._shards:
            self._note_objects(self._files.list_below(f"objects/{digest[:2]}"))
            self._shards.add(digest[:2])
        known = self._objects.get(digest)
        return known is not None and known.name not in self._flaws.names

    def _send_object(self, path: Path) -> None:
        digest = read_digest(path)
        if self._is_there(digest):
            return
        name, known = f"objects/{digest[:2]}/{path.name}", self._objects.get(digest)
        self._files.write_file(name, path)
        if known is not None and known.name != name:
            self._files.remove(known.name)
        self._flaws.names.discard(name)
        self._objects[digest] = Listed(name, path.stat().st_size, None)
