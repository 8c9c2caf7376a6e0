"""A shard's state as a chain of immutable objects on S3: one full snapshot, and the changes since."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor

import msgspec
from isal import isal_zlib

from clickstream.aws import Clients
from clickstream.errors import Stop
from clickstream.failures.outages import translated

#: A chain longer than this, or heavier than twice its full snapshot, is replaced by a new full snapshot. Each link makes every
#: commit's item longer, which DynamoDB charges for, and a small snapshot is soon made: one link for each so many bytes of it.
LONGEST_CHAIN = 64
SHORT_CHAIN = 8
_LINK_BYTES = 65_536
_READERS = 8
_COMPRESSION = 1  # of 0 to 3; smaller than zlib's own 1, in a quarter of the time (docs/reference/benchmarks.md, overhead)


class StoredObject(msgspec.Struct, frozen=True):
    """One link of the chain. ``size``: bytes as stored (compressed); ``sha256``: hex of those bytes."""

    key: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The chain: a full snapshot first, then the changes in order."""

    chain: tuple[StoredObject, ...] = ()

    @property
    def wants_full(self) -> bool:
        """True when the next commit should carry the whole state instead of its changes."""
        if not self.chain:
            return True
        full, changes = self.chain[0].size, sum(link.size for link in self.chain[1:])
        most = min(LONGEST_CHAIN, max(SHORT_CHAIN, full // _LINK_BYTES))
        return len(self.chain) > most or changes > 2 * full + _LINK_BYTES


def reading_threads() -> Executor:
    """Objects read one after the other would be most of a shard's recovery."""
    return ThreadPoolExecutor(_READERS, thread_name_prefix="snapshots")


class ChainObjects:
    """The objects of one application's chains. Raises RetryLater when S3 does not answer."""

    def __init__(self, clients: Clients, bucket: str, readers: Callable[[], Executor] = reading_threads) -> None:
        self._s3 = clients.s3
        self._bucket = bucket
        self._readers = readers

    def put(self, key: str, state: bytes) -> StoredObject:
        body = isal_zlib.compress(state, _COMPRESSION)
        with translated("S3"):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        return StoredObject(key=key, size=len(body), sha256=hashlib.sha256(body).hexdigest())

    def read(self, manifest: Manifest) -> list[bytes]:
        """The chain's contents, oldest first. A missing or altered object raises Stop: guessing would be wrong answers."""
        with self._readers() as readers:
            return list(readers.map(self._get, manifest.chain))

    def _get(self, link: StoredObject) -> bytes:
        try:
            with translated("S3"):
                body = self._s3.get_object(Bucket=self._bucket, Key=link.key)["Body"].read()
        except self._s3.exceptions.NoSuchKey as error:
            raise Stop(f"snapshot object {link.key} is missing") from error
        if hashlib.sha256(body).hexdigest() != link.sha256:
            raise Stop(f"snapshot object {link.key} was altered: its checksum differs from the manifest's")
        return isal_zlib.decompress(body)

    def keys(self, prefix: str) -> list[str]:
        with translated("S3"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def delete(self, keys: Iterable[str]) -> None:
        every = list(keys)
        for start in range(0, len(every), 1000):
            with translated("S3"):
                self._s3.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in every[start : start + 1000]], "Quiet": True},
                )
